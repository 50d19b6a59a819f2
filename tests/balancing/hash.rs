//! Consistent hashing: what keeps a request to its endpoint.

use std::collections::BTreeSet;

use super::harness::closed_port;
use super::{bodies, replies, router, router_before, upstreams};

/// The upstreams that served `count` requests with `field` in each head.
fn served(router: &super::Router, count: usize, field: &str) -> BTreeSet<String> {
    bodies(router, count, field).into_iter().collect()
}

/// Twenty users each keep to one endpoint of four under `policy`, and not all to the same.
fn users_keep_to_their_endpoints(policy: &str) {
    let upstreams = upstreams(4);
    let router = router(&upstreams, &format!("{{loadBalancer: {{consistentHash: {policy}}}}}"));
    let mut used = BTreeSet::new();
    for user in 0..20 {
        let served = served(&router, 5, &format!("x-user: {user}\r\ncookie: other=1; user={user}"));
        assert_eq!(served.len(), 1, "the user {user} was served by {served:?}");
        used.extend(served);
    }
    assert!(used.len() > 1, "the hashes are fixed, and fall on several endpoints");
}

#[test]
fn a_header_keeps_to_an_endpoint_of_a_ring() {
    users_keep_to_their_endpoints("{httpHeaderName: x-user, ringHash: {minimumRingSize: 2048}}");
}

#[test]
fn a_header_keeps_to_an_endpoint_of_a_maglev_table() {
    users_keep_to_their_endpoints("{httpHeaderName: X-User, maglev: {tableSize: 65537}}");
}

#[test]
fn a_cookie_keeps_to_an_endpoint() {
    users_keep_to_their_endpoints("{httpCookie: {name: user}}");
}

#[test]
fn a_client_and_a_query_parameter_keep_to_an_endpoint() {
    let upstreams = upstreams(4);
    for key in ["useSourceIp: true", "httpQueryParameterName: user"] {
        let router = router(&upstreams, &format!("{{loadBalancer: {{consistentHash: {{{key}}}}}}}"));
        assert_eq!(served(&router, 20, "").len(), 1, "{key}");
    }
}

#[test]
fn requests_without_what_is_hashed_are_drawn() {
    let upstreams = upstreams(2);
    let router = router(&upstreams, "{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}");
    // All on one side has a chance of about 1e-60 for a fair draw.
    assert_eq!(served(&router, 200, "").len(), 2);
}

#[test]
fn a_missing_cookie_is_made_and_keeps_its_client() {
    let upstreams = upstreams(4);
    let router =
        router(&upstreams, "{loadBalancer: {consistentHash: {httpCookie: {name: session, path: /path, ttl: 1h}}}}");
    let mut values = BTreeSet::new();
    for first in replies(&router, 5, "") {
        let cookie = first.head.value("set-cookie");
        let (value, attributes) = cookie.split_once("; ").expect("attributes");
        assert_eq!(attributes, "Max-Age=3600; Path=/path; HttpOnly");
        assert!(value.starts_with("session=\""), "{value}");
        values.insert(value.to_owned());
        for reply in replies(&router, 5, &format!("cookie: {value}")) {
            assert_eq!((reply.text(), reply.head.value("set-cookie")), (first.text(), String::new()));
        }
    }
    assert_eq!(values.len(), 5, "each client has a value of its own");
}

#[test]
fn an_endpoint_that_takes_nothing_leaves_its_requests_to_the_next() {
    let (upstreams, (_socket, refusing)) = (upstreams(2), closed_port());
    let endpoints = [refusing, upstreams[0].address, upstreams[1].address];
    let router = router_before(&endpoints, "{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}", "");
    for user in 0..20 {
        let served = served(&router, 5, &format!("x-user: {user}"));
        assert_eq!(served.len(), 1, "the user {user} was served by {served:?}");
        assert!(served.contains("0") || served.contains("1"), "the user {user} was refused: {served:?}");
    }
}
