//! Sides that go away: what the other side sees, and that nothing stays counted.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::harness::series::IN_FLIGHT;
use super::harness::{Answer, Client, Connection, PAIRS, RawUpstream, Router, Wire};
use super::{router_to, through};

const GET: &str = "GET / HTTP/1.1\r\nhost: app.example\r\n\r\n";

fn wait_for_quiet(router: &Router) {
    router.wait_for("nothing is in flight", |metrics| metrics.count(IN_FLIGHT, &[]) == 0);
}

#[test]
fn an_endpoint_that_closes_without_an_answer_is_a_502() {
    let upstream = RawUpstream::start(|mut visitor, _| drop(visitor.head()));
    let router = router_to(upstream.address, Wire::H1, "");
    let reply = Connection::open(router.traffic).ask(GET);
    assert_eq!(reply.head.status, 502);
    let status = reply.head.value("proxy-status");
    assert!(status.contains("error=connection_terminated") && status.contains("upstream_reset"), "{status}");
    wait_for_quiet(&router);
}

#[test]
fn an_endpoint_that_does_not_speak_http_is_a_502() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        visitor.head();
        visitor.write("SSH-2.0-OpenSSH_9.6\r\n\r\n");
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let reply = Connection::open(router.traffic).ask(GET);
    assert_eq!(reply.head.status, 502);
    assert!(reply.head.value("proxy-status").contains("upstream_protocol_error"), "{reply:?}");
    wait_for_quiet(&router);
}

#[test]
fn an_answer_broken_off_by_the_endpoint_does_not_look_whole() {
    for (front, back) in PAIRS {
        let (router, upstream) = through(back, Answer::Held);
        let mut client = Client::connect(router.traffic, front);
        let mut call = client.start_empty("GET", "/", &[("x-request-id", "broken")]);
        let mut exchange = upstream.next();
        exchange.begin(200, &[]);
        assert!(exchange.send("half"));
        assert_eq!(call.head().status, 200);
        assert_eq!(call.data().as_deref(), Some(&b"half"[..]));
        exchange.abort();
        assert!(call.rest().is_err(), "{front:?} to {back:?}");
        wait_for_quiet(&router);
        assert_eq!(router.access_of("broken").field("reason"), "upstream_reset");
    }
}

#[test]
fn an_answer_longer_than_any_can_be_is_passed_on_until_it_breaks_off() {
    for framing in
        ["content-length: 18446744073709551615\r\n\r\n", "transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n"]
    {
        let upstream = RawUpstream::start(move |mut visitor, _| {
            visitor.head();
            visitor.write(format!("HTTP/1.1 200 OK\r\n{framing}half"));
            visitor.close();
        });
        let router = router_to(upstream.address, Wire::H1, "");
        let mut connection = Connection::open(router.traffic);
        connection.send("GET / HTTP/1.1\r\nhost: app.example\r\nx-request-id: endless\r\n\r\n");
        assert_eq!(connection.head().status, 200, "{framing}");
        connection.read_to_end();
        assert_eq!(router.access_of("endless").field("reason"), "upstream_reset", "{framing}");
        wait_for_quiet(&router);
    }
}

#[test]
fn a_reset_in_the_middle_of_a_sized_answer_does_not_look_whole() {
    let (go_on, has_read) = channel::<()>();
    let has_read = Mutex::new(has_read);
    let upstream = RawUpstream::start(move |mut visitor, _| {
        visitor.head();
        visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        has_read.lock().expect("no script panics").recv().expect("the client says that it has read");
        visitor.reset();
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    connection.send(GET);
    assert_eq!(connection.head().value("content-length"), "10");
    assert_eq!(connection.exactly(4), b"half");
    go_on.send(()).expect("the script waits");
    assert_eq!(connection.read_to_end(), b"", "the connection ends short of its length");
    wait_for_quiet(&router);
}

#[test]
fn a_client_that_goes_away_during_the_answer_ends_the_exchange() {
    for (front, back) in PAIRS {
        let (router, upstream) = through(back, Answer::Held);
        let mut client = Client::connect(router.traffic, front);
        let mut call = client.start_empty("GET", "/", &[("x-request-id", "gone")]);
        let mut exchange = upstream.next();
        exchange.begin(200, &[]);
        assert!(exchange.send("half"));
        assert_eq!(call.head().status, 200);
        assert_eq!(call.data().as_deref(), Some(&b"half"[..]));
        client.vanish();
        drop(call);
        exchange.wait_for_abandon();
        wait_for_quiet(&router);
        assert_eq!(router.access_of("gone").field("reason"), "client_disconnected", "{front:?} to {back:?}");
    }
}

#[test]
fn a_client_that_goes_away_before_the_answer_ends_the_exchange() {
    for (front, back) in PAIRS {
        let (router, upstream) = through(back, Answer::Held);
        let mut client = Client::connect(router.traffic, front);
        let call = client.start_empty("GET", "/", &[("x-request-id", "gone")]);
        let mut exchange = upstream.next();
        client.vanish();
        drop(call);
        exchange.wait_for_abandon();
        wait_for_quiet(&router);
        assert_eq!(router.access_of("gone").field("response_code"), "499", "{front:?} to {back:?}");
    }
}

#[test]
fn a_client_that_goes_away_during_its_request_ends_the_exchange() {
    for (front, back) in PAIRS {
        let (router, upstream) = through(back, Answer::Held);
        let mut client = Client::connect(router.traffic, front);
        let call = client.start("POST", "/", &[]);
        assert!(call.send("half"));
        let mut exchange = upstream.next();
        assert_eq!(exchange.at_least(4), b"half");
        client.vanish();
        drop(call);
        assert!(exchange.rest().is_err(), "{front:?} to {back:?}: half a request must not look whole");
        wait_for_quiet(&router);
    }
}

#[test]
fn an_endpoint_that_closes_a_kept_alive_connection_loses_nothing() {
    const ROUNDS: usize = 100;
    let (closed, has_closed) = channel();
    let closed = Mutex::new(closed);
    let upstream = RawUpstream::start(move |mut visitor, _| {
        if visitor.head().is_some() {
            visitor.read(4);
            visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
        visitor.close();
        closed.lock().expect("no script panics").send(()).expect("the test listens");
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    for round in 0..ROUNDS {
        let reply = connection.ask("POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: 4\r\n\r\nbody");
        assert_eq!((reply.head.status, reply.text().as_str()), (200, "ok"), "round {round}: {reply:?}");
        has_closed.recv().expect("the script says that it has closed");
    }
    assert_eq!(upstream.connections(), ROUNDS);
}

#[test]
fn an_endpoint_that_closes_as_a_connection_is_reused_loses_nothing() {
    let upstream = RawUpstream::start(|mut visitor, number| {
        visitor.head();
        visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        // What a close that crosses a request on the wire looks like from the other end: the first connection takes
        // a byte of the second request and resets, with nothing answered.
        visitor.read(1);
        if number == 0 {
            visitor.reset();
        }
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    for _ in 0..2 {
        let reply = connection.ask(GET);
        assert_eq!((reply.head.status, reply.text().as_str()), (200, "ok"), "{reply:?}");
    }
}
