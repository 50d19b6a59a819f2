//! Which requests are traced: as whoever sent them decided, else a share of them.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::collector::{Collector, hex, only, settings, tries};
use super::harness::{Answer, Router, Upstream, Wire};
use super::{application, client, get};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A router that traces `percentage` of what nobody has decided about.
fn sampling(percentage: &str) -> (Router, Collector, Upstream) {
    let (collector, upstream) = (Collector::start(), Upstream::start(Wire::H1, Answer::Held));
    let settings = settings(collector.0.address, &format!("samplingPercentage: {percentage}"), "");
    (Router::start(&(application(upstream.address, Wire::H1, "") + &settings)), collector, upstream)
}

/// Asks with these fields; what the endpoint was sent of `names`.
fn ask<const N: usize>(router: &Router, upstream: &Upstream, fields: &[(&str, &str)], names: [&str; N]) -> [String; N] {
    let mut call = client(router.traffic).start_empty("GET", "/", fields);
    let exchange = upstream.next();
    let sent = names.map(|name| exchange.field(name));
    exchange.answer(200, "");
    assert_eq!(call.head().status, 200);
    sent
}

#[test]
fn a_parent_s_decision_holds_whatever_the_share() {
    let (router, collector, upstream) = sampling("0");
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    let fields = [("traceparent", &*sampled), ("tracestate", "vendor=1")];
    let [named, state] = ask(&router, &upstream, &fields, ["traceparent", "tracestate"]);
    let spans = collector.spans_at_end(router, 1);
    let (server, tries) = (only(&spans, SpanKind::Server), tries(&spans));
    assert_eq!([hex(&server.trace_id), hex(&server.parent_span_id)], [TRACE, PARENT]);
    assert_eq!(named, format!("00-{TRACE}-{}-01", hex(&tries[0].span_id)));
    assert_eq!([&state, &server.trace_state, &tries[0].trace_state], ["vendor=1"; 3]);

    let (router, _collector, upstream) = sampling("100");
    let unsampled = format!("00-{TRACE}-{PARENT}-00");
    let [named] = ask(&router, &upstream, &[("traceparent", &unsampled)], ["traceparent"]);
    assert_eq!(named, unsampled, "it goes on as it came");
    assert_eq!(router.metrics().count("overspill_trace_spans_total", &[]), 0);
    assert_eq!(router.stop().status.code(), Some(0), "there is nothing to bring");
}

#[test]
fn a_share_of_the_rest_is_traced() {
    let (router, _collector, upstream) = sampling("0");
    let [named] = ask(&router, &upstream, &[("x-request-id", "none")], ["traceparent"]);
    assert_eq!([named, router.access_of("none").field("trace_id")], [""; 2]);
    router.stop();

    let (collector, upstream) = (Collector::start(), Upstream::start(Wire::H1, Answer::Fixed(200, String::new())));
    let settings = settings(collector.0.address, "samplingPercentage: 50", "");
    let router = Router::start(&(application(upstream.address, Wire::H1, "") + &settings));
    for nth in 0..200 {
        assert_eq!(get(router.traffic, &format!("/{nth}"), "").head.status, 200);
    }
    router.signal("TERM");
    let batch = collector.next();
    // Of 200 tosses of a coin, fewer than 50 or more than 150 fall on one side once in 10^12 times.
    assert!((100..=300).contains(&batch.spans.len()), "{} spans, two for each request", batch.spans.len());
    batch.exchange.answer(200, "");
    router.wait_for_end();
}

#[test]
fn a_trace_that_begins_here_has_no_state_of_another() {
    let (router, collector, upstream) = sampling("100");
    let fields = [("traceparent", "00-nonsense"), ("tracestate", "vendor=1")];
    let [named, state] = ask(&router, &upstream, &fields, ["traceparent", "tracestate"]);
    let spans = collector.spans_at_end(router, 1);
    let server = only(&spans, SpanKind::Server);
    assert!(named.contains(&hex(&server.trace_id)) && server.parent_span_id.is_empty(), "{named}");
    assert_eq!([state, server.trace_state.clone()], [""; 2]);
}

#[test]
fn b3_is_read_and_written_where_it_came() {
    let (router, collector, upstream) = sampling("0");
    let b3 = format!("{TRACE}-{PARENT}-1");
    let [named, b3] = ask(&router, &upstream, &[("b3", &b3)], ["traceparent", "b3"]);
    let spans = collector.spans_at_end(router, 1);
    let (server, tries) = (only(&spans, SpanKind::Server), tries(&spans));
    assert_eq!([hex(&server.trace_id), hex(&server.parent_span_id)], [TRACE, PARENT]);
    let span = hex(&tries[0].span_id);
    assert_eq!(named, format!("00-{TRACE}-{span}-01"));
    assert_eq!(b3, format!("{TRACE}-{span}-1-{}", hex(&server.span_id)));

    let (router, _collector, upstream) = sampling("100");
    let [named, b3] = ask(&router, &upstream, &[("b3", "0")], ["traceparent", "b3"]);
    assert_eq!([&*named, &*b3], ["", "0"], "nothing is traced that is not to be");
    router.stop();
}

#[test]
fn the_share_changes_with_a_reload() {
    let (collector, upstream) = (Collector::start(), Upstream::start(Wire::H1, Answer::Held));
    let documents = |percentage: u32| {
        let tracing = format!("samplingPercentage: {percentage}");
        application(upstream.address, Wire::H1, "") + &settings(collector.0.address, &tracing, "")
    };
    let router = Router::start(&documents(0));
    assert_eq!(ask(&router, &upstream, &[], ["traceparent"]), [""]);
    router.folder().replace("documents.yaml", &documents(100));
    router.wait_until("it is in force", |router| router.generation() == 2);
    assert_ne!(ask(&router, &upstream, &[], ["traceparent"]), [""]);
    collector.spans_at_end(router, 1);
}
