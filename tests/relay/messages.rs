//! Messages whose length or order has rules of its own: HEAD, 1xx, 204, 304, Expect.

use super::harness::{Answer, Connection, RawUpstream, Wire};
use super::{router_to, through};

/// An upstream that answers every request on a connection with `answer`.
fn answering(answer: &'static str) -> RawUpstream {
    RawUpstream::start(move |mut visitor, _| {
        while visitor.head().is_some() {
            visitor.write(answer);
        }
    })
}

/// Asks twice on one connection: a message whose end is misjudged spoils the second exchange.
fn asked_twice(answer: &'static str, method: &str) -> super::harness::Reply {
    let upstream = answering(answer);
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    let request = format!("{method} / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    let first = connection.ask(&request);
    let second = connection.ask(&request);
    assert_eq!((first.head.status, &first.body), (second.head.status, &second.body));
    second
}

#[test]
fn head_is_answered_with_the_length_and_no_body() {
    let reply = asked_twice("HTTP/1.1 200 OK\r\ncontent-length: 42\r\n\r\n", "HEAD");
    assert_eq!((reply.head.status, reply.head.value("content-length").as_str()), (200, "42"));
    assert!(reply.body.is_empty());
}

#[test]
fn no_content_has_neither_body_nor_length() {
    let reply = asked_twice("HTTP/1.1 204 No Content\r\nx-kept: 1\r\n\r\n", "GET");
    assert_eq!((reply.head.status, reply.head.value("x-kept").as_str()), (204, "1"));
    assert_eq!((reply.head.field("content-length"), reply.head.field("transfer-encoding")), (None, None));
}

#[test]
fn not_modified_has_no_body() {
    let reply = asked_twice("HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n", "GET");
    assert_eq!((reply.head.status, reply.head.value("etag").as_str()), (304, "\"1\""));
    assert_eq!(reply.head.field("transfer-encoding"), None);
}

#[test]
fn an_interim_response_is_not_the_answer() {
    let answer = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let reply = asked_twice(answer, "GET");
    assert_eq!((reply.head.status, reply.text().as_str()), (200, "ok"));
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        visitor.head();
        visitor.write("HTTP/1.1 200 OK\r\n\r\nto the end");
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    for _ in 0..2 {
        let reply = connection.ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
        assert_eq!((reply.head.status, reply.text().as_str()), (200, "to the end"));
    }
}

#[test]
fn an_endpoint_of_http_1_0_is_answered_for_in_the_routers_own_version() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        visitor.head();
        visitor.write("HTTP/1.0 200 OK\r\n\r\nold");
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    for _ in 0..2 {
        // The connection reads the version by the letter.
        let reply = connection.ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
        assert_eq!((reply.head.value("via").as_str(), reply.text().as_str()), ("1.0 overspill", "old"));
    }
}

#[test]
fn a_host_that_is_none_is_refused() {
    let (router, upstream) = through(Wire::H1, Answer::Echo("up".to_owned()));
    for host in ["a b", "a/b", "app.example:80:80", "user@app.example", "[::1"] {
        let reply = Connection::open(router.traffic).ask(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        assert_eq!(reply.head.status, 400, "{host}");
        assert!(reply.head.value("proxy-status").contains("malformed_request"), "{reply:?}");
    }
    assert_eq!(upstream.seen.requests(), 0);
}

#[test]
fn a_client_that_expects_100_continue_gets_it_and_then_the_answer() {
    let (router, upstream) = through(Wire::H1, Answer::Echo("up".to_owned()));
    let mut connection = Connection::open(router.traffic);
    connection.send("POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(connection.head().status, 100);
    connection.send("body");
    let reply = connection.read_reply();
    assert_eq!((reply.head.status, reply.json()["body"].as_str()), (200, Some("body")));
    assert_eq!(upstream.seen.body_bytes(), 4);
}

#[test]
fn a_body_that_is_too_large_is_not_asked_for() {
    let (router, upstream) = through(Wire::H1, Answer::Echo("up".to_owned()));
    let mut connection = Connection::open(router.traffic);
    connection.send("POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: 10485761\r\nexpect: 100-continue\r\n\r\n");
    let reply = connection.read_reply();
    assert_eq!((reply.head.status, reply.interim.len()), (413, 0), "no 100 goes before the refusal");
    assert_eq!(upstream.seen.requests(), 0);
}

#[test]
fn requests_sent_ahead_are_answered_in_their_order() {
    let (router, _upstream) = through(Wire::H1, Answer::Echo("up".to_owned()));
    let mut connection = Connection::open(router.traffic);
    connection.send("GET /1 HTTP/1.1\r\nhost: app.example\r\n\r\nGET /2 HTTP/1.1\r\nhost: app.example\r\n\r\n");
    for path in ["/1", "/2"] {
        assert_eq!(connection.read_reply().json()["path"], path);
    }
}
