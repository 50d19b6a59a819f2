//! Names and values of headers, in matches and in operations.

use super::judge::Judge;
use super::spot::Spot;

/// The header of a route by a token's claims, with the claim behind it.
const CLAIMS: &str = "@request.auth.claims";
/// RFC 9113, section 8.3.
const PSEUDO_HEADERS: [&str; 5] = [":method", ":scheme", ":authority", ":path", ":status"];

/// A header of the name that requests and messages have (RFC 9110, section 5.1); Istio lets a comma pass.
pub(super) fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+,-.^_`|~".contains(&byte))
}

/// Whether a match of headers asks for a claim of a token.
pub(in crate::config) fn is_claim(name: &str) -> bool {
    let Some((beginning, claim)) = name.split_at_checked(CLAIMS.len()) else { return false };
    let bracketed = claim.strip_prefix('[').and_then(|claim| claim.strip_suffix(']'));
    let dotted = claim.strip_prefix('.');
    beginning.eq_ignore_ascii_case(CLAIMS) && bracketed.or(dotted).is_some_and(|claim| !claim.is_empty())
}

/// Whether it names the authority.
pub(super) fn is_authority(name: &str) -> bool {
    name.eq_ignore_ascii_case(":authority") || name.eq_ignore_ascii_case("host")
}

/// The name of a header to match.
pub(super) fn to_match(judge: &mut Judge<'_>, name: &str, spot: &Spot<'_>) {
    if name.is_empty() {
        judge.reject(spot, "A header name cannot be empty.", "Name the header.");
    } else if !is_claim(name) && !PSEUDO_HEADERS.contains(&name) && !is_header(name) {
        let message = format!("`{name}` is not a valid header name.");
        judge.reject(spot, message, "Write letters, digits and `-`, without a colon or spaces.");
    }
}

/// `Headers`: what is set, added and removed on the way to the destination and back.
pub(super) fn operations(judge: &mut Judge<'_>, headers: &Spot<'_>) {
    let (request, response) = (headers.at("request"), headers.at("response"));
    for field in ["add", "set"] {
        for (name, value) in request.at(field).entries() {
            if !is_authority(name) {
                to_change(judge, name, &value);
            }
            self::value(judge, &value);
        }
        for (name, value) in response.at(field).entries() {
            to_change(judge, name, &value);
            self::value(judge, &value);
        }
    }
    for name in request.at("remove").items().chain(response.at("remove").items()) {
        to_change(judge, name.text(), &name);
    }
}

/// The name of a header to change: anything but the authority and what HTTP/2 writes with a colon.
fn to_change(judge: &mut Judge<'_>, name: &str, spot: &Spot<'_>) {
    let cure = "Rewrite the authority of a request by `rewrite.authority`.";
    if name.is_empty() {
        judge.reject(spot, "A header name cannot be empty.", "Name the header.");
    } else if name.eq_ignore_ascii_case("host") {
        judge.reject(spot, format!("`{name}` is an invalid header here: the Host header cannot be set."), cure);
    } else if name.starts_with(':') {
        let message = format!("`{name}` is an invalid header here: a header cannot have the prefix `:`.");
        judge.reject(spot, message, cure);
    }
}

fn value(judge: &mut Judge<'_>, spot: &Spot<'_>) {
    let text = spot.text();
    if text.chars().any(|c| c.is_ascii_control() && c != '\t') {
        let message = format!("The header value {text:?} is invalid: it holds a control character.");
        judge.reject(spot, message, "Write visible characters, spaces and tabs.");
    } else if let Err(reason) = formatters(text) {
        let message = format!("The header value `{text}` is invalid: {reason}.");
        judge.reject(spot, message, "Double each `%` that is meant, or put an Envoy variable between two of them.");
    }
}

/// Where the reading of a value with Envoy's variables stands: `%NAME%`, `%NAME(argument)%`, `%NAME(["a", "b"])%`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Literal,
    Name,
    Arguments,
    Item,
    Text,
    ItemsEnd,
    ArgumentsEnd,
    End,
}

/// Reads a value as Envoy once did; only the frame of a variable is looked at.
fn formatters(value: &str) -> Result<(), &'static str> {
    let mut stage = Stage::Literal;
    let mut bytes = value.bytes().peekable();
    while let Some(byte) = bytes.next() {
        stage = match (stage, byte) {
            (Stage::Literal, b'%') => match bytes.peek() {
                None => return Err("a single `%` ends it"),
                Some(b'%') => {
                    bytes.next();
                    Stage::Literal
                }
                Some(_) => Stage::Name,
            },
            (Stage::Name | Stage::End, b'%') => Stage::Literal,
            (Stage::Name, b'(') => Stage::Arguments,
            (Stage::Arguments, b'[') | (Stage::ItemsEnd, b',') => Stage::Item,
            (Stage::Text, b'\\') => {
                bytes.next().ok_or(r"a `\` ends it")?;
                Stage::Text
            }
            (Stage::Text, b'"') => Stage::ItemsEnd,
            (Stage::Text | Stage::ArgumentsEnd, b')') => Stage::End,
            (Stage::ItemsEnd, b']') => Stage::ArgumentsEnd,
            (Stage::Literal | Stage::Name | Stage::Text, _) | (_, b' ') => stage,
            (Stage::Arguments, _) | (Stage::Item, b'"') => Stage::Text,
            (Stage::Item, _) => return Err("an argument of a variable does not begin with `\"`"),
            (Stage::ItemsEnd, _) => return Err("the arguments of a variable are not parted by `,`"),
            (Stage::ArgumentsEnd, _) => return Err("the arguments of a variable do not end with `)`"),
            (Stage::End, _) => return Err("a variable does not end with `%`"),
        };
    }
    if stage == Stage::Literal { Ok(()) } else { Err("a single `%` begins a variable that does not end") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_their_frame() {
        for (value, valid) in [
            ("", true),
            ("foo", true),
            ("100%%", true),
            ("prefix %HOSTNAME% suffix", true),
            ("%DOWNSTREAM_PEER_CERT_V_END(%b %d %H:%M:%S %Y %Z)%", true),
            (r#"%UPSTREAM_METADATA(["com.test", "key"])%"#, true),
            ("%DYNAMIC_METADATA(com.test.my_filter)%", true),
            ("%START_TIME%%", false),
            ("abc%123", false),
            ("%REQ(x)y%", false),
            (r#"%REQ(["a" "b"])%"#, false),
            ("%REQ([a])%", false),
        ] {
            assert_eq!(formatters(value).is_ok(), valid, "{value}");
        }
    }

    #[test]
    fn claims_are_told_from_headers() {
        for (name, claim) in [
            ("@request.auth.claims.iss", true),
            ("@Request.Auth.Claims[a][b]", true),
            ("@request.auth.claims", false),
            ("@request.auth.claims.", false),
            ("@request.auth.claims[]", false),
            ("x-a", false),
        ] {
            assert_eq!(is_claim(name), claim, "{name}");
        }
        assert!(is_header("x-a_b.c,d") && !is_header("x a") && !is_header("") && !is_header(":path"));
    }
}
