//! Durations as Istio's documents write them: `1h30m`, `1.5s`, `100ms`.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration: write numbers with units (h, m, s, ms, us, ns), as in `1h30m`, `1.5s` or `100ms`")]
pub struct DurationError(pub String);

/// Reads Go's duration syntax without a minus, which is what most of Istio's fields accept.
///
/// # Errors
/// [`DurationError`] for anything else, negative and overlong durations among it.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let nanos = parse_nanoseconds(text)?;
    u64::try_from(nanos).map(Duration::from_nanos).map_err(|_| DurationError(text.to_owned()))
}

/// Reads Go's duration syntax, as nanoseconds; a minus makes them negative.
///
/// # Errors
/// [`DurationError`] for anything that Go's `time.ParseDuration` refuses, or that does not fit.
pub fn parse_nanoseconds(text: &str) -> Result<i64, DurationError> {
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sum = if bare == "0" { Some(0) } else { sum(bare) };
    let signed = sum.map(|sum| if text.starts_with('-') { -sum } else { sum });
    signed.and_then(|sum| i64::try_from(sum).ok()).ok_or_else(|| DurationError(text.to_owned()))
}

/// The sum of numbers with units; `None` where one of them is none, or the text is empty.
fn sum(text: &str) -> Option<i128> {
    let (mut rest, mut sum) = (text, None);
    while !rest.is_empty() {
        let (number, tail) = split_where(rest, |c| !c.is_ascii_digit() && c != '.')?;
        let (unit, next) = split_where(tail, |c| c.is_ascii_digit() || c == '.').unwrap_or((tail, ""));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let size = nanoseconds_in(unit)?;
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        // Eighteen digits of a fraction are more than a nanosecond of an hour.
        let fraction = &fraction[..fraction.len().min(18)];
        let parts: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        sum = Some(sum.unwrap_or(0) + i128::from(whole) * size + parts * size / scale);
        rest = next;
    }
    sum
}

/// The text before the first such character and the text from it on.
fn split_where(text: &str, stops: impl Fn(char) -> bool) -> Option<(&str, &str)> {
    text.find(stops).map(|at| text.split_at(at))
}

fn nanoseconds_in(unit: &str) -> Option<i128> {
    Some(match unit {
        "h" => 3_600_000_000_000,
        "m" => 60_000_000_000,
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ns" => 1,
        _ => return None,
    })
}

/// Writes a duration the way [`parse_duration`] reads it, in its largest whole unit.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let units =
        [(3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    units.iter().find(|(size, _)| nanos >= *size && nanos.is_multiple_of(*size)).map_or_else(
        || if nanos == 0 { "0s".to_owned() } else { format!("{nanos}ns") },
        |(size, unit)| format!("{}{unit}", nanos / size),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_reads_them() {
        for (text, nanos) in [
            ("1h30m", 5_400_000_000_000),
            ("1.5s", 1_500_000_000),
            ("100ms", 100_000_000),
            ("0s", 0),
            ("0", 0),
            ("2us", 2_000),
            ("+.5m1.h", 3_630_000_000_000),
            ("3\u{3bc}s", 3_000),
            ("0.0000000005s", 0),
        ] {
            assert_eq!(parse_duration(text).map(|d| d.as_nanos()), Ok(nanos), "{text}");
        }
        for text in ["", "5", "-1s", "1 s", "s", ".s", "1d", "1..5s", "1e400h", "inf", "-", "99999999h", "--1s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_minus_makes_nanoseconds_negative() {
        for (text, nanos) in [("-1.5h", -5_400_000_000_000), ("-0", 0), ("+2ns", 2)] {
            assert_eq!(parse_nanoseconds(text), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ["2h", "90s", "1500ms", "7ns", "0s"] {
            let duration = parse_duration(text).expect("a valid duration");
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}
