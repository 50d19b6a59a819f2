//! The limits on one request: its body's size and its time.

use super::harness::{Answer, Client, Connection, PAIRS, Wire, virtual_service};
use super::harness::{Router, Service, Upstream};
use super::{echo, router_to, settings, through};

/// The default limit on a request body, in bytes.
const LIMIT: usize = 10_485_760;

fn posted(router: &Router, length: usize) -> super::harness::Reply {
    let mut connection = Connection::open(router.traffic);
    connection.send(format!("POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: {length}\r\n\r\n"));
    // A refusal may come, and the connection close, before all has been sent.
    connection.try_send(&vec![b'x'; length]);
    connection.read_reply()
}

#[test]
fn a_body_of_exactly_the_limit_passes() {
    let (router, upstream) = through(Wire::H1, echo());
    let reply = posted(&router, LIMIT);
    assert_eq!((reply.head.status, reply.json()["bytes"].as_u64()), (200, Some(LIMIT as u64)));
    assert_eq!(upstream.seen.body_bytes(), LIMIT as u64);
}

#[test]
fn one_byte_more_is_refused_unseen_by_the_upstream() {
    let (router, upstream) = through(Wire::H1, echo());
    let mut connection = Connection::open(router.traffic);
    connection.send(format!("POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: {}\r\n\r\n", LIMIT + 1));
    let reply = connection.read_reply();
    assert_eq!(reply.head.status, 413);
    assert!(reply.head.value("proxy-status").contains("body_too_large"), "{reply:?}");
    assert_eq!(upstream.seen.requests(), 0);
}

#[test]
fn a_chunk_longer_than_any_can_be_is_refused_where_it_passes_the_limit() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let router = router_to(upstream.address, Wire::H1, &settings("limits: {maxBodyBytes: 8}"));
    let mut connection = Connection::open(router.traffic);
    let head = "POST / HTTP/1.1\r\nhost: app.example\r\ntransfer-encoding: chunked\r\n\r\n";
    connection.send(format!("{head}FFFFFFFFFFFFFFFF\r\n12345678"));
    // The exchange stays open: an upstream that closes here would be answered for with 502.
    let mut exchange = upstream.next();
    assert_eq!(exchange.at_least(8), b"12345678");
    connection.send("9");
    assert_eq!(connection.head().status, 413);
    assert!(exchange.rest().is_err(), "the upstream must not take the truncated body for a whole one");
}

#[test]
fn a_body_of_unknown_length_is_refused_where_it_passes_the_limit() {
    for (front, back) in PAIRS {
        let upstream = Upstream::start(back, Answer::Held);
        let router = router_to(upstream.address, back, &settings("limits: {maxBodyBytes: 8}"));
        let mut client = Client::connect(router.traffic, front);
        let mut call = client.start("POST", "/", &[]);
        assert!(call.send("12345678"));
        let mut exchange = upstream.next();
        assert_eq!(exchange.at_least(8), b"12345678");
        call.send("9");
        assert_eq!(call.head().status, 413, "{front:?} to {back:?}");
        assert!(exchange.rest().is_err(), "the upstream must not take the truncated body for a whole one");
    }
}

#[test]
fn a_request_without_an_answer_in_time_is_refused() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let service = Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let rule = "  - {timeout: 1s, route: [{destination: {host: up.example}}]}";
    let router = Router::start(&(virtual_service("app.example", rule) + &service));
    let mut connection = Connection::open(router.traffic);
    let reply = connection.ask("GET / HTTP/1.1\r\nhost: app.example\r\nx-request-id: late\r\n\r\n");
    assert_eq!(reply.head.status, 504);
    let status = reply.head.value("proxy-status");
    assert!(status.contains("error=http_response_timeout") && status.contains("request_timeout"), "{status}");
    assert_eq!(router.access_of("late").field("reason"), "request_timeout");
    upstream.next().wait_for_abandon();
}

#[test]
fn a_request_body_that_stands_still_is_a_408() {
    for (front, back) in PAIRS {
        let upstream = Upstream::start(back, Answer::Held);
        let router = router_to(upstream.address, back, &settings("limits: {streamIdleTimeout: 100ms}"));
        let mut client = Client::connect(router.traffic, front);
        let mut call = client.start("POST", "/", &[("x-request-id", "still")]);
        assert!(call.send("some"));
        let mut exchange = upstream.next();
        assert_eq!(exchange.at_least(4), b"some");
        let head = call.head();
        assert_eq!(head.status, 408, "{front:?} to {back:?}");
        assert!(head.value("proxy-status").contains("body_timeout"), "{head:?}");
        assert_eq!(head.field("connection").is_some(), front == Wire::H1, "a stream ends without its connection");
        assert!(exchange.rest().is_err(), "the upstream must not take the truncated body for a whole one");
        assert_eq!(router.access_of("still").field("reason"), "body_timeout");
    }
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let router = router_to(upstream.address, Wire::H1, &settings("limits: {streamIdleTimeout: 100ms}"));
    let mut connection = Connection::open(router.traffic);
    let reply = connection.ask("POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: 4\r\n\r\nno");
    assert_eq!((reply.head.status, reply.head.value("connection").as_str()), (408, "close"));
    assert_eq!(connection.read_to_end(), b"", "nothing more is read as a request");
}

#[test]
fn an_answer_that_stands_still_is_broken_off() {
    for (front, back) in PAIRS {
        let upstream = Upstream::start(back, Answer::Held);
        let router = router_to(upstream.address, back, &settings("limits: {streamIdleTimeout: 1s}"));
        let mut client = Client::connect(router.traffic, front);
        let mut call = client.start_empty("GET", "/", &[("x-request-id", "still")]);
        let mut exchange = upstream.next();
        exchange.begin(200, &[]);
        assert!(exchange.send("some"));
        assert_eq!(call.head().status, 200);
        assert_eq!(call.data().as_deref(), Some(&b"some"[..]));
        assert!(call.rest().is_err(), "{front:?} to {back:?}: half an answer must not look whole");
        exchange.wait_for_abandon();
        assert_eq!(router.access_of("still").field("reason"), "stream_idle_timeout");
    }
}
