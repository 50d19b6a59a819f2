//! Endpoints that answer early, in small pieces, or not as HTTP/1.1 has it: what the client sees, and which connections are
//! used again.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::harness::{Connection, DEADLINE, RawUpstream, Visitor, Wire};
use super::router_to;

const GET: &str = "GET / HTTP/1.1\r\nhost: app.example\r\nte: trailers\r\n\r\n";
const CHUNKED_POST: &str = "POST / HTTP/1.1\r\nhost: app.example\r\ntransfer-encoding: chunked\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// An upstream that answers the first request of its first connection with `answer`, and all others as it should.
fn first_answering(answer: String) -> RawUpstream {
    let answer = Mutex::new(Some(answer));
    RawUpstream::start(move |mut visitor, _| {
        while visitor.head().is_some() {
            let first = answer.lock().expect("no script panics").take();
            visitor.write(first.as_deref().unwrap_or(OK));
        }
    })
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_whole() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
                  5;a=\"b\"\r\nhello\r\n0006\r\n world\r\n0\r\nx-sum: 11\r\n\r\n";
    let upstream = RawUpstream::start(move |mut visitor, _| {
        while visitor.head().is_some() {
            answer.bytes().for_each(|byte| visitor.write([byte]));
        }
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    for _ in 0..2 {
        let reply = connection.ask(GET);
        assert_eq!((reply.head.status, reply.text().as_str()), (200, "hello world"));
        assert_eq!(reply.trailers, [("x-sum".to_owned(), "11".to_owned())]);
    }
    assert_eq!(upstream.connections(), 1, "the connection is used again");
}

#[test]
fn an_answer_that_contradicts_itself_is_a_502_and_ends_its_connection() {
    for head in [
        "content-length: 2\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 2",
        "content-length: 2\r\ncontent-length: 3",
        "content-length: two",
        "transfer-encoding: gzip, chunked",
    ] {
        let upstream = first_answering(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
        let router = router_to(upstream.address, Wire::H1, "");
        let mut connection = Connection::open(router.traffic);
        let reply = connection.ask(GET);
        assert_eq!(reply.head.status, 502, "{head}");
        assert!(reply.head.value("proxy-status").contains("upstream_protocol_error"), "{reply:?}");
        assert_eq!(connection.ask(GET).text(), "ok", "{head}");
        assert_eq!(upstream.connections(), 2, "{head}");
    }
}

#[test]
fn bytes_behind_an_answer_are_nobodys_answer() {
    for length in ["content-length: 2\r\n\r\nok", "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"] {
        let upstream = first_answering(format!("HTTP/1.1 200 OK\r\n{length}{OK}evil"));
        let router = router_to(upstream.address, Wire::H1, "");
        let mut connection = Connection::open(router.traffic);
        for _ in 0..2 {
            let reply = connection.ask(GET);
            assert_eq!((reply.head.status, reply.text().as_str()), (200, "ok"));
        }
        assert_eq!(upstream.connections(), 2, "the connection is not used again");
    }
}

#[test]
fn a_connection_of_http_1_0_is_used_again_where_it_says_so() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        while visitor.head().is_some() {
            visitor.write("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    for _ in 0..3 {
        assert_eq!(connection.ask(GET).text(), "ok");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_endpoint_that_closes_within_a_head_is_a_502_and_is_not_asked_again() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        visitor.head();
        visitor.write(OK);
        visitor.head();
        visitor.write("HTTP/1.1 200 OK\r\nx-half: ");
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    assert_eq!(connection.ask(GET).text(), "ok");
    let reply = connection.ask(GET);
    assert_eq!(reply.head.status, 502);
    assert!(reply.head.value("proxy-status").contains("upstream_reset"), "{reply:?}");
    assert_eq!(upstream.connections(), 1, "what has begun to answer was not about to close");
}

#[test]
fn chunks_that_are_none_do_not_look_whole() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        visitor.head();
        visitor.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n");
        assert_eq!(visitor.read(1), b"", "the connection is closed");
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    connection.send(GET);
    assert!(!connection.read_to_end().ends_with(b"0\r\n\r\n"), "the last chunk never comes");
}

#[test]
fn informational_answers_have_a_limit() {
    for (count, status) in [(1000, 200), (1001, 502)] {
        let answer = "HTTP/1.1 102 Processing\r\n\r\n".repeat(count) + OK;
        let upstream = first_answering(answer);
        let router = router_to(upstream.address, Wire::H1, "");
        assert_eq!(Connection::open(router.traffic).ask(GET).head.status, status, "{count}");
    }
}

#[test]
fn an_answer_goes_on_while_its_request_does() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        while visitor.head().is_some() {
            visitor.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            for word in ["one", "two", "three"] {
                visitor.read_until(&format!("{:x}\r\n{word}\r\n", word.len()));
                let upper = word.to_uppercase();
                visitor.write(format!("{:x}\r\n{upper}\r\n", upper.len()));
            }
            visitor.read_until("0\r\n\r\n");
            visitor.write("0\r\n\r\n");
        }
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    for _ in 0..2 {
        connection.send(CHUNKED_POST);
        assert_eq!(connection.head().status, 200, "the head comes before the body is sent");
        for word in ["one", "two", "three"] {
            connection.send_chunk(word);
            let expected = format!("{:x}\r\n{}\r\n", word.len(), word.to_uppercase());
            assert_eq!(connection.exactly(expected.len()), expected.as_bytes());
        }
        connection.send("0\r\n\r\n");
        assert_eq!(connection.exactly(5), b"0\r\n\r\n");
    }
    assert_eq!(upstream.connections(), 1, "the connection is used again");
}

#[test]
fn an_answer_that_wants_no_more_of_its_request_ends_the_connection() {
    let refused = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 6\r\n\r\nenough";
    let upstream = RawUpstream::start(move |mut visitor, _| {
        visitor.head();
        visitor.read_until("3\r\none\r\n");
        visitor.write(refused);
        // The router has the whole answer, and nothing to send that would be wanted.
        visitor.read_to_end();
    });
    let router = router_to(upstream.address, Wire::H1, "");
    for _ in 0..2 {
        let mut connection = Connection::open(router.traffic);
        connection.send(CHUNKED_POST);
        connection.send_chunk("one");
        let reply = connection.read_reply();
        assert_eq!((reply.head.status, reply.text().as_str()), (413, "enough"));
    }
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn an_endpoint_that_answers_and_closes_before_it_has_read_is_heard() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        visitor.head();
        visitor.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        visitor.close();
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    connection.send(CHUNKED_POST);
    assert_eq!(connection.head().status, 413);
}

#[test]
fn a_body_that_is_held_back_is_not_asked_for_where_the_head_is_refused() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        visitor.head();
        visitor.write("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(visitor.read(1), b"", "the body never comes");
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    connection.send("POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n");
    let reply = connection.read_reply();
    assert_eq!((reply.head.status, reply.interim.len()), (417, 0));
}

#[test]
fn a_connection_that_its_endpoint_ends_is_closed_though_nobody_asks() {
    let (closed, has_closed) = channel();
    let closed = Mutex::new(closed);
    let upstream = RawUpstream::start(move |mut visitor: Visitor, _| {
        visitor.head();
        visitor.write(OK);
        visitor.finish();
        assert_eq!(visitor.read(1), b"", "nothing comes any more");
        closed.lock().expect("no script panics").send(()).expect("the test listens");
    });
    let router = router_to(upstream.address, Wire::H1, "");
    assert_eq!(Connection::open(router.traffic).ask(GET).text(), "ok");
    has_closed.recv_timeout(DEADLINE).expect("the router closes its side");
}
