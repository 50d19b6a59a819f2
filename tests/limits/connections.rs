//! How many connections there are, how old they become, and what is kept of their requests.

use super::frames::{
    END_HEADERS, END_STREAM, Frame, GET, GOAWAY, HEADERS, PING, block, frame, greet, read, read_to_end,
};
use super::harness::{Answer, Connection, Router, Service, Upstream, Wire, series, virtual_service};
use super::{EXCEEDED, application, settings};

const ASKED: &str = "GET / HTTP/1.1\r\nhost: app.example\r\n\r\n";

#[test]
fn a_connection_over_the_limit_is_closed_at_once() {
    let (_upstream, documents) = application();
    let router = Router::start(&(documents + &settings("limits: {maxConnections: 2}")));
    let mut taken = [Connection::open(router.traffic), Connection::open(router.traffic)];
    assert!(taken.iter_mut().all(|connection| connection.ask(ASKED).head.status == 200));
    let mut refused = Connection::open(router.traffic);
    refused.try_send(ASKED.as_bytes());
    assert_eq!(refused.read_to_end(), b"");
    router.wait_for("it is counted", |metrics| metrics.count(EXCEEDED, &[("limit", "connections")]) == 1);
    let [gone, mut kept] = taken;
    drop(gone);
    router.wait_for("its place is free", |metrics| metrics.count(series::CLIENT_CONNECTIONS, &[]) == 1);
    assert_eq!(Connection::open(router.traffic).ask(ASKED).head.status, 200);
    assert_eq!(kept.ask(ASKED).head.status, 200);
}

/// What is open goes on, what comes waits in the kernel, and the log says why; what frees a file has the next accepted.
#[test]
fn a_router_without_a_file_left_serves_on_and_says_so() {
    let (_upstream, documents) = application();
    let router = Router::start(&(documents + &settings("workers: 1")));
    let mut kept = Connection::open(router.traffic);
    assert_eq!(kept.ask(ASKED).head.status, 200);
    router.allow_files(3);
    let mark = router.log_mark();
    let mut hoarded: Vec<_> = (0..8).map(|_| Connection::open(router.traffic)).collect();
    let said = router.wait_for_log(mark, |line| line.to_string().contains("cannot accept connections"));
    assert_eq!(said["level"], "WARN", "{said}");
    for _ in 0..10 {
        assert_eq!(kept.ask(ASKED).head.status, 200);
    }
    let mut late = hoarded.pop().expect("the last of them");
    late.send(ASKED);
    drop(hoarded);
    assert_eq!(late.read_reply().head.status, 200, "it was accepted as soon as there was a file for it");
    assert!(router.metrics().count(EXCEEDED, &[("limit", "open_files")]) > 0);
    assert_eq!(Connection::open(router.traffic).ask(ASKED).head.status, 200);
}

/// A request that is under way when its connection grows too old ends as it would have.
#[test]
fn an_old_connection_ends_with_the_requests_that_it_carries() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let service = Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let rule = "  - {name: all, route: [{destination: {host: up.example}}]}";
    let documents = virtual_service("app.example", rule) + &service + &settings("maxConnectionAge: 1s");
    let router = Router::start(&documents);
    let mut old = Connection::open(router.traffic);
    old.send(ASKED);
    let first = upstream.next();
    router.wait_for("it is too old", |metrics| metrics.count(EXCEEDED, &[("limit", "connection_age")]) == 1);
    first.answer(200, "whole");
    let reply = old.read_reply();
    assert_eq!((reply.head.status, reply.text().as_str()), (200, "whole"));
    assert_eq!(reply.head.value("connection"), "close");
    assert_eq!(old.read_to_end(), b"");

    let mut old = Connection::open(router.traffic);
    greet(&mut old);
    old.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(GET, "/")));
    let second = upstream.next();
    router.wait_for("it is too old", |metrics| metrics.count(EXCEEDED, &[("limit", "connection_age")]) == 2);
    second.answer(200, "whole");
    // It is told twice: what it sends before it has read the first is served as well (RFC 9113, section 6.8).
    let mut said = Vec::new();
    while said.last().is_none_or(|last: &Frame| last.kind != PING) {
        said.push(read(&mut old));
    }
    let ping = said.last().map(|ping| ping.payload.clone()).unwrap_or_default();
    old.send(frame(PING, 1, 0, &ping));
    said.extend(read_to_end(&mut old));
    assert!(said.iter().any(|frame| frame.kind == GOAWAY && frame.code() == Some(0)), "{said:?}");
    assert!(said.iter().any(|frame| frame.stream == 1 && frame.payload == b"whole"), "{said:?}");
}

#[test]
fn an_idle_connection_is_closed_and_counted() {
    let (_upstream, documents) = application();
    let router = Router::start(&(documents + &settings("keepalive: 1s")));
    let mut idle = Connection::open(router.traffic);
    assert_eq!(idle.ask(ASKED).head.status, 200);
    assert_eq!(idle.read_to_end(), b"");
    router.wait_for("it is counted", |metrics| metrics.count(EXCEEDED, &[("limit", "connection_idle")]) == 1);
}

/// What retries would need is kept within the limit alone: beyond it a request is sent once.
#[test]
fn what_is_kept_for_retries_is_bounded_over_all_requests() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let service = Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let rule = "  - {name: all, route: [{destination: {host: up.example}}], retries: {attempts: 1, retryOn: '5xx', backoff: 1ms}}";
    let documents = virtual_service("app.example", rule) + &service + &settings("limits: {maxRetryBufferBytes: 1000}");
    let router = Router::start(&documents);
    let post = |bytes: usize| {
        let mut connection = Connection::open(router.traffic);
        connection.send(format!(
            "POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: {bytes}\r\n\r\n{}",
            "x".repeat(bytes)
        ));
        let mut exchange = upstream.next();
        exchange.rest().expect("the body comes whole");
        (connection, exchange)
    };
    let (mut small, first) = post(900);
    let (mut large, second) = post(200);
    second.answer(503, "failed");
    assert_eq!(large.read_reply().head.status, 503, "nothing of it was kept, so that it was not sent again");
    assert_eq!(router.metrics().count(EXCEEDED, &[("limit", "retry_buffer")]), 1);
    first.answer(503, "failed");
    let mut again = upstream.next();
    assert_eq!(again.rest().expect("the body comes whole").0.len(), 900);
    again.answer(200, "served");
    assert_eq!(small.read_reply().text(), "served");
    // What has ended has given back what it had.
    let (mut later, exchange) = post(950);
    exchange.answer(503, "failed");
    upstream.next().answer(200, "served");
    assert_eq!(later.read_reply().text(), "served");
    assert_eq!(router.metrics().count(EXCEEDED, &[("limit", "retry_buffer")]), 1);
}
