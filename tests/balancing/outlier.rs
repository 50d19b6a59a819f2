//! Outlier detection: an endpoint that answers with errors is left alone.

use super::harness::{Answer, Upstream, Wire};
use super::{bodies, router, upstreams};

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
