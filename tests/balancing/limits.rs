//! Limits of a connection pool: what is in flight, what waits, and what the endpoints are spoken to in.

use super::harness::series::{IN_FLIGHT, QUEUED};
use super::harness::{Answer, Client, Connection, Router, Service, Upstream, Wire, virtual_service};
use super::{bodies, router, rule};

fn begin(router: &Router) -> Connection {
    let mut connection = Connection::open(router.traffic);
    connection.send("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    connection
}

/// One request more than `limits` let through waits, and the next is refused.
fn a_third_waits_and_a_fourth_is_refused(limits: &str) {
    let upstreams = [Upstream::start(Wire::H1, Answer::Held), Upstream::start(Wire::H1, Answer::Held)];
    let policy = format!("{{loadBalancer: {{simple: ROUND_ROBIN}}, connectionPool: {{{limits}}}}}");
    let router = router(&upstreams, &policy);
    let mut flying = [begin(&router), begin(&router)];
    let held = [upstreams[0].next(), upstreams[1].next()];
    router.wait_for("both are in flight", |metrics| metrics.count(IN_FLIGHT, &[]) == 2);
    let mut third = begin(&router);
    router.wait_for("the third waits", |metrics| metrics.count(QUEUED, &[]) == 1);
    let fourth = begin(&router).read_reply();
    assert_eq!(fourth.head.status, 429, "{fourth:?}");
    for exchange in held {
        exchange.answer(200, "held");
    }
    for connection in &mut flying {
        assert_eq!(connection.read_reply().text(), "held");
    }
    upstreams[0].next().answer(200, "third");
    assert_eq!(third.read_reply().text(), "third");
}

#[test]
fn connections_limit_the_requests_in_flight_over_http1() {
    a_third_waits_and_a_fourth_is_refused("tcp: {maxConnections: 2}, http: {http1MaxPendingRequests: 1}");
}

#[test]
fn requests_in_flight_are_limited_over_all_endpoints() {
    a_third_waits_and_a_fourth_is_refused("http: {http2MaxRequests: 2, http1MaxPendingRequests: 1}");
}

#[test]
fn endpoints_that_are_upgraded_are_spoken_to_in_http2() {
    let upstream = Upstream::start(Wire::H2, Answer::Echo("h2".to_owned()));
    // The port itself says HTTP/1.1.
    let service = Service { host: "pool.example", wire: Wire::H1, endpoints: &[upstream.address] };
    let documents = virtual_service("app.example", "  - {name: all, route: [{destination: {host: pool.example}}]}")
        + &service.document()
        + &rule("trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}");
    let router = Router::start(&documents);
    let reply = Client::connect(router.traffic, Wire::H1).ask("GET", "/", &[], "");
    assert_eq!((reply.head.status, reply.json()["version"].as_str()), (200, Some("HTTP/2.0")));
}

/// The connections that nine requests take where each may carry three.
fn connections_of_nine_requests(wire: Wire) -> u64 {
    let upstream = Upstream::start(wire, Answer::Fixed(200, "ok".to_owned()));
    let service = Service { host: "pool.example", wire, endpoints: &[upstream.address] };
    let documents = virtual_service("app.example", "  - {name: all, route: [{destination: {host: pool.example}}]}")
        + &service.document()
        + &rule("trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 3}}}");
    let router = Router::start(&documents);
    // One client connection keeps to one worker, and with it to that worker's connections.
    assert_eq!(bodies(&router, 9, ""), ["ok"; 9]);
    upstream.seen.connections()
}

#[test]
fn a_connection_of_http1_carries_no_more_requests_than_it_may() {
    // A connection that does not know yet that its last answer is over is passed over, so that there may be more.
    assert!(connections_of_nine_requests(Wire::H1) >= 3);
}

#[test]
fn a_connection_of_http2_carries_as_many_requests_as_it_may() {
    assert_eq!(connections_of_nine_requests(Wire::H2), 3);
}
