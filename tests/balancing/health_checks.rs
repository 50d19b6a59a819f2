//! Active health checks: an endpoint takes requests once it says that it is well, and for as long as it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use super::harness::{Answer, Client, Connection, Folder, RawUpstream, Router, Service, Setup, Upstream, Wire};
use super::harness::{closed_port, policy, virtual_service};

const ENDPOINTS: &str = "overspill_pool_endpoints";
const CHECKS: &str = "overspill_health_checks_total";

/// What the tests check with: fast, and on the first failure. No check is late, however busy the machine is.
const HTTP: &str =
    "healthCheck: {http: {path: /healthz}, interval: 10ms, timeout: 1m, unhealthyThreshold: 1, healthyThreshold: 1}";

/// An endpoint that says of itself what `status` says, and answers requests with `name`.
fn speaking(name: &'static str) -> (RawUpstream, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let said = Arc::clone(&status);
    let upstream = RawUpstream::start(move |mut visitor, _| {
        while let Some((line, _)) = visitor.head() {
            let status = if line.contains("/healthz") { said.load(Ordering::SeqCst) } else { 200 };
            visitor.write(format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n\r\n{name}", name.len()));
        }
    });
    (upstream, status)
}

fn documents(wire: Wire, endpoints: &[std::net::SocketAddr], fields: &str) -> String {
    virtual_service("app.example", "  - {name: all, route: [{destination: {host: pool.example}}]}")
        + &Service { host: "pool.example", wire, endpoints }.document()
        + &policy("pool.example", fields)
}

fn in_state(state: &'static str, count: u64) -> impl FnMut(&super::harness::Metrics) -> bool {
    move |metrics| metrics.count(ENDPOINTS, &[("state", state)]) == count
}

fn answers(router: &Router, count: usize) -> Vec<String> {
    let mut connection = Connection::open(router.traffic);
    (0..count).map(|_| connection.ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n").text()).collect()
}

#[test]
fn an_endpoint_takes_requests_while_it_says_that_it_is_well() {
    let (well, _) = speaking("well");
    let (ill, says) = speaking("ill");
    says.store(500, Ordering::SeqCst);
    let router = Router::start(&documents(Wire::H1, &[well.address, ill.address], HTTP));
    assert!(router.metrics().count(ENDPOINTS, &[("state", "unchecked")]) == 0, "ready once all are checked");
    assert_eq!(answers(&router, 20), ["well"; 20]);
    assert!(router.admin_get("/clusters").text().contains(&format!("{}::admission::unhealthy", ill.address)));
    says.store(200, Ordering::SeqCst);
    router.wait_for("both admit", in_state("admitting", 2));
    assert!(answers(&router, 40).contains(&"ill".to_owned()));
    says.store(503, Ordering::SeqCst);
    let metrics = router.wait_for("one is unhealthy again", in_state("unhealthy", 1));
    assert_eq!(answers(&router, 20), ["well"; 20]);
    for result in ["passed", "failed"] {
        assert!(metrics.count(CHECKS, &[("pool", "pool.example:80"), ("result", result)]) > 0, "{result}");
    }
}

#[test]
fn a_pool_that_is_unhealthy_spills_and_comes_back() {
    let (gpu, says) = speaking("gpu");
    let cpu = Upstream::start(Wire::H1, Answer::Fixed(200, "cpu".to_owned()));
    let more = Service { host: "cpu.example", wire: Wire::H1, endpoints: &[cpu.address] }.document();
    let fields = format!("spillTo: [{{host: cpu.example}}], {HTTP}");
    let router = Router::start(&(documents(Wire::H1, &[gpu.address], &fields) + &more));
    assert_eq!(answers(&router, 2), ["gpu"; 2]);
    says.store(500, Ordering::SeqCst);
    router.wait_for("it is unhealthy", in_state("unhealthy", 1));
    assert_eq!(answers(&router, 2), ["cpu"; 2]);
    says.store(200, Ordering::SeqCst);
    router.wait_for("it is healthy", in_state("unhealthy", 0));
    assert_eq!(answers(&router, 2), ["gpu"; 2]);
}

#[test]
fn an_endpoint_that_is_not_there_is_unhealthy_before_any_request_finds_out() {
    let (_socket, refusing) = closed_port();
    let router = Router::start(&documents(Wire::H1, &[refusing], HTTP));
    router.wait_for("its check is lost", |metrics| metrics.count(CHECKS, &[("result", "lost")]) > 0);
    let mut call = Client::connect(router.traffic, Wire::H1).start_empty("GET", "/", &[("x-request-id", "none")]);
    assert_eq!(call.head().status, 503);
    let line = router.access_of("none");
    assert_eq!([line.field("reason"), line.field("attempts")], ["no_endpoint", "0"]);
}

#[test]
fn a_grpc_endpoint_is_asked_over_http2() {
    let upstream = Upstream::start(Wire::H2, Answer::Held);
    let check = "queue: {timeout: 1m}, healthCheck: {grpc: {service: models.V1}, interval: 1h, timeout: 1m}";
    let folder = Folder::with(&documents(Wire::H2, &[upstream.address], check));
    let router = Router::begin(&Setup { config: folder.path(), variables: &[] });
    let mut asked = upstream.next();
    assert_eq!(asked.request.uri.path(), "/grpc.health.v1.Health/Check");
    assert_eq!([asked.field("content-type"), asked.field("te")], ["application/grpc", "trailers"]);
    assert_eq!(asked.at_least(16), b"\0\0\0\0\x0b\x0a\x09models.V1");
    // A request that comes before the answer waits in the queue.
    let mut early = Client::connect(router.traffic, Wire::H1).start_empty("GET", "/early", &[]);
    router.wait_for("it waits", |metrics| metrics.count("overspill_queued_requests", &[]) == 1);
    assert!(!router.is_ready());
    asked.begin(200, &[("content-type", "application/grpc")]);
    assert!(asked.send("\0\0\0\0\x02\x08\x01"));
    asked.finish_with(
        [(http::HeaderName::from_static("grpc-status"), http::HeaderValue::from_static("0"))].into_iter().collect(),
    );
    let served = upstream.next();
    assert_eq!(served.request.uri.path(), "/early");
    served.answer(200, "");
    assert_eq!(early.head().status, 200);
    router.wait_until("it is ready", Router::is_ready);
}

#[test]
fn a_check_that_is_passed_ends_an_ejection_early() {
    let fails = Arc::new(AtomicBool::new(true));
    let failing = Arc::clone(&fails);
    let upstream = RawUpstream::start(move |mut visitor, _| {
        while let Some((line, _)) = visitor.head() {
            let status = if line.contains("/healthz") || !failing.load(Ordering::SeqCst) { 200 } else { 500 };
            visitor.write(format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n"));
        }
    });
    let rule = super::rule(
        "trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100, baseEjectionTime: 1h}}",
    );
    let router = Router::start(&(documents(Wire::H1, &[upstream.address], HTTP) + &rule));
    let mut connection = Connection::open(router.traffic);
    assert_eq!(connection.ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n").head.status, 500);
    fails.store(false, Ordering::SeqCst);
    router.wait_for("it is to be probed", in_state("probing", 1));
    assert_eq!(connection.ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n").head.status, 200);
    router.wait_for("it admits", in_state("admitting", 1));
}

#[test]
fn a_policy_that_is_gone_holds_nothing_back() {
    let (upstream, says) = speaking("back");
    says.store(500, Ordering::SeqCst);
    let router = Router::start(&documents(Wire::H1, &[upstream.address], HTTP));
    router.wait_for("it is unhealthy", in_state("unhealthy", 1));
    router.folder().replace("documents.yaml", &documents(Wire::H1, &[upstream.address], "tier: gpu"));
    router.signal("HUP");
    router.wait_for("it admits", in_state("admitting", 1));
    assert_eq!(answers(&router, 1), ["back"]);
}
