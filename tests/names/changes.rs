//! Names whose addresses change.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::harness::{Answer, Connection, DEADLINE, DnsServer, Lookup, RawUpstream, policy};
use super::{NAME, Setting, bodies, by_place, endpoints, get, in_turns, ip, upstreams};

fn setting<'a>(dns: &'a DnsServer, port: u16, resolution: &'a str, more: &'a str) -> Setting<'a> {
    Setting { dns, port, resolution, more, settings: "" }
}

#[test]
fn every_address_of_a_name_is_an_endpoint_for_as_long_as_it_has_it() {
    let upstreams = upstreams(3, by_place);
    let port = upstreams[0].address.port();
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(1), ip(0)]);
    let rule = in_turns();
    let router = setting(&dns, port, "DNS", &rule).router();
    assert_eq!(endpoints(&router), [format!("127.0.0.1:{port}"), format!("127.0.0.2:{port}")]);
    assert_eq!(bodies(&router, 4), ["0", "1", "0", "1"]);
    let generation = router.generation();

    dns.found(NAME, &[ip(2), ip(1)]);
    router.wait_until("the addresses have changed", |router| endpoints(router).contains(&format!("127.0.0.3:{port}")));
    assert_eq!(endpoints(&router), [format!("127.0.0.2:{port}"), format!("127.0.0.3:{port}")]);
    assert_eq!(bodies(&router, 4), ["1", "2", "1", "2"]);
    assert_eq!(router.generation(), generation, "what is configured is the same");
}

#[test]
fn the_order_of_an_answer_changes_nothing() {
    let upstreams = upstreams(2, by_place);
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0), ip(1)]);
    let rule = in_turns();
    let router = setting(&dns, upstreams[0].address.port(), "DNS", &rule).router();
    let before = router.log_mark();
    dns.found(NAME, &[ip(1), ip(0), ip(1)]);
    let asked = dns.asked(NAME);
    router.wait_until("the name is looked up again and again", |_| dns.asked(NAME) > asked + 1);
    let published = router.log_mark() - before;
    assert_eq!(published, 0, "what is news is a line of the log");
    assert_eq!(bodies(&router, 2), ["0", "1"]);
}

#[test]
fn an_address_that_stays_keeps_its_slots() {
    let upstreams = upstreams(2, |_| Answer::Held);
    let port = upstreams[0].address.port();
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    let slots = policy(NAME, "slotsPerEndpoint: 1, queue: {maxPending: 0}");
    let router = setting(&dns, port, "DNS", &slots).router();
    let mut first = Connection::open(router.traffic);
    first.send("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    let held = upstreams[0].next();

    dns.found(NAME, &[ip(0), ip(1)]);
    router.wait_until("the second address is there", |router| endpoints(router).len() == 2);
    let mut second = Connection::open(router.traffic);
    second.send("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    let other = upstreams[1].next();
    assert_eq!(get(&router, "app.example").0, 429, "both slots are taken");
    held.answer(200, "first");
    other.answer(200, "second");
    assert_eq!((first.read_reply().text(), second.read_reply().text()), ("first".to_owned(), "second".to_owned()));
}

#[test]
fn connections_to_an_address_that_is_gone_are_closed_once_they_are_idle() {
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(0)]);
    let (closed, closings) = channel();
    let (go_on, turns) = channel::<()>();
    let turns = Mutex::new(turns);
    let upstream = RawUpstream::start(move |mut visitor, _| {
        let (line, _) = visitor.head().expect("a request");
        let is_slow = line.contains("/slow");
        visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwh");
        if is_slow {
            turns.lock().expect("nobody panics with it").recv().expect("the test goes on");
        }
        visitor.write("ole");
        assert!(visitor.head().is_none(), "no further request comes");
        closed.send(is_slow).expect("the test waits");
    });
    let router = setting(&dns, upstream.address.port(), "DNS", "").router();
    let mut slow = Connection::open(router.traffic);
    slow.send("GET /slow HTTP/1.1\r\nhost: app.example\r\n\r\n");
    assert_eq!(slow.head().status, 200);
    assert_eq!(bodies(&router, 1), ["whole"]);

    dns.found(NAME, &[ip(1)]);
    router.wait_until("the address is gone", |router| endpoints(router)[0].starts_with("127.0.0.2"));
    assert_eq!(closings.recv_timeout(DEADLINE), Ok(false), "the idle connection is closed");
    go_on.send(()).expect("the upstream waits");
    assert_eq!(slow.exactly(5), b"whole");
    assert_eq!(closings.recv_timeout(DEADLINE), Ok(true), "the other one once it is idle");
}

#[test]
fn a_name_that_is_one_endpoint_goes_to_its_newest_address() {
    let upstreams = upstreams(2, by_place);
    let port = upstreams[0].address.port();
    let dns = DnsServer::start();
    dns.found(NAME, &[ip(1), ip(0)]);
    // One connection for each request, so that every one of them is new.
    let rule =
        in_turns().replace("loadBalancer: {", "connectionPool: {http: {maxRequestsPerConnection: 1}}, loadBalancer: {");
    let router = setting(&dns, port, "DNS_ROUND_ROBIN", &rule).router();
    assert_eq!(endpoints(&router), [format!("{NAME}:{port}")]);
    assert_eq!(bodies(&router, 3), ["1"; 3]);

    dns.found(NAME, &[ip(0), ip(1)]);
    router.wait_until("new connections go to the newest address", |router| bodies(router, 1) == ["0"]);
    assert_eq!(endpoints(&router), [format!("{NAME}:{port}")]);
    dns.tell(NAME, Lookup::Absent);
    let asked = dns.asked(NAME);
    router.wait_until("the name is gone for a while", |_| dns.asked(NAME) > asked + 1);
    assert_eq!(bodies(&router, 2), ["0"; 2], "it keeps its address");
}
