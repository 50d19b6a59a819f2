//! Figures as Kubernetes writes them.

/// The largest figure that is told, in thousandths: what a double holds exactly.
const MOST: f64 = 9e15;

/// `value` as a `resource.Quantity`: whole, or in thousandths (`1500m`), rounded up as Kubernetes rounds what a quantity cannot
/// hold.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it lies between zero and MOST, or is no number"
)]
pub(super) fn quantity(value: f64) -> String {
    // A billionth is what sums of doubles are off by, and no demand; what is no number becomes zero.
    let thousandths = (value * 1000.0 - 1e-6).ceil().clamp(0.0, MOST) as u64;
    if thousandths.is_multiple_of(1000) { (thousandths / 1000).to_string() } else { format!("{thousandths}m") }
}

#[cfg(test)]
mod tests {
    use super::quantity;

    #[test]
    fn figures_are_whole_or_in_thousandths() {
        for (value, expected) in [
            (0.0, "0"),
            (3.0, "3"),
            (1.5, "1500m"),
            (0.1 + 0.2, "300m"),
            (0.000_1, "1m"),
            (2.000_000_000_1, "2"),
            (123_456.789, "123456789m"),
            (-1.0, "0"),
            (f64::NAN, "0"),
            (f64::INFINITY, "9000000000000"),
        ] {
            assert_eq!(quantity(value), expected, "{value}");
        }
    }
}
