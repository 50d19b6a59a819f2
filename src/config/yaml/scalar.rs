//! What a plain scalar means to Kubernetes: its reader follows YAML 1.1 as Go's `yaml.v2` does.

use super::Value;

/// The value that an unquoted text stands for.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Value::Text(text.to_owned());
    }
    let digits = text.replace('_', "");
    integer(&digits)
        .map(Value::Int)
        .or_else(|| float(&digits).map(Value::Float))
        .unwrap_or_else(|| Value::Text(text.to_owned()))
}

fn integer(text: &str) -> Option<i64> {
    let (sign, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if magnitude.starts_with(['+', '-']) {
        return None;
    }
    let radix = |prefix: &str, radix| magnitude.strip_prefix(prefix).map(|digits| (digits, radix));
    let (digits, radix) = radix("0x", 16)
        .or_else(|| radix("0b", 2))
        .or_else(|| radix("0o", 8))
        .or_else(|| radix("0", 8).filter(|(digits, _)| !digits.is_empty()))
        .unwrap_or((magnitude, 10));
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok().and_then(|value| value.checked_mul(sign))
}

/// Only what YAML calls a float: Rust's own parser would take `inf` and `nan` without their dots.
fn float(text: &str) -> Option<f64> {
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    if numeric && text.bytes().any(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_kubernetes_reads() {
        for (text, expected) in [
            ("", "Null"),
            ("~", "Null"),
            ("yes", "Bool(true)"),
            ("off", "Bool(false)"),
            ("80", "Int(80)"),
            ("-1", "Int(-1)"),
            ("0x1F", "Int(31)"),
            ("017", "Int(15)"),
            ("0", "Int(0)"),
            ("1_000", "Int(1000)"),
            ("1.5", "Float(1.5)"),
            ("1e3", "Float(1000.0)"),
            ("1.2.3", "Text(\"1.2.3\")"),
            ("10.0.0.1", "Text(\"10.0.0.1\")"),
            ("-", "Text(\"-\")"),
            ("--1", "Text(\"--1\")"),
            ("0x-1", "Text(\"0x-1\")"),
            ("99999999999999999999", "Float(1e20)"),
            ("60s", "Text(\"60s\")"),
            ("nan", "Text(\"nan\")"),
        ] {
            assert_eq!(format!("{:?}", resolve(text)), expected, "{text}");
        }
    }
}
