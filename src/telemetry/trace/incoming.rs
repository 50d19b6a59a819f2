//! Where in a trace a request stands: the span that it comes from, whether that is recorded, and how the next is told.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Said, from_b3, from_b3_parts, from_traceparent, hex_of, sole};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const B3: HeaderName = HeaderName::from_static("b3");
const B3_TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
const B3_SPAN: HeaderName = HeaderName::from_static("x-b3-spanid");
const B3_PARENT: HeaderName = HeaderName::from_static("x-b3-parentspanid");
const B3_SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const B3_FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

/// What a request's headers say of its trace.
#[derive(Debug, Default)]
pub(in crate::telemetry) struct Incoming {
    /// The trace and the span that it comes from; `None` where it comes from none.
    pub(in crate::telemetry) parent: Option<([u8; 16], [u8; 8])>,
    /// Whether its trace is recorded; `None` where nobody has decided that.
    pub(in crate::telemetry) sampled: Option<bool>,
    /// `tracestate`, which means something beside a valid `traceparent` alone (W3C Trace Context, section 3.3).
    pub(in crate::telemetry) state: Option<HeaderValue>,
}

/// Reads `traceparent`, then B3 in one header, then B3 in several: the first that is valid.
pub(in crate::telemetry) fn incoming(headers: &HeaderMap) -> Incoming {
    if let Some(said) = sole(headers, TRACEPARENT.as_str()).and_then(from_traceparent) {
        let flags = said.sampling.and_then(|flags| u8::from_str_radix(flags, 16).ok());
        let sampled = flags.map(|flags| flags & 1 == 1);
        return Incoming { parent: ids(&said), sampled, state: headers.get(TRACESTATE).cloned() };
    }
    let single = sole(headers, B3.as_str());
    if let Some(said) = single.and_then(from_b3) {
        return Incoming { parent: ids(&said), sampled: said.sampling.map(is_sampled), state: None };
    }
    // A decision may come without a trace: openzipkin/b3-propagation, "Sampling State".
    let alone = single.filter(|text| matches!(*text, "0" | "1" | "d")).map(is_sampled);
    let debug = sole(headers, B3_FLAGS.as_str()).filter(|flags| *flags == "1").map(|_| true);
    let several = sole(headers, B3_SAMPLED.as_str()).filter(|text| matches!(*text, "0" | "1" | "true" | "false"));
    let sampled = alone.or(debug).or(several.map(is_sampled));
    let parent = sole(headers, B3_TRACE.as_str()).zip(sole(headers, B3_SPAN.as_str()));
    let said =
        parent.and_then(|(trace, span)| from_b3_parts(trace, span).map(|_| Said { trace, span, sampling: None }));
    Incoming { parent: said.as_ref().and_then(ids), sampled, state: None }
}

fn is_sampled(text: &str) -> bool {
    matches!(text, "1" | "d" | "true")
}

/// The ids as bytes. A trace id of 16 digits is the right half of one of 32.
fn ids(said: &Said<'_>) -> Option<([u8; 16], [u8; 8])> {
    let trace = u128::from_str_radix(said.trace, 16).ok()?;
    let span = u64::from_str_radix(said.span, 16).ok()?;
    Some((trace.to_be_bytes(), span.to_be_bytes()))
}

/// A span that is recorded, as the next in line is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::telemetry) struct Context {
    /// The trace.
    pub(in crate::telemetry) trace: [u8; 16],
    /// The span.
    pub(in crate::telemetry) span: [u8; 8],
    /// The span that it comes from.
    pub(in crate::telemetry) parent: Option<[u8; 8]>,
}

impl Context {
    /// Names the span in `headers`, by `traceparent` and by whichever form of B3 the request came with.
    pub(in crate::telemetry) fn name_in(&self, headers: &mut HeaderMap) {
        let (trace, span): ([u8; 32], [u8; 16]) = (hex_of(self.trace), hex_of(self.span));
        set(headers, TRACEPARENT, &[b"00-", &trace, b"-", &span, b"-01"]);
        let parent = self.parent.map(hex_of::<8, 16>);
        if headers.contains_key(B3) {
            match parent {
                Some(parent) => set(headers, B3, &[&trace, b"-", &span, b"-1-", &parent]),
                None => set(headers, B3, &[&trace, b"-", &span, b"-1"]),
            }
        }
        if headers.contains_key(B3_TRACE) {
            set(headers, B3_TRACE, &[&trace]);
            set(headers, B3_SPAN, &[&span]);
            set(headers, B3_SAMPLED, &[b"1"]);
            match parent {
                Some(parent) => set(headers, B3_PARENT, &[&parent]),
                None => drop(headers.remove(B3_PARENT)),
            }
        }
    }
}

/// Takes the state of another trace out of `headers` (W3C Trace Context, section 3.4: a new `traceparent` has none).
pub(in crate::telemetry) fn forget_state(headers: &mut HeaderMap) {
    headers.remove(TRACESTATE);
}

fn set(headers: &mut HeaderMap, name: HeaderName, parts: &[&[u8]]) {
    // Digits and hyphens are a value.
    if let Ok(value) = HeaderValue::from_bytes(&parts.concat()) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: [u8; 8] = [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7];

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn whoever_sends_a_request_may_have_decided() {
        const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";
        let w3c = |flags: &str| HeaderValue::from_str(&format!("{W3C}{flags}")).expect("a value");
        for (flags, sampled) in [("00", false), ("01", true), ("02", false), ("03", true), ("ff", true)] {
            let read = incoming(&HeaderMap::from_iter([(TRACEPARENT, w3c(flags))]));
            assert_eq!((read.sampled, read.parent.map(|(_, span)| span)), (Some(sampled), Some(SPAN)), "{flags}");
        }
        for (pairs, sampled, has_parent) in [
            (vec![], None, false),
            (vec![("traceparent", "00-nonsense")], None, false),
            (vec![("b3", "0")], Some(false), false),
            (vec![("b3", "d")], Some(true), false),
            (vec![("b3", "a3ce929d0e0e4736-00f067aa0ba902b7")], None, true),
            (vec![("b3", "a3ce929d0e0e4736-00f067aa0ba902b7-0")], Some(false), true),
            (vec![("b3", "a3ce929d0e0e4736-00f067aa0ba902b7-1-05e3ac9a4f6e3b90")], Some(true), true),
            (vec![("x-b3-traceid", "a3ce929d0e0e4736"), ("x-b3-spanid", "00f067aa0ba902b7")], None, true),
            (
                vec![("x-b3-traceid", "a3ce929d0e0e4736"), ("x-b3-spanid", "00f067aa0ba902b7"), ("x-b3-sampled", "1")],
                Some(true),
                true,
            ),
        ] {
            let read = incoming(&headers(&pairs));
            assert_eq!((read.sampled, read.parent.is_some()), (sampled, has_parent), "{pairs:?}");
        }
    }

    #[test]
    fn a_short_trace_id_is_padded_on_the_left() {
        let read = incoming(&headers(&[("b3", "a3ce929d0e0e4736-00f067aa0ba902b7-1")]));
        let trace = read.parent.expect("a parent").0;
        assert_eq!(trace, [0, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36]);
    }

    #[test]
    fn a_span_is_named_in_the_forms_that_came() {
        let context = Context { trace: [0x4b; 16], span: SPAN, parent: Some([1; 8]) };
        let named = |mut headers: HeaderMap| {
            context.name_in(&mut headers);
            let mut lines: Vec<String> =
                headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?"))).collect();
            lines.sort();
            lines
        };
        let trace = "4b".repeat(16);
        let w3c = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01");
        assert_eq!(named(HeaderMap::new()), std::slice::from_ref(&w3c));
        let b3 = format!("b3: {trace}-00f067aa0ba902b7-1-0101010101010101");
        assert_eq!(named(headers(&[("b3", "0")])), [b3, w3c.clone()]);
        assert_eq!(
            named(headers(&[("x-b3-traceid", "1"), ("x-b3-spanid", "2")])),
            [
                w3c,
                "x-b3-parentspanid: 0101010101010101".to_owned(),
                "x-b3-sampled: 1".to_owned(),
                "x-b3-spanid: 00f067aa0ba902b7".to_owned(),
                format!("x-b3-traceid: {trace}"),
            ]
        );
    }
}
