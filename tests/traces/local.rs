//! The local model's runs, and the reasons that only it has.

use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::collector::{Collector, ERROR, UNSET, only, status, told};
use super::harness::{Connection, Reply, Router, Service, Wire, policy, virtual_service};

/// The model's folder, which `make test` fetches before the tests run.
fn model() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".local-model");
    assert!(folder.join("model.onnx").exists(), "{} is not filled: run `make test`", folder.display());
    folder
}

fn embed(router: &Router, host: &str, texts: usize) -> Reply {
    let texts: Vec<String> = (0..texts).map(|number| format!("text {number} of some that are embedded")).collect();
    let body = serde_json::json!({ "model": "any", "input": texts }).to_string();
    Connection::open(router.traffic).ask(&format!(
        "POST /v1/embeddings HTTP/1.1\r\nhost: {host}\r\nx-request-id: {host}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// A router whose pool has no endpoint, so that the local model answers.
fn router(collector: &Collector) -> Router {
    let rule = |fields: &str| format!("  - {{name: all, {fields}route: [{{destination: {{host: pool.example}}}}]}}");
    let settings = format!("localModel: {{folder: {:?}, file: model-int8.onnx}}", model().display());
    Router::start(
        &(virtual_service("local.example", &rule(""))
            + &virtual_service("late.example", &rule("timeout: 1s, "))
            + &virtual_service("guarded.example", &rule(""))
            + &Service { host: "pool.example", wire: Wire::H1, endpoints: &[] }.document()
            + &policy("pool.example", "localModel: Allow")
            + "---\napiVersion: overspill.dev/v1\nkind: RoutePolicy\nmetadata: {name: guard, namespace: default}\n\
               spec: {virtualService: guarded-example, localModel: {accepts: [{name: bge-m3}]}}\n"
            + &collector.settings(&settings)),
    )
}

#[test]
fn a_run_of_the_local_model_is_an_internal_span() {
    let collector = Collector::start();
    let router = router(&collector);
    assert_eq!(embed(&router, "local.example", 1).head.status, 200);
    let spans = collector.spans_at_end(router, 1);
    let (server, run) = (only(&spans, SpanKind::Server), only(&spans, SpanKind::Internal));
    assert_eq!((&run.parent_span_id, &run.trace_id), (&server.span_id, &server.trace_id));
    for span in [server, run] {
        assert_eq!([told(span, "overspill.pool"), told(span, "overspill.tier")], ["local"; 2]);
        assert_eq!(status(span).0, UNSET);
    }
    assert!(told(run, "overspill.model").contains("MiniLM"), "{run:?}");
    assert_eq!(told(server, "overspill.spilled"), "true");
    let times =
        [server.start_time_unix_nano, run.start_time_unix_nano, run.end_time_unix_nano, server.end_time_unix_nano];
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn the_local_model_s_reasons_are_the_same_everywhere() {
    let collector = Collector::start();
    let router = router(&collector);
    let cases = [("late.example", 1000, "local_too_late"), ("guarded.example", 1, "local_identity_mismatch")];
    for (host, texts, reason) in cases {
        let reply = embed(&router, host, texts);
        assert!(reply.head.value("proxy-status").contains(reason), "{reply:?}");
        assert_eq!(router.access_of(host).field("reason"), reason);
        router.wait_for("it is counted", |metrics| {
            metrics.count("overspill_refused_requests_total", &[("reason", reason)]) == 1
        });
    }
    let spans = collector.spans_at_end(router, cases.len());
    for (host, _, reason) in cases {
        let of_host = |span: &&opentelemetry_proto::tonic::trace::v1::Span| told(span, "server.address") == host;
        let server = spans.iter().find(of_host).expect("its span");
        assert_eq!(told(server, "overspill.reason"), reason);
    }
    // What would come too late was asked of the model; what it may not answer was not.
    let run = only(&spans, SpanKind::Internal);
    assert_eq!((told(run, "error.type").as_str(), status(run).0), ("local_too_late", ERROR));
}
