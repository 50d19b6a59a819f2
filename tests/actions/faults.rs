//! Faults injected on purpose.

use std::time::{Duration, Instant};

use super::harness::series::REFUSED;
use super::harness::{Answer, Client, Router, Service, Upstream, Wire, virtual_service};

const RULES: &str = r"
  - name: abort
    match: [{uri: {prefix: /abort}}]
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
    route: [{destination: {host: a.example}}]
  - match: [{uri: {prefix: /grpc}}]
    fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}
    route: [{destination: {host: a.example}}]
  - match: [{uri: {prefix: /half}}]
    fault: {abort: {httpStatus: 500, percentage: {value: 50}}}
    route: [{destination: {host: a.example}}]
  - match: [{uri: {prefix: /unset}}]
    fault: {abort: {httpStatus: 500}, delay: {fixedDelay: 1h}}
    route: [{destination: {host: a.example}}]
  - match: [{uri: {prefix: /delay}}]
    fault: {delay: {fixedDelay: 2500ms, percentage: {value: 100}}}
    timeout: 2s
    route: [{destination: {host: a.example}}]
  - match: [{uri: {prefix: /both}}]
    fault: {delay: {fixedDelay: 50ms, percentage: {value: 100}}, abort: {httpStatus: 503, percentage: {value: 100}}}
    route: [{destination: {host: a.example}}]
";

fn start() -> (Router, Upstream) {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "ok".to_owned()));
    let service = Service { host: "a.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    (Router::start(&(virtual_service("app.example", RULES) + &service)), upstream)
}

#[test]
fn an_abort_is_a_refusal_with_the_rules_status() {
    let (router, upstream) = start();
    let reply = Client::connect(router.traffic, Wire::H1).ask("POST", "/abort", &[("x-request-id", "aborted")], "body");
    assert_eq!(reply.head.status, 418);
    assert_eq!(reply.json()["error"]["code"], "fault_injected");
    assert!(reply.head.value("proxy-status").contains("fault_injected"), "{:?}", reply.head);
    let line = router.access_of("aborted");
    assert_eq!((line.field("reason"), line.field("response_code")), ("fault_injected".to_owned(), "418".to_owned()));
    assert_eq!(upstream.seen.requests(), 0);
    assert_eq!(router.metrics().count(REFUSED, &[("reason", "fault_injected")]), 1);
}

#[test]
fn an_abort_by_grpc_speaks_the_clients_language() {
    let (router, _upstream) = start();
    let mut client = Client::connect(router.traffic, Wire::H2);
    let reply = client.ask("POST", "/grpc", &[("content-type", "application/grpc")], "");
    assert_eq!((reply.head.status, reply.head.value("grpc-status").as_str()), (200, "14"));
    assert_eq!((reply.head.value("content-type").as_str(), reply.text().as_str()), ("application/grpc", ""));
    let reply = client.ask("POST", "/grpc", &[("content-type", "application/json")], "");
    assert_eq!(reply.head.status, 503);
}

#[test]
fn a_percentage_is_a_share_of_the_requests() {
    let (router, upstream) = start();
    let mut client = Client::connect(router.traffic, Wire::H1);
    let aborted = (0..1000).filter(|_| client.ask("GET", "/half", &[], "").head.status == 500).count();
    // Six standard deviations of a binomial draw: a right router fails this once in half a billion runs.
    assert!((405..=595).contains(&aborted), "{aborted} of 1000");
    assert_eq!(upstream.seen.requests(), 1000 - aborted as u64);
    assert_eq!(client.ask("GET", "/unset", &[], "").head.status, 200, "a fault without a percentage does nothing");
}

#[test]
fn a_delay_holds_the_request_back_and_no_deadline_counts_it() {
    let (router, upstream) = start();
    let mut client = Client::connect(router.traffic, Wire::H1);
    let begun = Instant::now();
    assert_eq!(client.ask("GET", "/delay", &[], "").head.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(2500), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(client.ask("GET", "/both", &[], "").head.status, 503);
    assert!(begun.elapsed() >= Duration::from_millis(50), "{:?}", begun.elapsed());
    assert_eq!(upstream.seen.requests(), 1);
}
