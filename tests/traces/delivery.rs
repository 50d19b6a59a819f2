//! Collectors that are down, slow, full or gone: no request notices, and nothing is said twice.

use std::net::SocketAddr;

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message as _;

use super::collector::{Collector, attribute, is, read, router_in, settings};
use super::harness::{
    Answer, Exit, Folder, Load, Metrics, RawUpstream, Router, Upstream, Wire, closed_port, log_field,
};
use super::{application, get};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

const SPANS: &str = "overspill_trace_spans_total";

fn counted(metrics: &Metrics, outcome: &str) -> u64 {
    metrics.count(SPANS, &[("outcome", outcome)])
}

fn answering() -> Upstream {
    Upstream::start(Wire::H1, Answer::Fixed(200, "ok".to_owned()))
}

/// A router that traces everything to `collector`.
fn tracing_to(collector: SocketAddr, upstream: &Upstream) -> Router {
    let settings = settings(collector, "samplingPercentage: 100", "");
    Router::start(&(application(upstream.address, Wire::H1, "") + &settings))
}

fn said(exit: &Exit) -> Vec<String> {
    let complaints = exit.log.iter().filter(|line| log_field(line, "message") == "the collector does not take traces");
    complaints.map(ToString::to_string).collect()
}

#[test]
fn what_passes_is_sent_again_when_the_collector_says() {
    let (collector, upstream) = (Collector::start(), answering());
    let router = tracing_to(collector.0.address, &upstream);
    assert_eq!(get(router.traffic, "/", "").head.status, 200);
    for (status, after) in [(429, "1"), (503, "0")] {
        let mut refused = collector.next();
        assert_eq!(refused.spans.len(), 2);
        refused.exchange.begin(status, &[("retry-after", after)]);
        refused.exchange.finish();
    }
    let taken = collector.next();
    assert_eq!(taken.spans.len(), 2, "nothing is lost, and nothing comes twice");
    taken.exchange.answer(200, "");
    let metrics = router.wait_for("it is counted", |metrics| counted(metrics, "exported") == 2);
    assert_eq!([counted(&metrics, "failed"), counted(&metrics, "dropped")], [0; 2]);
    let exit = router.stop();
    assert_eq!(said(&exit).len(), 1, "it is said once");
    let again = exit.log.iter().filter(|line| log_field(line, "message") == "the collector takes traces again");
    assert_eq!(again.count(), 1);
}

#[test]
fn what_is_refused_for_good_is_counted_and_said_with_a_cure() {
    for (status, cure) in [(404, "tracing.otlp.endpoint"), (401, "tracing.otlp.headers")] {
        let (collector, upstream) = (Collector::start(), answering());
        let router = tracing_to(collector.0.address, &upstream);
        for _ in 0..2 {
            assert_eq!(get(router.traffic, "/", "").head.status, 200);
            collector.next().exchange.answer(status, "");
        }
        router.wait_for("both are counted", |metrics| counted(metrics, "failed") == 4);
        let exit = router.stop();
        let said = said(&exit);
        assert!(said.len() == 1 && said[0].contains(cure) && said[0].contains(&status.to_string()), "{said:?}");
    }
}

#[test]
fn spans_that_are_rejected_count_as_failed() {
    let (collector, upstream) = (Collector::start(), answering());
    let router = tracing_to(collector.0.address, &upstream);
    assert_eq!(get(router.traffic, "/", "").head.status, 200);
    let batch = collector.next();
    let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "too old".to_owned() };
    let answer = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    batch.exchange.answer(200, &String::from_utf8(answer).expect("ASCII"));
    router.wait_for("each is counted", |metrics| [counted(metrics, "exported"), counted(metrics, "failed")] == [1; 2]);
    let said = said(&router.stop());
    assert!(said.len() == 1 && said[0].contains("too old"), "{said:?}");
}

#[test]
fn a_collector_that_is_down_or_mute_costs_no_request_and_no_end() {
    let (_socket, down) = closed_port();
    let mute = RawUpstream::start(|mut visitor, _| visitor.read_to_end());
    for collector in [down, mute.address] {
        let upstream = answering();
        let router = tracing_to(collector, &upstream);
        // Two spans a request: more than the queue has room for, and a batch on its way.
        let load = Load { address: router.traffic, connections: 4, requests: 500, host: "app.example", path: "/" };
        let tally = load.run();
        assert!(tally.lost.is_empty(), "{:?}", tally.lost);
        assert_eq!(tally.with_body("ok"), 2000);
        let metrics = router.wait_for("all is accounted for", |metrics| counted(metrics, "dropped") > 0);
        assert_eq!(counted(&metrics, "exported"), 0);
        let exit = router.stop();
        assert_eq!(exit.status.code(), Some(0));
        assert!(said(&exit).len() <= 1, "{:?}", said(&exit));
    }
}

#[test]
fn a_full_batch_goes_at_once_and_the_end_takes_the_rest_along() {
    let (collector, upstream) = (Collector::start(), answering());
    let router = tracing_to(collector.0.address, &upstream);
    let load = Load { address: router.traffic, connections: 2, requests: 130, host: "app.example", path: "/" };
    assert_eq!(load.run().with_body("ok"), 260);
    let full = collector.next();
    assert_eq!(full.spans.len(), 512);
    let of_requests = full.spans.iter().filter(|span| is(span, SpanKind::Server)).count();
    full.exchange.answer(200, "");
    let rest = collector.spans_at_end(router, 260 - of_requests);
    assert_eq!(512 + rest.len(), 520);
}

#[test]
fn grpc_is_spoken_where_the_settings_say_so() {
    let (collector, upstream) = (Upstream::start(Wire::H2, Answer::Held), answering());
    let otlp = format!(
        "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec: {{tracing: {{otlp: \
         {{endpoint: \"http://{}\", protocol: grpc, headers: {{authorization: Bearer a}}}}, samplingPercentage: 100, \
         serviceName: embeddings}}}}\n",
        collector.address
    );
    let router = Router::start(&(application(upstream.address, Wire::H1, "") + &otlp));
    assert_eq!(get(router.traffic, "/", "").head.status, 200);
    router.signal("TERM");
    let mut exchange = collector.next();
    assert_eq!(exchange.request.uri.path(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    assert_eq!([exchange.field("content-type"), exchange.field("te")], ["application/grpc", "trailers"]);
    assert_eq!(exchange.field("authorization"), "Bearer a");
    let body = exchange.rest().expect("a whole request").0;
    assert_eq!(body[..5], [&[0][..], &u32::try_from(body.len() - 5).expect("short").to_be_bytes()].concat());
    let (spans, resource) = read(&body[5..]);
    assert_eq!((spans.len(), attribute(&resource, "service.name").as_str()), (2, "embeddings"));
    exchange.begin(200, &[("content-type", "application/grpc"), ("grpc-status", "0")]);
    exchange.finish();
    let exit = router.wait_for_end();
    assert!(said(&exit).is_empty(), "{:?}", said(&exit));
}

#[test]
fn the_environment_of_opentelemetry_is_read() {
    let (collector, upstream) = (Collector::start(), answering());
    let folder = Folder::with(
        &(application(upstream.address, Wire::H1, "")
            + "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: settings}\n\
               spec: {tracing: {samplingPercentage: 100}}\n"),
    );
    let endpoint = format!("http://{}/base/", collector.0.address);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_SERVICE_NAME", "of-the-environment".to_owned())];
    let router = router_in(&folder, &variables);
    assert_eq!(get(router.traffic, "/", "").head.status, 200);
    router.signal("TERM");
    let batch = collector.next();
    assert_eq!(batch.exchange.request.uri.path(), "/base/v1/traces");
    assert_eq!(attribute(&batch.resource, "service.name"), "of-the-environment");
    batch.exchange.answer(200, "");
    router.wait_for_end();
}

#[test]
fn a_router_without_a_collector_traces_nothing() {
    let upstream = Upstream::start(Wire::H1, Answer::Echo("up".to_owned()));
    let router = Router::start(&application(upstream.address, Wire::H1, ""));
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let reply = get(router.traffic, "/", &format!("traceparent: {parent}\r\n"));
    assert_eq!(reply.json()["headers"]["traceparent"], serde_json::json!([parent]), "it goes on as it came");
    assert!(!router.metrics().has(SPANS, &[]));
}
