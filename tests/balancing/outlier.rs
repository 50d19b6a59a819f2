//! Outlier detection: an endpoint that answers with errors is left alone.

use super::harness::{Answer, RawUpstream, Upstream, Wire};
use super::{bodies, replies, router, router_before, upstreams};

const ENDPOINTS: &str = "overspill_pool_endpoints";

fn failing() -> Upstream {
    Upstream::start(Wire::H1, Answer::Fixed(503, "failed".to_owned()))
}

#[test]
fn an_endpoint_that_answers_with_errors_is_ejected() {
    let mut upstreams = upstreams(1);
    upstreams.push(failing());
    let policy = "{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: \
                  {consecutive5xxErrors: 2, maxEjectionPercent: 50, baseEjectionTime: 1h}}";
    let router = router(&upstreams, policy);
    assert_eq!(bodies(&router, 4, ""), ["0", "failed", "0", "failed"]);
    assert_eq!(bodies(&router, 6, ""), ["0"; 6]);
    let metrics = router.metrics();
    for (state, count) in [("admitting", 1), ("ejected", 1), ("probing", 0)] {
        assert_eq!(metrics.count(ENDPOINTS, &[("pool", "pool.example:80"), ("state", state)]), count, "{state}");
    }
}

#[test]
fn gateway_errors_are_counted_apart() {
    let mut upstreams = upstreams(1);
    upstreams.push(failing());
    let policy = "{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: \
                  {consecutive5xxErrors: 0, consecutiveGatewayErrors: 1, maxEjectionPercent: 100}}";
    let router = router(&upstreams, policy);
    assert_eq!(bodies(&router, 5, ""), ["0", "failed", "0", "0", "0"]);
}

#[test]
fn no_more_than_the_policy_allows_are_ejected() {
    let mut upstreams = upstreams(1);
    upstreams.push(failing());
    let router =
        router(&upstreams, "{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: {consecutive5xxErrors: 1}}");
    assert_eq!(bodies(&router, 6, ""), ["0", "failed"].repeat(3), "ten percent of two endpoints is none");
}

/// Endpoint 0 answers; the other is `raw`. Which a request reaches, by its status, two by two.
fn ejected_for(raw: &RawUpstream, timeout: &str) {
    let well = upstreams(1);
    let policy = "{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: \
                  {consecutive5xxErrors: 0, consecutiveGatewayErrors: 1, maxEjectionPercent: 50, baseEjectionTime: 1h}}";
    let router = router_before(&[well[0].address, raw.address], policy, timeout);
    let statuses = |count| replies(&router, count, "").iter().map(|reply| reply.head.status).collect::<Vec<_>>();
    assert_eq!(statuses(2), [200, 504]);
    assert_eq!(statuses(4), [200; 4]);
    assert_eq!(router.metrics().count(ENDPOINTS, &[("pool", "pool.example:80"), ("state", "ejected")]), 1);
}

#[test]
fn a_request_that_takes_too_long_counts_as_a_gateway_error() {
    let silent = RawUpstream::start(|mut visitor, _| visitor.read_to_end());
    ejected_for(&silent, "timeout: 2s");
    ejected_for(&silent, "retries: {attempts: 1, perTryTimeout: 2s, retryOn: connect-failure}");
}

#[test]
fn an_answer_that_is_broken_off_counts() {
    let breaking = RawUpstream::start(|mut visitor, _| {
        visitor.head();
        visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        visitor.close();
    });
    let policy = "{outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100, baseEjectionTime: 1h}}";
    let router = router_before(&[breaking.address], policy, "timeout: 10s");
    let mut call = super::harness::Client::connect(router.traffic, Wire::H1).start_empty("GET", "/", &[]);
    assert!(call.try_head().is_err() || call.rest().is_err());
    router.wait_for("it is ejected", |metrics| metrics.count(ENDPOINTS, &[("state", "ejected")]) == 1);
    assert_eq!(replies(&router, 1, "")[0].head.status, 503);
}

#[test]
fn an_endpoint_whose_ejection_is_over_is_probed_by_one_request() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let policy = "{outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100, baseEjectionTime: 100ms}}";
    let router = router(std::slice::from_ref(&upstream), policy);
    let begin = || super::harness::Client::connect(router.traffic, Wire::H1).start_empty("GET", "/", &[]);
    let mut first = begin();
    upstream.next().answer(500, "");
    assert_eq!(first.head().status, 500);
    router.wait_for("it is to be probed", |metrics| metrics.count(ENDPOINTS, &[("state", "probing")]) == 1);
    let mut probe = begin();
    let exchange = upstream.next();
    assert_eq!(replies(&router, 1, "")[0].head.status, 503, "the probe is under way");
    exchange.answer(200, "");
    assert_eq!(probe.head().status, 200);
    router.wait_for("it admits", |metrics| metrics.count(ENDPOINTS, &[("state", "admitting")]) == 1);
}
