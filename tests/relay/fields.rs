//! Header fields: what a proxy removes, what it adds, what it leaves alone.

use serde_json::Value;

use super::harness::{Client, Connection, PAIRS, RawUpstream, Wire};
use super::{echo, router_to, settings, through};

/// Asks an echoing upstream and returns its account of the request.
fn account(connection: &mut Connection, fields: &str) -> Value {
    let reply = connection.ask(&format!("GET /echo HTTP/1.1\r\nhost: app.example\r\n{fields}\r\n"));
    assert_eq!(reply.head.status, 200, "{reply:?}");
    reply.json()
}

fn received<'a>(account: &'a Value, name: &str) -> Vec<&'a str> {
    account["headers"][name].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn fields_of_one_hop_stay_on_it() {
    let (router, _upstream) = through(Wire::H1, echo());
    let mut connection = Connection::open(router.traffic);
    let account = account(
        &mut connection,
        "connection: keep-alive, X-Private, x-also\r\nx-private: 1\r\nx-also: 2\r\nkeep-alive: timeout=5\r\n\
         proxy-connection: keep-alive\r\nte: gzip\r\nx-kept: 3\r\n",
    );
    for name in ["x-private", "x-also", "keep-alive", "proxy-connection", "te", "upgrade"] {
        assert_eq!(received(&account, name), [""; 0], "{name}");
    }
    assert_eq!(received(&account, "x-kept"), ["3"]);
    assert!(!received(&account, "connection").iter().any(|value| value.contains("x-private")), "{account}");
}

#[test]
fn fields_of_the_upstreams_hop_stay_on_it() {
    let upstream = RawUpstream::start(|mut visitor, _| {
        while visitor.head().is_some() {
            visitor.write(
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive, x-secret\r\nx-secret: 1\r\n\
                 keep-alive: timeout=9\r\nproxy-connection: keep-alive\r\nx-kept: 2\r\n\r\nok",
            );
        }
    });
    let router = router_to(upstream.address, Wire::H1, "");
    let reply = Connection::open(router.traffic).ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    for name in ["x-secret", "keep-alive", "proxy-connection"] {
        assert_eq!(reply.head.field(name), None, "{name}");
    }
    assert_eq!((reply.head.value("x-kept").as_str(), reply.text().as_str()), ("2", "ok"));
}

#[test]
fn a_client_cannot_strip_what_the_router_adds() {
    let (router, _upstream) = through(Wire::H1, echo());
    let fields = "connection: x-forwarded-for, via, x-request-id, x-forwarded-proto, host\r\nx-request-id: mine\r\n";
    let account = account(&mut Connection::open(router.traffic), fields);
    for name in ["x-forwarded-for", "via", "x-request-id", "x-forwarded-proto", "host"] {
        assert_eq!(received(&account, name).len(), 1, "{name} in {account}");
    }
}

#[test]
fn the_way_is_recorded_in_via_and_forwarded_fields() {
    for (front, back) in PAIRS {
        let (router, _upstream) = through(back, echo());
        let mut client = Client::connect(router.traffic, front);
        let fields = [("via", "1.0 fred"), ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https")];
        let reply = client.ask("GET", "/", &fields, "");
        let account = reply.json();
        // RFC 9110, section 7.6.3: the version is the one in which the message was received.
        let version = if front == Wire::H1 { "1.1" } else { "2" };
        let via = received(&account, "via").join(", ");
        assert!(via.starts_with(&format!("1.0 fred, {version}")) && via.ends_with(" overspill"), "{via}");
        assert_eq!(received(&account, "x-forwarded-for").join(", "), "203.0.113.9, 127.0.0.1");
        assert_eq!(received(&account, "x-forwarded-proto"), ["http"], "a client's own claim is not believed");
        let version = if back == Wire::H1 { "1.1" } else { "2" };
        let via = reply.head.value("via");
        assert!(via.starts_with(version) && via.ends_with(" overspill"), "{via}");
    }
}

#[test]
fn a_forwarded_scheme_is_believed_where_the_settings_say_so() {
    let (_unused, upstream) = through(Wire::H1, echo());
    let router = router_to(upstream.address, Wire::H1, &settings("limits: {trustForwardedProto: true}"));
    let account = account(&mut Connection::open(router.traffic), "x-forwarded-proto: https\r\n");
    assert_eq!(received(&account, "x-forwarded-proto"), ["https"]);
}

#[test]
fn the_host_reaches_the_endpoint() {
    for (front, back) in PAIRS {
        let (router, _upstream) = through(back, echo());
        let account = Client::connect(router.traffic, front).ask("GET", "/where?x=1", &[], "").json();
        let host = if back == Wire::H1 {
            received(&account, "host").join(", ")
        } else {
            account["authority"].as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(host, "app.example", "{front:?} to {back:?}: {account}");
        assert_eq!(account["path"], "/where?x=1");
        assert_eq!(account["version"], if back == Wire::H1 { "HTTP/1.1" } else { "HTTP/2.0" });
    }
}

#[test]
fn a_request_id_is_kept_or_made() {
    let (router, _upstream) = through(Wire::H1, echo());
    let mut connection = Connection::open(router.traffic);
    let kept = account(&mut connection, "x-request-id: abc-123\r\n");
    assert_eq!(received(&kept, "x-request-id"), ["abc-123"]);
    assert_eq!(router.access_of("abc-123").field("path"), "/echo");
    let [first, second] = [(); 2].map(|()| received(&account(&mut connection, ""), "x-request-id").join(", "));
    assert!(first.len() >= 16 && first != second, "{first:?} {second:?}");
    assert_eq!(router.access_of(&first).field("path"), "/echo");
}

#[test]
fn repeated_fields_keep_their_number_and_order() {
    let (router, _upstream) = through(Wire::H1, echo());
    let account =
        account(&mut Connection::open(router.traffic), "x-many: 1\r\nx-other: o\r\nx-many: 2\r\nx-many: 3\r\n");
    assert_eq!(received(&account, "x-many"), ["1", "2", "3"]);
}
