//! How connections to endpoints are opened, shared and closed, as a `DestinationRule` asks.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

use std::fs::read_to_string;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Instant;

use harness::{Answer, Client, DEADLINE, RawUpstream, Router, Service, Upstream, Wire, virtual_service};

/// A router with one thread before the endpoint of `pool.example`, with this `connectionPool`.
fn router(endpoint: SocketAddr, wire: Wire, pool: &str) -> Router {
    let documents = virtual_service("app.example", "  - {name: all, route: [{destination: {host: pool.example}}]}")
        + &Service { host: "pool.example", wire, endpoints: &[endpoint] }.document()
        + &format!(
            "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
             metadata: {{name: pool, namespace: default}}\n\
             spec: {{host: pool.example, trafficPolicy: {{connectionPool: {pool}}}}}\n"
        )
        + "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: settings}\nspec: {workers: 1}\n";
    Router::start(&documents)
}

fn echo(wire: Wire) -> Upstream {
    Upstream::start(wire, Answer::Echo("up".to_owned()))
}

#[test]
fn endpoints_are_spoken_to_as_the_client_speaks() {
    for (wire, other, version) in [(Wire::H1, Wire::H2, "HTTP/1.1"), (Wire::H2, Wire::H1, "HTTP/2.0")] {
        let upstream = echo(wire);
        let router = router(upstream.address, other, "{http: {useClientProtocol: true}}");
        let reply = Client::connect(router.traffic, wire).ask("POST", "/", &[], "body");
        assert_eq!((reply.json()["version"].as_str(), reply.json()["body"].as_str()), (Some(version), Some("body")));
    }
}

/// Asks once, and returns once the router has closed the connection that the request went over.
fn closes(pool: &str) {
    let (closed, has_closed) = channel();
    let closed = Mutex::new(closed);
    let upstream = RawUpstream::start(move |mut visitor, _| {
        visitor.head();
        visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        assert_eq!(visitor.read(1), b"", "nobody asks again");
        closed.lock().expect("no script panics").send(()).expect("the test listens");
    });
    let router = router(upstream.address, Wire::H1, pool);
    assert_eq!(Client::connect(router.traffic, Wire::H1).ask("GET", "/", &[], "").text(), "ok");
    has_closed.recv_timeout(DEADLINE).expect("the router closes the connection");
}

#[test]
fn idle_connections_are_closed() {
    closes("{http: {idleTimeout: 1ms}}");
    closes("{tcp: {idleTimeout: 1ms}}");
    closes("{http: {idleTimeout: 1ms}, tcp: {idleTimeout: 1h}}");
}

#[test]
fn old_connections_are_closed() {
    closes("{tcp: {maxConnectionDuration: 1ms}}");
}

#[test]
fn idle_and_old_connections_of_http2_are_replaced() {
    for pool in ["{http: {idleTimeout: 1ms}}", "{tcp: {maxConnectionDuration: 1ms}}"] {
        let upstream = echo(Wire::H2);
        let router = router(upstream.address, Wire::H2, pool);
        let mut client = Client::connect(router.traffic, Wire::H2);
        let begun = Instant::now();
        while upstream.seen.connections() < 3 {
            assert!(begun.elapsed() < DEADLINE, "a connection is never replaced: {pool}");
            assert_eq!(client.ask("GET", "/", &[], "").head.status, 200);
        }
    }
}

#[test]
fn a_connection_of_http2_carries_no_more_streams_than_it_may() {
    let upstream = Upstream::start(Wire::H2, Answer::Held);
    let router = router(upstream.address, Wire::H2, "{http: {maxConcurrentStreams: 2}}");
    let mut client = Client::connect(router.traffic, Wire::H2);
    let mut calls: Vec<_> = (0..5).map(|_| client.start_empty("GET", "/", &[])).collect();
    let held: Vec<_> = (0..5).map(|_| upstream.next()).collect();
    assert_eq!(upstream.seen.connections(), 3);
    for exchange in held {
        exchange.answer(200, "");
    }
    for call in &mut calls {
        assert_eq!(call.head().status, 200);
        assert!(call.rest().is_ok());
    }
    for _ in 0..6 {
        let mut call = client.start_empty("GET", "/", &[]);
        upstream.next().answer(200, "");
        assert_eq!(call.head().status, 200);
        assert!(call.rest().is_ok());
    }
    assert_eq!(upstream.seen.connections(), 3, "connections that have room are used again");
}

/// The kernel's name for a socket's end: the address and the port in hexadecimal.
fn kernel_name(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => format!("{:08X}:{:04X}", u32::from(ip).swap_bytes(), address.port()),
        IpAddr::V6(_) => unreachable!("the harness listens on IPv4"),
    }
}

/// Whether the kernel has a timer of keepalive (`02`) for a connection to `address`, and when it fires: in hundredths of a second.
fn keepalive_timer(address: SocketAddr) -> Option<u64> {
    let table = read_to_string("/proc/net/tcp").expect("Linux");
    let name = kernel_name(address);
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (timer, when) = fields.get(5)?.split_once(':')?;
        let keeps = fields.get(2) == Some(&name.as_str()) && timer == "02";
        keeps.then(|| u64::from_str_radix(when, 16).expect("a number in hexadecimal"))
    })
}

#[test]
fn quiet_connections_are_probed() {
    let upstream = echo(Wire::H1);
    let pool = "{tcp: {tcpKeepalive: {time: 600s, interval: 5s, probes: 2}}}";
    let router = router(upstream.address, Wire::H1, pool);
    assert_eq!(Client::connect(router.traffic, Wire::H1).ask("GET", "/", &[], "").head.status, 200);
    // Right after the answer another timer may stand there: that of an acknowledgement.
    let fires = |when: u64| (30_000..=60_000).contains(&when);
    router.wait_until("the kernel waits to probe", |_| keepalive_timer(upstream.address).is_some_and(fires));
}
