use std::time::Duration;

use http::Method;

use super::*;
use crate::snapshot::Snapshot;
use crate::telemetry::Record;
use crate::telemetry::fixtures::{pool_id, record, snapshot};
use crate::telemetry::otlp::{Span, SpanKind, StatusCode, Value};

fn routed() -> Snapshot {
    snapshot(&[("ns/embed/rest", &[70, 30])], None)
}

fn trace(begun: Instant) -> Trace {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    Trace::new(Incoming::default(), (7, 8), (begun, wall))
}

fn sent(resends: u32) -> Sent {
    Sent {
        pool: "gpu.example:80".into(),
        tier: Some(Tier::Gpu),
        peer: Some(([127, 0, 0, 1], 2).into()),
        scheme: "http",
        authority: "embed.example:81".to_owned(),
        path: "/a?sig=b".to_owned(),
        resends,
    }
}

fn text(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.clone()?.value? {
        Value::Text(text) => text,
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::List(list) => format!("{} values", list.values.len()),
    })
}

#[test]
fn the_status_of_a_request_is_that_of_the_conventions() {
    let snapshot = routed();
    let (error, unset) = (i32::from(StatusCode::Error), i32::from(StatusCode::Unset));
    for (status, reason, code, kind) in [
        (200, None, unset, None),
        (404, Some(Reason::RouteNotFound), unset, None),
        (429, Some(Reason::SlotsTaken), unset, None),
        (499, Some(Reason::ClientDisconnected), unset, None),
        (400, Some(Reason::FaultInjected), unset, None),
        (200, Some(Reason::ClientDisconnected), unset, None),
        (503, None, error, Some("503")),
        (503, Some(Reason::ConnectFailed), error, Some("connect_failed")),
        (200, Some(Reason::UpstreamReset), error, Some("upstream_reset")),
        (200, Some(Reason::FaultInjected), error, Some("fault_injected")),
    ] {
        let record = Record { status, reason, ..record(&snapshot, Duration::from_millis(5)) };
        let span = &spans(&snapshot, &record, &trace(Instant::now()))[0];
        let told = span.status.clone().expect("a status");
        assert_eq!((told.code, text(span, "error.type").as_deref()), (code, kind), "{status} {reason:?}");
        assert_eq!(text(span, "overspill.reason").as_deref(), reason.map(Reason::code), "{status}");
        let message = reason.filter(|_| code == error).map(|reason| format!("{reason}: {}", reason.detail()));
        assert_eq!(told.message, message.unwrap_or_default(), "{status} {reason:?}");
    }
}

#[test]
fn a_request_is_told_by_the_conventions() {
    let snapshot = routed();
    let record = Record {
        method: Method::from_bytes(b"PURGE").expect("a method"),
        spills: vec![(pool_id(&snapshot, 0), Reason::SlotsTaken)],
        pool: Some(pool_id(&snapshot, 1)),
        tier: Some(Tier::Cpu),
        ..record(&snapshot, Duration::from_micros(1500))
    };
    let span = &spans(&snapshot, &record, &trace(Instant::now()))[0];
    assert_eq!((span.name.as_str(), span.kind), ("HTTP ns/embed/rest", SpanKind::Server.into()));
    assert_eq!(span.start_time_unix_nano, 1_790_000_000_000_000_000);
    assert_eq!(span.end_time_unix_nano, 1_790_000_000_001_500_000);
    assert_eq!((span.flags, span.parent_span_id.len()), (0x101, 0));
    for (key, value) in [
        ("http.request.method", "_OTHER"),
        ("http.request.method_original", "PURGE"),
        ("http.route", "ns/embed/rest"),
        ("url.path", "/api/v1/embed"),
        ("url.scheme", "http"),
        ("server.address", "embed.example"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "1.1"),
        ("network.peer.address", "192.0.2.7"),
        ("response_flags", "-"),
        ("overspill.pool", "cpu.example:80"),
        ("overspill.tier", "cpu"),
        ("overspill.spilled", "true"),
        ("overspill.spills", "1 values"),
    ] {
        assert_eq!(text(span, key).as_deref(), Some(value), "{key}");
    }
}

#[test]
fn each_try_is_a_child_with_its_own_end() {
    let snapshot = routed();
    let record =
        Record { reason: Some(Reason::RequestTimeout), status: 504, ..record(&snapshot, Duration::from_secs(1)) };
    let trace = trace(Instant::now());
    trace.sends(sent(0), 11);
    trace.ended(trace.current().expect("a try"), Some(Reason::ConnectFailed));
    trace.sends(sent(1), 12);
    trace.answered(trace.current().expect("a try"), 503, Version::HTTP_2);
    trace.all_ended(None);
    trace.computes("minilm", 13);
    let spans = spans(&snapshot, &record, &trace);
    let [request, refused, answered, computed] = spans.as_slice() else { panic!("{} spans", spans.len()) };
    for child in [refused, answered, computed] {
        assert_eq!((&child.parent_span_id, &child.trace_id), (&request.span_id, &request.trace_id));
        assert!(child.start_time_unix_nano <= child.end_time_unix_nano);
        assert_eq!(child.status.clone().expect("a status").code, i32::from(StatusCode::Error));
    }
    assert_eq!(text(refused, "error.type").as_deref(), Some("connect_failed"));
    assert_eq!(text(refused, "url.full").as_deref(), Some("http://embed.example:81/a?sig=REDACTED"));
    assert_eq!((text(refused, "http.request.resend_count"), text(refused, "http.response.status_code")), (None, None));
    assert_eq!(text(answered, "error.type").as_deref(), Some("503"));
    assert_eq!(text(answered, "network.protocol.version").as_deref(), Some("2"));
    assert_eq!(text(answered, "http.request.resend_count").as_deref(), Some("1"));
    // What nobody has ended, the end of the request ends.
    assert_eq!((computed.name.as_str(), computed.kind), ("local minilm", SpanKind::Internal.into()));
    assert_eq!(computed.end_time_unix_nano, request.end_time_unix_nano);
    assert_eq!(text(computed, "overspill.reason").as_deref(), Some("request_timeout"));
}

#[test]
fn of_two_tries_at_once_one_is_given_up() {
    let snapshot = routed();
    for (end, lost) in [(HedgeEnd::Won, 1), (HedgeEnd::Lost, 2)] {
        let trace = trace(Instant::now());
        trace.sends(sent(0), 11);
        let second = trace.hedges(sent(1), 12);
        let winner = if end == HedgeEnd::Won { second } else { trace.current().expect("a try") };
        trace.answered(winner, 200, Version::HTTP_11);
        trace.decided(end);
        let record = record(&snapshot, Duration::from_secs(1));
        let spans = spans(&snapshot, &record, &trace);
        assert_eq!(text(&spans[2], "overspill.hedge").as_deref(), Some(end.as_str()));
        assert_eq!(text(&spans[3 - lost], "http.response.status_code").as_deref(), Some("200"));
        assert_eq!(text(&spans[lost], "http.response.status_code"), None);
        assert!(spans[lost].end_time_unix_nano < spans[0].end_time_unix_nano, "{end:?}");
        assert!(spans.iter().all(|span| span.status.clone().expect("a status").code == 0), "{end:?}");
    }
}

#[test]
fn a_trace_goes_on_where_it_comes_from_one() {
    let came = Incoming { parent: Some(([9; 16], [3; 8])), sampled: Some(true), state: None };
    let snapshot = routed();
    let trace = Trace::new(came, (7, 0), (Instant::now(), SystemTime::now()));
    let span = &spans(&snapshot, &record(&snapshot, Duration::ZERO), &trace)[0];
    assert_eq!((span.trace_id.as_slice(), span.parent_span_id.as_slice()), (&[9; 16][..], &[3; 8][..]));
    assert_eq!(span.span_id, [0, 0, 0, 0, 0, 0, 0, 1], "an id is never zero");
    assert_eq!(span.flags, 0x301, "its parent is of another process");
}
