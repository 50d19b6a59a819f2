//! Several lines of one header as the one value that they are (RFC 9110, section 5.3): joined by commas, as Envoy
//! compares them, and without an allocation for any but a very long value that an expression is held against.

use http::header::{GetAll, HeaderValue};

use crate::domain::StringMatch;

/// The longest joined value, in bytes, that is put together without an allocation for an expression.
const SCRATCH: usize = 1024;

/// Whether `lines` joined match `pattern`; `None` where there are none.
pub(super) fn matches(lines: &GetAll<'_, HeaderValue>, pattern: &StringMatch) -> Option<bool> {
    let mut rest = lines.iter();
    let first = rest.next()?.as_bytes();
    let lone = rest.next().is_none();
    Some(match pattern {
        StringMatch::Present => true,
        StringMatch::Exact(exact) if lone => first == exact.as_bytes(),
        StringMatch::Exact(exact) => joined(lines).eq(exact.bytes()),
        StringMatch::Prefix(prefix) if lone => first.starts_with(prefix.as_bytes()),
        StringMatch::Prefix(prefix) => joined(lines).take(prefix.len()).eq(prefix.bytes()),
        StringMatch::Regex(_) if lone => matches_text(first, pattern),
        StringMatch::Regex(_) => matches_joined(lines, pattern),
    })
}

/// An expression is one over text; what is no text it does not match.
fn matches_text(bytes: &[u8], pattern: &StringMatch) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| pattern.matches(text))
}

fn matches_joined(lines: &GetAll<'_, HeaderValue>, pattern: &StringMatch) -> bool {
    let mut scratch = [0; SCRATCH];
    let mut length = 0;
    for byte in joined(lines) {
        let Some(place) = scratch.get_mut(length) else {
            return matches_text(&joined(lines).collect::<Vec<_>>(), pattern);
        };
        *place = byte;
        length += 1;
    }
    matches_text(&scratch[..length], pattern)
}

fn joined<'v>(lines: &GetAll<'v, HeaderValue>) -> impl Iterator<Item = u8> + 'v {
    let commas = std::iter::once(&b""[..]).chain(std::iter::repeat(&b","[..]));
    lines.iter().zip(commas).flat_map(|(line, comma)| comma.iter().chain(line.as_bytes()).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    #[test]
    fn lines_are_compared_as_one_value() {
        let exact = |text: &str| StringMatch::Exact(text.into());
        let prefix = |text: &str| StringMatch::Prefix(text.into());
        let regex = |text: &str| StringMatch::regex(text).expect("a valid expression");
        let long: &'static str = "x".repeat(SCRATCH).leak();
        for (lines, pattern, expected) in [
            (&[][..], StringMatch::Present, None),
            (&["1"], StringMatch::Present, Some(true)),
            (&["1", "2"], exact("1,2"), Some(true)),
            (&["1", "2"], exact("1,"), Some(false)),
            (&["1", "2"], exact("1,2,"), Some(false)),
            (&["", ""], exact(","), Some(true)),
            (&["1", "2"], prefix("1,"), Some(true)),
            (&["1", "2"], prefix("1,2,"), Some(false)),
            (&["1"], prefix("1"), Some(true)),
            (&["1", "2", "3"], regex("[0-9](,[0-9])+"), Some(true)),
            (&["1", "2"], regex("1"), Some(false)),
            (&[long, "2"], regex("x+,2"), Some(true)),
            (&[long, "2"], regex("x+"), Some(false)),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(lines.iter().map(|line| (http::header::ACCEPT, HeaderValue::from_static(line))));
            let values = headers.get_all(http::header::ACCEPT);
            assert_eq!(matches(&values, &pattern), expected, "{pattern} over {lines:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_match_no_expression() {
        let mut headers = HeaderMap::new();
        headers.insert("x-a", HeaderValue::from_bytes(b"a\xff").expect("a value"));
        let values = headers.get_all("x-a");
        assert_eq!(matches(&values, &StringMatch::Prefix("a".into())), Some(true));
        assert_eq!(matches(&values, &StringMatch::regex(".*").expect("a valid expression")), Some(false));
    }
}
