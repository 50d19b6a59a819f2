//! Durations as Istio's documents write them: `1h30m`, `1.5s`, `100ms`.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration: write numbers with units (h, m, s, ms, us, ns), as in `1h30m`, `1.5s` or `100ms`")]
pub struct DurationError(pub String);

/// Reads Go's duration syntax without a sign, which is what Istio's schema and webhook accept.
///
/// # Errors
/// [`DurationError`] for anything else, negative and overlong durations among it.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let wrong = || DurationError(text.to_owned());
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_end);
        seconds += number.parse::<f64>().map_err(|_| wrong())? * seconds_in(unit).ok_or_else(wrong)?;
        rest = next;
    }
    if text.is_empty() { Err(wrong()) } else { Duration::try_from_secs_f64(seconds).map_err(|_| wrong()) }
}

fn seconds_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "h" => 3600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" => 1e-6,
        "ns" => 1e-9,
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
        ] {
            assert_eq!(parse_duration(text).map(|d| d.as_nanos()), Ok(nanos), "{text}");
        }
        for text in ["", "5", "-1s", "1 s", "s", "1d", "1..5s", "1e400h", "inf"] {
            assert!(parse_duration(text).is_err(), "{text}");
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
