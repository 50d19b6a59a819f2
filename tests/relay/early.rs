//! Answers that come before their request is whole, and clients that stop half way: what the client reads, and what becomes
//! of its connection (RFC 9112, section 9.6).

use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::harness::{Answer, Connection, RawUpstream, Router, Upstream, Wire};
use super::{echo, router_to, settings, through};

const LARGE: usize = 8 << 20;

fn refused_at_once(router: &Router, framing: &str, body: &[u8]) -> Connection {
    let mut connection = Connection::open(router.traffic);
    connection.send(format!("POST / HTTP/1.1\r\nhost: nobody.example\r\n{framing}\r\n\r\n"));
    connection.try_send(body);
    connection
}

#[test]
fn a_refusal_is_read_by_a_client_that_sends_on() {
    let (router, _upstream) = through(Wire::H1, echo());
    for framing in [format!("content-length: {LARGE}"), "transfer-encoding: chunked".to_owned()] {
        let mut connection = refused_at_once(&router, &framing, b"");
        // Everything is taken, so that no reset overtakes the answer.
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        for _ in 0..LARGE / 0x10000 {
            connection.send(&chunk[..if framing.contains("length") { 0x10000 } else { chunk.len() }]);
        }
        let reply = connection.read_reply();
        assert_eq!((reply.head.status, reply.head.value("connection").as_str()), (404, "close"), "{framing}");
        connection.finish();
        assert_eq!(connection.read_to_end(), b"", "{framing}");
    }
}

#[test]
fn a_short_rest_of_a_refused_request_is_read_and_the_connection_kept() {
    let (router, _upstream) = through(Wire::H1, echo());
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    for (framing, body) in [("content-length: 5", "hello"), ("transfer-encoding: chunked", chunks)] {
        let mut connection = Connection::open(router.traffic);
        connection.send(format!("POST / HTTP/1.1\r\nhost: nobody.example\r\n{framing}\r\n\r\n{body}"));
        assert_eq!(connection.read_reply().head.status, 404);
        assert_eq!(connection.ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n").head.status, 200, "{framing}");
    }
    let mut connection = refused_at_once(&router, "content-length: 5", b"he");
    assert_eq!(connection.read_reply().head.field("connection"), None);
    connection.send("lloGET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    assert_eq!(connection.read_reply().head.status, 200, "the rest is read although the answer came first");
}

#[test]
fn a_body_that_nobody_asked_for_ends_its_connection() {
    let (router, _upstream) = through(Wire::H1, echo());
    let mut connection = refused_at_once(&router, "content-length: 5\r\nexpect: 100-continue", b"");
    let reply = connection.read_reply();
    assert_eq!((reply.head.status, reply.interim.len(), reply.head.value("connection").as_str()), (404, 0, "close"));
    assert_eq!(connection.read_to_end(), b"", "what comes next could be the body or a request");
}

#[test]
fn a_body_that_is_sent_unasked_is_read() {
    let (router, _upstream) = through(Wire::H1, echo());
    let mut connection = Connection::open(router.traffic);
    for _ in 0..2 {
        connection
            .send("POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\nbody");
        let reply = connection.read_reply();
        assert_eq!((reply.head.status, reply.json()["body"].as_str()), (200, Some("body")));
    }
}

#[test]
fn a_client_of_http_1_0_is_answered_in_its_version() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        while visitor.head().is_some() {
            visitor.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
        }
    });
    let router = router_to(upstream.address, Wire::H1, "");
    for keep in ["", "connection: keep-alive\r\n"] {
        let mut connection = Connection::open(router.traffic);
        connection.send(format!("GET / HTTP/1.0\r\nhost: app.example\r\n{keep}\r\n"));
        let answer = String::from_utf8(connection.read_to_end()).expect("text");
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
        assert!(answer.contains("connection: close\r\n") && !answer.contains("transfer-encoding"), "{answer}");
    }
    let (router, _upstream) = through(Wire::H1, Answer::Fixed(200, "ok".to_owned()));
    let mut connection = Connection::open(router.traffic);
    for _ in 0..2 {
        connection.send("GET / HTTP/1.0\r\nhost: app.example\r\nconnection: keep-alive\r\n\r\n");
        let answer = connection.until_text("\r\n\r\nok");
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
        assert!(answer.contains("connection: keep-alive\r\n") && answer.contains("content-length: 2\r\n"), "{answer}");
    }
}

#[test]
fn a_client_that_stops_within_a_request_is_logged_and_sent_nothing() {
    let (router, upstream) = through(Wire::H1, Answer::Held);
    for (framing, some) in [("content-length: 9", "half"), ("transfer-encoding: chunked", "4\r\nhalf\r\n")] {
        let id = format!("stopped-{}", framing.len());
        let mut connection = Connection::open(router.traffic);
        connection
            .send(format!("POST / HTTP/1.1\r\nhost: app.example\r\nx-request-id: {id}\r\n{framing}\r\n\r\n{some}"));
        let mut exchange = upstream.next();
        assert_eq!(exchange.at_least(4), b"half");
        connection.finish();
        assert!(exchange.rest().is_err(), "half a request must not look whole");
        assert_eq!(connection.read_to_end(), b"");
        assert_eq!(router.access_of(&id).field("response_code"), "499");
    }
    let mut connection = Connection::open(router.traffic);
    connection.send("GET / HTTP/1.1\r\nhost: app");
    connection.finish();
    assert_eq!(connection.read_to_end(), b"", "half a head is no request");
}

#[test]
fn a_request_that_dribbles_is_bounded_by_its_timeout() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let router = router_to(upstream.address, Wire::H1, &settings("limits: {requestTimeout: 300ms}"));
    let mut connection = Connection::open(router.traffic);
    connection.send("POST / HTTP/1.1\r\nhost: app.example\r\ntransfer-encoding: chunked\r\nx-request-id: drop\r\n\r\n");
    while connection.try_send(b"1\r\nx\r\n") && connection.reads_nothing_yet() {}
    assert_eq!(connection.read_reply().head.status, 504);
    assert_eq!(router.access_of("drop").field("reason"), "request_timeout");
}

#[test]
fn a_client_that_takes_nothing_of_an_answer_is_let_go() {
    let (gone, is_gone) = channel();
    let gone = Mutex::new(gone);
    let upstream = RawUpstream::start(move |mut visitor, _| {
        visitor.head();
        visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        let part = vec![b'x'; 1 << 20];
        let mut taken = 0_usize;
        while visitor.try_write(&part) {
            taken += part.len();
        }
        gone.lock().expect("no script panics").send(taken).expect("the test listens");
    });
    let router = router_to(upstream.address, Wire::H1, &settings("limits: {streamIdleTimeout: 1s}"));
    let mut connection = Connection::open(router.traffic);
    connection.send("GET / HTTP/1.1\r\nhost: app.example\r\nx-request-id: stuck\r\n\r\n");
    assert_eq!(connection.head().status, 200);
    let taken = is_gone.recv().expect("the router gives the answer up");
    assert!(taken < 100 << 20, "what the client does not take is left with the endpoint: {taken}");
    assert_eq!(router.access_of("stuck").field("reason"), "stream_idle_timeout");
}
