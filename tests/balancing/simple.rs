//! The simple balancers, and where a policy stands.

use super::harness::{Router, Service, Wire, closed_port, virtual_service};
use super::{bodies, router, router_before, rule, upstreams};

#[test]
fn a_round_robin_asks_one_after_the_other() {
    let upstreams = upstreams(3);
    let router = router(&upstreams, "{loadBalancer: {simple: ROUND_ROBIN}}");
    assert_eq!(bodies(&router, 6, ""), ["0", "1", "2", "0", "1", "2"]);
}

#[test]
fn random_reaches_every_endpoint_in_no_order() {
    let upstreams = upstreams(2);
    let router = router(&upstreams, "{loadBalancer: {simple: RANDOM}}");
    let answers = bodies(&router, 200, "");
    // Each of these has a chance below 1e-50 for a fair draw.
    assert!(upstreams.iter().all(|upstream| upstream.seen.requests() > 0), "{answers:?}");
    assert!(answers.windows(2).any(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[test]
fn the_policy_of_a_port_stands_above_that_of_the_subset_and_the_rule() {
    let upstreams = upstreams(2);
    let endpoints: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
    let service = Service { host: "pool.example", wire: Wire::H1, endpoints: &endpoints }.document();
    let all = "  - {name: all, route: [{destination: {host: pool.example, subset: all}}]}";
    let policy = "trafficPolicy: {loadBalancer: {simple: RANDOM}}, subsets: [{name: all, trafficPolicy: \
                  {loadBalancer: {simple: RANDOM}, portLevelSettings: [{port: {number: 81}, loadBalancer: \
                  {simple: RANDOM}}, {port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}]}}]";
    let router = Router::start(&(virtual_service("app.example", all) + &service + &rule(policy)));
    assert_eq!(bodies(&router, 20, ""), ["0", "1"].repeat(10));
}

#[test]
fn a_round_robin_passes_an_endpoint_over_that_takes_nothing() {
    let (upstreams, (_socket, refusing)) = (upstreams(2), closed_port());
    let endpoints = [upstreams[0].address, refusing, upstreams[1].address];
    let router = router_before(&endpoints, "{loadBalancer: {simple: ROUND_ROBIN}}", "");
    let answers = bodies(&router, 30, "");
    assert!(answers.iter().all(|answer| answer == "0" || answer == "1"), "{answers:?}");
}
