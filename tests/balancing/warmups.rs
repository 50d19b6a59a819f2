//! Warm-up requests: a new endpoint answers one before it takes any other.

use super::harness::{Answer, Client, Folder, Router, Service, Setup, Upstream, Wire, policy, virtual_service};

const ENDPOINTS: &str = "overspill_pool_endpoints";

fn begin(upstream: &Upstream, fields: &str) -> (Router, Folder) {
    let service = Service { host: "pool.example", wire: Wire::H1, endpoints: &[upstream.address] };
    let documents = virtual_service("app.example", "  - {name: all, route: [{destination: {host: pool.example}}]}")
        + &service.document()
        + &policy("pool.example", &format!("queue: {{timeout: 1m}}, {fields}"));
    let folder = Folder::with(&documents);
    (Router::begin(&Setup { config: folder.path(), variables: &[] }), folder)
}

#[test]
fn a_new_endpoint_is_warmed_up_until_it_answers() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let warmup = "warmupRequest: {path: /v1/embeddings, headers: {content-type: application/json}, \
                  body: '{\"input\": \"a\"}', backoff: 1ms}";
    let (router, _folder) = begin(&upstream, warmup);
    let mut first = upstream.next();
    assert_eq!((first.request.method.as_str(), first.request.uri.path()), ("POST", "/v1/embeddings"));
    assert_eq!(first.at_least(14), br#"{"input": "a"}"#);
    assert_eq!([first.field("host"), first.field("content-type")], ["pool.example", "application/json"]);
    let mut waiting = Client::connect(router.traffic, Wire::H1).start_empty("GET", "/", &[]);
    router.wait_for("it waits", |metrics| metrics.count("overspill_queued_requests", &[]) == 1);
    assert!(router.admin_get("/clusters").text().contains("::admission::warming"));
    first.answer(503, "");
    let second = upstream.next();
    assert_eq!(second.request.uri.path(), "/v1/embeddings", "it is asked again");
    second.answer(200, "[1.0]");
    let served = upstream.next();
    assert_eq!(served.request.uri.path(), "/", "what has waited");
    served.answer(200, "");
    assert_eq!(waiting.head().status, 200);
    let metrics = router.metrics();
    for result in ["answered", "failed"] {
        assert_eq!(metrics.count("overspill_warmup_requests_total", &[("result", result)]), 1, "{result}");
    }
    assert_eq!(metrics.count(ENDPOINTS, &[("state", "admitting")]), 1);
}

#[test]
fn an_endpoint_takes_requests_after_so_many_warm_up_requests_in_vain() {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(500, String::new()));
    let (router, _folder) = begin(&upstream, "warmupRequest: {path: /warm, attempts: 2, backoff: 1ms}");
    router.wait_for("it admits", |metrics| metrics.count(ENDPOINTS, &[("state", "admitting")]) == 1);
    assert_eq!(upstream.seen.requests(), 2);
    assert_eq!(router.metrics().count("overspill_warmup_requests_total", &[("result", "failed")]), 2);
}

#[test]
fn an_endpoint_that_comes_back_from_failed_checks_is_warmed_up_again() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let (router, _folder) = begin(
        &upstream,
        "warmupRequest: {path: /warm}, healthCheck: {http: {path: /healthz}, interval: 1ms, timeout: 1m, healthyThreshold: 1}",
    );
    let answer = |path: &str, status: u16| {
        let asked = upstream.next();
        assert_eq!(asked.request.uri.path(), path);
        asked.answer(status, "");
    };
    answer("/healthz", 200);
    // From here on, checks and the warm-up request come side by side.
    let (mut warmed, mut admits, mut failed) = (0, false, false);
    while warmed < 2 {
        let asked = upstream.next();
        let status = match asked.request.uri.path() {
            "/warm" => {
                warmed += 1;
                200
            }
            _ if admits && !failed => {
                failed = true;
                500
            }
            // The check that was under way as the warm-up request was answered is given up: its answer says nothing.
            _ => {
                admits = router.metrics().count(ENDPOINTS, &[("state", "admitting")]) == 1;
                200
            }
        };
        asked.answer(status, "");
    }
    assert!(failed, "the second warm-up request follows a failed check alone");
}
