//! Which endpoint a request is sent to again.

use super::harness::{Answer, Client, Upstream, Wire};
use super::{ON_5XX, destination_rule, router};

/// Upstreams that answer 503, each with its place.
fn failing(count: usize) -> Vec<Upstream> {
    (0..count).map(|place| Upstream::start(Wire::H1, Answer::Fixed(503, place.to_string()))).collect()
}

/// How many requests each was sent.
fn seen(upstreams: &[Upstream]) -> Vec<u64> {
    upstreams.iter().map(|upstream| upstream.seen.requests()).collect()
}

#[test]
fn endpoints_that_were_tried_are_avoided() {
    for simple in ["LEAST_REQUEST", "RANDOM", "ROUND_ROBIN"] {
        let upstreams = failing(3);
        let addresses: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
        let rule = destination_rule(&format!("{{loadBalancer: {{simple: {simple}}}}}"));
        let router = router(&addresses, Wire::H1, ON_5XX, &rule);
        let mut client = Client::connect(router.traffic, Wire::H1);
        for round in 1..=10 {
            assert_eq!(client.ask("GET", "/", &[], "").head.status, 503);
            assert_eq!(seen(&upstreams), [round; 3], "{simple}");
        }
    }
}

#[test]
fn a_healthy_endpoint_is_found_among_failing_ones() {
    let mut upstreams = failing(2);
    upstreams.push(Upstream::start(Wire::H1, Answer::Fixed(200, "healthy".to_owned())));
    let addresses: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
    let router = router(&addresses, Wire::H1, ON_5XX, "");
    let mut client = Client::connect(router.traffic, Wire::H1);
    for _ in 0..50 {
        assert_eq!(client.ask("POST", "/", &[], "body").text(), "healthy");
    }
}

#[test]
fn consistent_hashing_keeps_a_request_to_its_endpoint() {
    let hash = destination_rule("{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}");
    for (ignore, spread) in [("", false), (", retryIgnorePreviousHosts: true", true)] {
        let upstreams = failing(3);
        let addresses: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
        let fields = format!("retries: {{attempts: 2, retryOn: 5xx, backoff: 1ms{ignore}}}");
        let router = router(&addresses, Wire::H1, &fields, &hash);
        let mut client = Client::connect(router.traffic, Wire::H1);
        assert_eq!(client.ask("GET", "/", &[("x-user", "joe")], "").head.status, 503);
        let mut requests = seen(&upstreams);
        requests.sort_unstable();
        assert_eq!(requests, if spread { [1, 1, 1] } else { [0, 0, 3] });
    }
}

#[test]
fn earlier_endpoints_are_not_avoided_where_the_rule_says_so() {
    let upstreams = failing(2);
    let addresses: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
    let fields = "retries: {attempts: 1, retryOn: 5xx, backoff: 1ms, retryIgnorePreviousHosts: false}";
    let router = router(&addresses, Wire::H1, fields, &destination_rule("{loadBalancer: {simple: RANDOM}}"));
    let mut client = Client::connect(router.traffic, Wire::H1);
    let mut repeated = 0;
    for _ in 0..64 {
        let before = seen(&upstreams);
        client.ask("GET", "/", &[], "");
        let after = seen(&upstreams);
        repeated += usize::from(before.iter().zip(&after).any(|(before, after)| after - before == 2));
    }
    assert!(repeated > 0, "of 64 fair draws, some repeat the one before");
}
