//! Values written as YAML.

use serde_json::Value;

/// `value` as one YAML document, keys in order. Texts that the older YAML of Kubernetes' own reader takes for something else,
/// as `Off`, are quoted.
pub fn to_yaml(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

/// Writes `value` as a block, each of its lines indented by `depth` levels.
fn write(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                indent(depth, text);
                text.push_str(&scalar(key));
                text.push(':');
                below(value, depth, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                indent(depth, text);
                text.push('-');
                let first = text.len();
                if is_block(item) {
                    write(item, depth + 1, text);
                    // The first line of the item stands behind its dash, which takes the place of the indent's end.
                    let indented = first + 2 * (depth + 1);
                    text.replace_range(first..indented, " ");
                } else {
                    below(item, depth, text);
                }
            }
        }
        other => {
            indent(depth, text);
            text.push_str(&flat(other));
            text.push('\n');
        }
    }
}

/// What stands behind a key or a dash: on the same line where it fits there.
fn below(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::String(lines) if is_literal(lines) => {
            text.push_str(if lines.ends_with('\n') { " |\n" } else { " |-\n" });
            for line in lines.lines() {
                if !line.is_empty() {
                    indent(depth + 1, text);
                    text.push_str(line);
                }
                text.push('\n');
            }
        }
        value if is_block(value) => {
            text.push('\n');
            write(value, depth + 1, text);
        }
        value => {
            text.push(' ');
            text.push_str(&flat(value));
            text.push('\n');
        }
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// Whether a text is best written line by line. The form has its limits: no line break but `\n`, at most one at the end, and
/// no space at the beginning.
fn is_literal(text: &str) -> bool {
    let plain = text.chars().all(|c| c == '\n' || !c.is_control())
        && !text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}']);
    plain && text.trim_end_matches('\n').contains('\n') && !text.ends_with("\n\n") && !text.starts_with([' ', '\n'])
}

fn flat(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A text as a plain scalar where every reader takes it for a text, else in double quotes, as JSON writes it.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    // JSON's strings are YAML's, but for what YAML takes for the end of a line.
    let quoted = Value::from(text).to_string();
    quoted.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// Words that YAML 1.1 reads as booleans or null.
const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", ""];

fn is_plain(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let inside = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c) || c == ' ' || c == ':';
    let word = WORDS.contains(&text.to_ascii_lowercase().as_str());
    begins && !word && text.chars().all(inside) && !text.contains(": ") && !text.ends_with([':', ' '])
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_are_written_as_people_write_them() {
        let value = json!({
            "apiVersion": "v1",
            "data": { "a.json": "{\n \"x\": 1\n}\n", "b": "one\n\ntwo" },
            "list": [{ "a": 1, "b": [2, 3] }, [4], "five", {}],
            "none": null,
        });
        let text = "apiVersion: v1\ndata:\n  a.json: |\n    {\n     \"x\": 1\n    }\n  b: |-\n    one\n\n    two\nlist:\n  \
                    - a: 1\n    b:\n      - 2\n      - 3\n  - - 4\n  - five\n  - {}\nnone: null\n";
        assert_eq!(to_yaml(&value), text);
    }

    #[test]
    fn whatever_is_written_is_read_again_as_it_was() {
        let texts = [
            "Off",
            "y",
            "12",
            "1e3",
            "0x1f",
            "1:30",
            "a: b",
            "a #b",
            "- a",
            "#",
            "",
            " ",
            "x ",
            "ü",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "{{ $labels.pool }}",
            "a\tb",
            "line\nline",
            "line\n",
            "\nline\n",
            "a\n\n",
            "  a\n b",
            "a\r\nb",
            "2024-01-01",
            "~",
            "null",
            "8080/tcp",
            "http://127.0.0.1:15000/x",
            "x:",
            "key: |",
            "100%",
            "=",
            "<<",
            "1_000",
            "+1",
            ".5",
            "-",
            "?",
            "[a]",
            "\u{85}a\nb\u{2028}\u{2029}",
        ];
        for text in texts {
            let value = json!({ text: { "key": text, "list": [text, [text], { text: text }] } });
            let written = to_yaml(&value);
            let read: Value = serde_yaml::from_str(&written).unwrap_or_else(|error| panic!("{error} in {written}"));
            assert_eq!(read, value, "{written}");
        }
        for value in [json!(1.5), json!(-3), json!(true), json!([]), json!({}), json!(null), json!("a")] {
            assert_eq!(serde_yaml::from_str::<Value>(&to_yaml(&value)).ok(), Some(value));
        }
    }
}
