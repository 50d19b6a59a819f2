//! The choice by latency and by what endpoints report of their load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::harness::{Answer, Connection, RawUpstream, Router, Service, Upstream, Wire, policy, virtual_service};

const REQUESTS: u64 = 200;
/// Of two endpoints, the one that is never chosen over the other gets a quarter of two drawn: 50, and in none of a billion
/// runs 90.
const FEW: u64 = 90;

fn router(endpoints: &[std::net::SocketAddr], fields: &str) -> Router {
    let service = Service { host: "pool.example", wire: Wire::H1, endpoints };
    let documents = virtual_service("app.example", "  - {name: all, route: [{destination: {host: pool.example}}]}")
        + &service.document()
        + &policy("pool.example", fields);
    Router::start(&documents)
}

/// An endpoint that counts requests, tells `report` in each answer, and `page` as its metrics; what it was asked for in
/// `endpoint-load-metrics-format` comes as the answer's body.
fn reporting(report: &'static str, page: &'static str) -> (RawUpstream, Arc<AtomicU64>) {
    let requests = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&requests);
    let upstream = RawUpstream::start(move |mut visitor, _| {
        while let Some((line, fields)) = visitor.head() {
            let (report, body) = if line.contains("/metrics") {
                ("", page.to_owned())
            } else {
                counted.fetch_add(1, Ordering::SeqCst);
                let asked = fields.into_iter().find(|(name, _)| name == "endpoint-load-metrics-format");
                (report, asked.map(|(_, value)| value).unwrap_or_default())
            };
            visitor.write(format!("HTTP/1.1 200 OK\r\n{report}content-length: {}\r\n\r\n{body}", body.len()));
        }
    });
    (upstream, requests)
}

fn ask(router: &Router) {
    let mut connection = Connection::open(router.traffic);
    for _ in 0..REQUESTS {
        assert_eq!(connection.ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n").head.status, 200);
    }
}

#[test]
fn the_endpoint_that_answers_sooner_gets_most() {
    let (quick, slow) = (Duration::ZERO, Duration::from_millis(50));
    let slow = Upstream::start(Wire::H1, Answer::Timed { quick: slow, slow });
    let quick = Upstream::start(Wire::H1, Answer::Timed { quick, slow: quick });
    // A moment in which the machine holds the quick one up for longer than the slow one takes is soon forgotten.
    let router = router(&[slow.address, quick.address], "loadBalancer: PeakEwma, latencyDecay: 200ms");
    ask(&router);
    assert!(slow.seen.requests() < FEW, "{} of {REQUESTS}", slow.seen.requests());
    let page = router.admin_get("/clusters").text();
    assert!(page.contains(&format!("{}::latency_seconds::0.0", slow.address)), "{page}");
}

#[test]
fn reports_in_answers_are_asked_for_read_and_taken_out() {
    let (busy, requests) = reporting("endpoint-load-metrics: TEXT application_utilization=0.9\r\n", "");
    let (idle, _) = reporting("endpoint-load-metrics: JSON {\"application_utilization\": 0.1}\r\n", "");
    let router = router(&[busy.address, idle.address], "loadReports: {orca: Read}");
    ask(&router);
    assert!(requests.load(Ordering::SeqCst) < FEW, "{} of {REQUESTS}", requests.load(Ordering::SeqCst));
    let mut connection = Connection::open(router.traffic);
    let reply = connection.ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    assert_eq!((reply.head.value("endpoint-load-metrics"), reply.text()), (String::new(), "TEXT".to_owned()));
    let asking = "GET / HTTP/1.1\r\nhost: app.example\r\nendpoint-load-metrics-format: JSON\r\n\r\n";
    let reply = connection.ask(asking);
    assert!(!reply.head.value("endpoint-load-metrics").is_empty(), "a client that asks is told");
    assert_eq!(reply.text(), "JSON", "in its own words");
    assert!(router.admin_get("/clusters").text().contains("::reported_utilization::0.8"));
}

#[test]
fn a_pool_that_reads_no_reports_passes_them_on() {
    let (upstream, _) = reporting("endpoint-load-metrics: TEXT cpu_utilization=0.9\r\n", "");
    let router = router(&[upstream.address], "tier: gpu");
    let reply = Connection::open(router.traffic).ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    assert_eq!(reply.head.value("endpoint-load-metrics"), "TEXT cpu_utilization=0.9");
    assert_eq!(reply.text(), "");
}

#[test]
fn the_series_of_model_servers_are_read() {
    let (busy, requests) = reporting("", "vllm:num_requests_waiting{engine=\"0\"} 50\nvllm:num_requests_running 8\n");
    let (idle, _) = reporting("", "sglang:num_queue_reqs 0\nsglang:num_running_reqs 1\n");
    let router = router(&[busy.address, idle.address], "loadReports: {metrics: {interval: 1s}}");
    router.wait_for("both are read", |_| {
        let page = router.admin_get("/clusters").text();
        page.contains("::reported_requests::58") && page.contains("::reported_requests::1\n")
    });
    ask(&router);
    assert!(requests.load(Ordering::SeqCst) < FEW, "{} of {REQUESTS}", requests.load(Ordering::SeqCst));
    let reads = router.metrics().count("overspill_load_page_reads_total", &[("result", "answered")]);
    assert!(reads >= 2, "{reads}");
}

#[test]
fn figures_that_are_not_renewed_are_forgotten() {
    let tells = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&tells);
    let upstream = RawUpstream::start(move |mut visitor, _| {
        while visitor.head().is_some() {
            let body = if still.load(Ordering::SeqCst) { "vllm:num_requests_waiting 7\n" } else { "" };
            visitor.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        }
    });
    let router = router(&[upstream.address], "loadReports: {metrics: {interval: 500ms}}");
    let says = |what: &'static str| move |router: &Router| router.admin_get("/clusters").text().contains(what);
    router.wait_until("it is told", says("::reported_requests::7"));
    tells.store(false, Ordering::SeqCst);
    router.wait_until("it is forgotten", says("::reported_requests::0"));
}
