//! A collector whose answers the test gives, and spans as it reads them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message as _;

use super::harness::{Answer, Exchange, Folder, Router, Setup, Upstream, Wire};

/// A server that takes OTLP.
pub(super) struct Collector(pub(super) Upstream);

/// What a router sent at once.
pub(super) struct Batch {
    /// The request, which waits for its answer.
    pub(super) exchange: Exchange,
    /// What it brought.
    pub(super) spans: Vec<Span>,
    /// Whose spans they are.
    pub(super) resource: Vec<KeyValue>,
}

impl Collector {
    /// Takes OTLP over HTTP.
    pub(super) fn start() -> Self {
        Self(Upstream::start(Wire::H1, Answer::Held))
    }

    /// Settings that send every request's spans here; `more` is the rest of the settings, in flow style.
    pub(super) fn settings(&self, more: &str) -> String {
        settings(self.0.address, "samplingPercentage: 100", more)
    }

    /// The next batch.
    #[track_caller]
    pub(super) fn next(&self) -> Batch {
        let mut exchange = self.0.next();
        let body = exchange.rest().expect("a whole request").0;
        let (spans, resource) = read(&body);
        Batch { exchange, spans, resource }
    }

    /// Has `router` end, and takes all that it brings until there are the spans of as many requests.
    #[track_caller]
    pub(super) fn spans_at_end(&self, router: Router, requests: usize) -> Vec<Span> {
        router.signal("TERM");
        let mut spans = Vec::new();
        while spans.iter().filter(|span| is(span, SpanKind::Server)).count() < requests {
            let batch = self.next();
            spans.extend(batch.spans);
            batch.exchange.answer(200, "");
        }
        assert_eq!(router.wait_for_end().status.code(), Some(0));
        spans
    }
}

/// The spans of an `ExportTraceServiceRequest`, and the attributes of their resource.
#[track_caller]
pub(super) fn read(message: &[u8]) -> (Vec<Span>, Vec<KeyValue>) {
    let mut request = ExportTraceServiceRequest::decode(message).expect("protobuf of OTLP");
    assert_eq!(request.resource_spans.len(), 1);
    let ResourceSpans { resource, scope_spans, .. } = request.resource_spans.remove(0);
    let spans = scope_spans.into_iter().flat_map(|scope| scope.spans).collect();
    (spans, resource.expect("a resource").attributes)
}

/// Settings that trace to `collector`; `tracing` and `more` are further fields of `tracing` and of the settings.
pub(super) fn settings(collector: SocketAddr, tracing: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { ", " };
    format!(
        "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec: {{tracing: \
         {{otlp: {{endpoint: \"http://{collector}\"}}, {tracing}}}{comma}{more}}}\n"
    )
}

/// A router with these documents, whose environment has `variables`.
pub(super) fn router_in(folder: &Folder, variables: &[(&str, String)]) -> Router {
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.into())).collect();
    let config: &Path = folder.path();
    Router::with(&Setup { config, variables: &variables })
}

/// Whether a span is of this kind.
pub(super) fn is(span: &Span, kind: SpanKind) -> bool {
    span.kind == i32::from(kind)
}

/// The only span of this kind.
#[track_caller]
pub(super) fn only(spans: &[Span], kind: SpanKind) -> &Span {
    let found: Vec<&Span> = spans.iter().filter(|span| is(span, kind)).collect();
    assert_eq!(found.len(), 1, "{kind:?} among {spans:?}");
    found[0]
}

/// The tries of a request, in their order.
pub(super) fn tries(spans: &[Span]) -> Vec<&Span> {
    let mut tries: Vec<&Span> = spans.iter().filter(|span| is(span, SpanKind::Client)).collect();
    tries.sort_by_key(|span| span.start_time_unix_nano);
    tries
}

/// The attribute `key` as text; empty where it is missing.
pub(super) fn attribute(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.clone()?.value) {
        None => String::new(),
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
    }
}

/// The attribute `key` of a span.
pub(super) fn told(span: &Span, key: &str) -> String {
    attribute(&span.attributes, key)
}

/// An id in digits.
pub(super) fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a string takes all text");
        digits
    })
}

/// A span's status: its code and its message.
pub(super) fn status(span: &Span) -> (i32, String) {
    span.status.clone().map(|status| (status.code, status.message)).unwrap_or_default()
}

/// The code of a status that says nothing.
pub(super) const UNSET: i32 = 0;
/// The code of a status that says that it went wrong.
pub(super) const ERROR: i32 = 2;
