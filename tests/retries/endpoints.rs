//! Which endpoint a request is sent to again.

use super::harness::{Answer, Client, Router, Upstream, Wire, virtual_service};
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

/// A router beside a near endpoint that fails and a far one that does not; `fields` are the rule's.
fn near_and_far(fields: &str) -> (Router, [Upstream; 2]) {
    let upstreams = [503, 200].map(|status| Upstream::start(Wire::H1, Answer::Fixed(status, String::new())));
    let [near, far] = upstreams.each_ref().map(|upstream| upstream.address.port());
    let documents = virtual_service(
        "app.example",
        &format!("  - {{name: all, {fields}, route: [{{destination: {{host: pool.example}}}}]}}"),
    ) + &format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: pool, namespace: default}}\nspec:\n  \
         hosts: [pool.example]\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  endpoints:\n  \
         - {{address: 127.0.0.1, ports: {{http: {near}}}, locality: here}}\n  \
         - {{address: 127.0.0.1, ports: {{http: {far}}}, locality: there}}\n"
    ) + &destination_rule("{outlierDetection: {interval: 10s}}")
        + "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: settings}\n\
           spec: {workload: {locality: here}}\n";
    (Router::start(&documents), upstreams)
}

#[test]
fn a_retry_goes_to_other_localities_where_the_rule_sends_it_there() {
    let on_5xx = "attempts: 3, retryOn: 5xx, backoff: 1ms";
    for (fields, status, requests) in [("", 503, [4, 0]), (", retryRemoteLocalities: true", 200, [2, 1])] {
        let (router, upstreams) = near_and_far(&format!("retries: {{{on_5xx}{fields}}}"));
        assert_eq!(Client::connect(router.traffic, Wire::H1).ask("GET", "/", &[], "").head.status, status);
        assert_eq!(seen(&upstreams), requests, "{fields}");
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
