//! Trace context: which trace a request belongs to, and what it is called here.
//!
//! Reads only what a client sent. Draws no chance: whoever needs a new id brings the bits.

mod incoming;

pub(super) use incoming::{Context, Incoming, forget_state, incoming};

use http::{HeaderMap, HeaderValue};

/// A trace id: 16 or 32 hexadecimal digits, kept where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId {
    digits: [u8; 32],
    length: usize,
}

impl TraceId {
    /// The first 32 bytes of `id`.
    fn new(id: &str) -> Self {
        let length = id.len().min(32);
        let mut digits = [0; 32];
        digits[..length].copy_from_slice(&id.as_bytes()[..length]);
        Self { digits, length }
    }

    /// That of the 16 bytes that OpenTelemetry knows it by.
    pub(super) fn of_bytes(bytes: [u8; 16]) -> Self {
        Self { digits: hex_of(bytes), length: 32 }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[..self.length]).unwrap_or_default()
    }
}

/// The trace id that `headers` carry: W3C `traceparent` first, then B3 in one header, then B3 in several. `None` where
/// none of them is valid.
///
/// W3C Trace Context, section 3.2, and openzipkin/b3-propagation say which characters are valid.
pub fn trace_id(headers: &HeaderMap) -> Option<TraceId> {
    let id = sole(headers, "traceparent")
        .and_then(from_traceparent)
        .map(|parent| parent.trace)
        .or_else(|| sole(headers, "b3").and_then(from_b3).map(|parent| parent.trace))
        .or_else(|| from_b3_parts(sole(headers, "x-b3-traceid")?, sole(headers, "x-b3-spanid")?));
    id.map(TraceId::new)
}

/// A header that stands once; several of one name say nothing that can be relied on.
fn sole<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok() }
}

/// What a header says of the span that a request comes from, as it stands there.
struct Said<'h> {
    trace: &'h str,
    span: &'h str,
    /// Flags of `traceparent`, or the sampling state of B3; `None` where that leaves the decision to others.
    sampling: Option<&'h str>,
}

/// `version-traceid-parentid-flags`. A version after 00 may have more fields behind these; `ff` is none.
fn from_traceparent(text: &str) -> Option<Said<'_>> {
    let mut fields = text.splitn(5, '-');
    let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let more = fields.next();
    let known = is_hex(version, 2) && version != "ff" && (version != "00" || more.is_none());
    let valid = known && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2);
    valid.then_some(Said { trace, span: parent, sampling: Some(flags) })
}

/// `traceid-spanid[-sampling[-parentspanid]]`; a sampling decision alone names no trace.
fn from_b3(text: &str) -> Option<Said<'_>> {
    let mut fields = text.splitn(4, '-');
    let (trace, span) = (fields.next()?, fields.next()?);
    from_b3_parts(trace, span)?;
    let sampling = fields.next();
    let valid = sampling.is_none_or(|sampling| matches!(sampling, "0" | "1" | "d"))
        && fields.next().is_none_or(|parent| is_id(parent, 16));
    valid.then_some(Said { trace, span, sampling })
}

fn from_b3_parts<'h>(trace: &'h str, span: &str) -> Option<&'h str> {
    ((is_id(trace, 32) || is_id(trace, 16)) && is_id(span, 16)).then_some(trace)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Hexadecimal digits that are not all zero, which both formats keep for "invalid".
fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|byte| byte != b'0')
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The digits of an id, two for each of its bytes.
fn hex_of<const N: usize, const D: usize>(bytes: [u8; N]) -> [u8; D] {
    std::array::from_fn(|at| {
        let byte = bytes[at / 2];
        DIGITS[usize::from(if at % 2 == 0 { byte >> 4 } else { byte & 0xf })]
    })
}

/// A new request id: the random bits of `draw` as a version 4 UUID (RFC 9562, section 5.4).
pub fn request_id(draw: u128) -> HeaderValue {
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0b11 << 62;
    let bits = (draw & !VERSION & !VARIANT) | (4 << 76) | (0b10 << 62);
    let mut text = [b'-'; 36];
    for (nth, byte) in bits.to_be_bytes().into_iter().enumerate() {
        let hyphens = [4, 6, 8, 10].iter().filter(|before| nth >= **before).count();
        let at = 2 * nth + hyphens;
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 0xf)];
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn traceparent_is_read_strictly() {
        for (value, expected) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some(TRACE)),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes", Some(TRACE)),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", None),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", None),
            ("", None),
        ] {
            assert_eq!(
                trace_id(&headers(&[("traceparent", value)])).as_ref().map(TraceId::as_str),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn b3_is_read_in_one_header_and_in_several() {
        const SHORT: &str = "a3ce929d0e0e4736";
        for (pairs, expected) in [
            (vec![("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7")], Some(TRACE)),
            (vec![("b3", "a3ce929d0e0e4736-00f067aa0ba902b7-d-05e3ac9a4f6e3b90")], Some(SHORT)),
            (vec![("b3", "a3ce929d0e0e4736-00f067aa0ba902b7-maybe")], None),
            (vec![("b3", "0")], None),
            (vec![("x-b3-traceid", SHORT), ("x-b3-spanid", "00f067aa0ba902b7")], Some(SHORT)),
            (vec![("x-b3-traceid", SHORT)], None),
        ] {
            assert_eq!(trace_id(&headers(&pairs)).as_ref().map(TraceId::as_str), expected, "{pairs:?}");
        }
    }

    #[test]
    fn traceparent_wins_where_it_stands_once() {
        let b3 = ("b3", "a3ce929d0e0e4736-00f067aa0ba902b7");
        let parent = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let id = |pairs: &[(&'static str, &'static str)]| trace_id(&headers(pairs)).map(|id| id.as_str().to_owned());
        assert_eq!(id(&[b3, parent]).as_deref(), Some(TRACE));
        assert_eq!(id(&[b3, parent, parent]).as_deref(), Some("a3ce929d0e0e4736"));
    }

    #[test]
    fn a_request_id_is_a_version_4_uuid() {
        assert_eq!(request_id(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(request_id(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(request_id(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef), "01234567-89ab-4def-8123-456789abcdef");
    }
}
