//! Figures as Kubernetes writes them.

/// The largest figure that is told, in thousandths: what a double holds exactly.
const MOST: f64 = 9e15;

/// What a whole figure is told in: the largest of which it is a multiple.
const UNITS: [(u64, &str); 4] = [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1000, "k")];

/// `value` as a `resource.Quantity` in its canonical form (no fraction, the largest unit: `1500m`, `3`, `12k`), rounded up to
/// thousandths as Kubernetes rounds what a quantity cannot hold.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it lies between zero and MOST, or is no number"
)]
pub(super) fn quantity(value: f64) -> String {
    // A billionth is what sums of doubles are off by, and no demand; what is no number becomes zero.
    let thousandths = (value * 1000.0 - 1e-6).ceil().clamp(0.0, MOST) as u64;
    if !thousandths.is_multiple_of(1000) {
        return format!("{thousandths}m");
    }
    let whole = thousandths / 1000;
    let unit = UNITS.into_iter().find(|(unit, _)| whole > 0 && whole.is_multiple_of(*unit));
    unit.map_or_else(|| whole.to_string(), |(unit, name)| format!("{}{name}", whole / unit))
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
            (f64::INFINITY, "9T"),
            (12_000.0, "12k"),
            (12_001.0, "12001"),
            (5e6, "5M"),
            (1_000_000_000.5, "1000000000500m"),
        ] {
            assert_eq!(quantity(value), expected, "{value}");
        }
    }
}
