//! WebSocket and other upgrades: bytes both ways once both sides have agreed.

use super::harness::series::IN_FLIGHT;
use super::harness::{Connection, RawUpstream, Router, Service, Wire, virtual_service};
use super::router_to;

const REQUEST: &str = "GET /chat HTTP/1.1\r\nhost: app.example\r\nconnection: keep-alive, Upgrade\r\n\
                       upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Answers an upgrade, greets, then sends back each line in upper case until the other side closes.
fn shouting() -> RawUpstream {
    RawUpstream::start(|mut visitor, _| {
        let (_, fields) = visitor.head().expect("a request");
        let value = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.to_lowercase());
        let asked = value("connection").is_some_and(|value| value.contains("upgrade"))
            && value("upgrade").as_deref() == Some("websocket")
            && value("sec-websocket-key").is_some();
        if !asked {
            visitor.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            return;
        }
        visitor.write(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello\n",
        );
        for _ in 0..3 {
            let line = visitor.read_until("\n");
            visitor.write(line.to_uppercase());
        }
        assert!(visitor.read(1).is_empty(), "the client's close arrives");
        visitor.write("bye");
    })
}

#[test]
fn an_upgrade_passes_bytes_both_ways_until_both_sides_close() {
    let upstream = shouting();
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    connection.send(REQUEST);
    let head = connection.head();
    assert_eq!(head.status, 101, "{head:?}");
    assert_eq!(head.value("upgrade"), "websocket");
    assert_eq!(head.value("connection").to_lowercase(), "upgrade");
    assert_eq!(head.value("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(head.value("via"), "1.1 overspill");
    assert!(head.value("proxy-status").contains("next-hop=\"up.example:80\""), "{head:?}");
    assert_eq!(connection.exactly(6), b"hello\n", "the upstream may speak first");
    for line in ["one\n", "two\n", "three\n"] {
        connection.send(line);
        assert_eq!(connection.exactly(line.len()), line.to_uppercase().as_bytes());
    }
    assert!(router.metrics().count(IN_FLIGHT, &[]) >= 1, "an upgraded connection holds its slot");
    connection.finish();
    assert_eq!(connection.read_to_end(), b"bye", "one side's close leaves the other open");
    router.wait_for("the slot is given back", |metrics| metrics.count(IN_FLIGHT, &[]) == 0);
}

#[test]
fn a_rules_operations_are_carried_out_once_on_an_upgrade() {
    let upstream = shouting();
    let service = Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let rule = "  - {route: [{destination: {host: up.example}}], headers: {response: {add: {x-added: rule}}}}";
    let router = Router::start(&(virtual_service("app.example", rule) + &service));
    let mut connection = Connection::open(router.traffic);
    connection.send(REQUEST);
    let head = connection.head();
    let added = head.fields.iter().filter(|(name, _)| name == "x-added").count();
    assert_eq!((head.status, added), (101, 1), "{head:?}");
}

#[test]
fn bytes_sent_right_behind_the_upgrade_are_not_lost() {
    let upstream = shouting();
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    connection.send(format!("{REQUEST}early\n"));
    assert_eq!(connection.head().status, 101);
    assert_eq!(connection.exactly(12), b"hello\nEARLY\n");
}

#[test]
fn an_upgrade_that_the_upstream_declines_is_an_ordinary_exchange() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        while visitor.head().is_some() {
            visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nplain");
        }
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let mut connection = Connection::open(router.traffic);
    for _ in 0..2 {
        let reply = connection.ask(REQUEST);
        assert_eq!((reply.head.status, reply.text().as_str()), (200, "plain"));
    }
}
