//! Redirects and direct responses.

use super::harness::series::{REFUSED, REQUESTS};
use super::harness::{Connection, Router, virtual_service};

const RULES: &str = r#"
  - {match: [{uri: {prefix: /old}}], redirect: {prefixRewrite: /new, redirectCode: 308}}
  - {match: [{uri: {prefix: /secure}}], redirect: {scheme: https, port: 443}}
  - {match: [{uri: {prefix: /away}}], redirect: {uri: /there, authority: other.example, port: 8443, redirectCode: 302}}
  - match: [{uri: {prefix: /teapot}}]
    directResponse: {status: 418, body: {string: "short and stout"}}
    headers: {response: {set: {x-pot: tea, content-type: text/html}}}
  - match: [{uri: {prefix: /bytes}}]
    directResponse: {status: 200, body: {bytes: "aGVsbG8="}}
  - {directResponse: {status: 204}}
"#;

#[test]
fn redirects_say_where() {
    let router = Router::start(&virtual_service("app.example", RULES));
    let mut connection = Connection::open(router.traffic);
    for (path, status, location) in [
        ("/old/x?q=1", 308, "http://app.example:80/new/x?q=1"),
        ("/secure", 301, "https://app.example/secure"),
        ("/away?q=1", 302, "http://other.example:8443/there?q=1"),
    ] {
        let reply = connection.ask(&format!("GET {path} HTTP/1.1\r\nhost: app.example:80\r\n\r\n"));
        assert_eq!((reply.head.status, reply.head.value("location").as_str()), (status, location));
        assert_eq!(reply.text(), "");
    }
}

#[test]
fn direct_responses_are_answers_and_no_refusals() {
    let router = Router::start(&virtual_service("app.example", RULES));
    let mut connection = Connection::open(router.traffic);
    for (path, status, kind, body) in [
        ("/teapot", 418, "text/html", "short and stout"),
        ("/bytes", 200, "text/plain", "hello"),
        ("/nothing", 204, "", ""),
    ] {
        let request = format!("POST {path} HTTP/1.1\r\nhost: app.example\r\ncontent-length: 4\r\n\r\nbody");
        let reply = connection.ask(&request);
        let found = reply.head.field("content-type").unwrap_or_default();
        assert_eq!((reply.head.status, found.as_str(), reply.text().as_str()), (status, kind, body));
    }
    let metrics = router.wait_for("three requests are counted", |metrics| metrics.sum(REQUESTS, &[]) > 2.5);
    assert_eq!(metrics.count(REQUESTS, &[("response_code", "418"), ("pool", ""), ("reason", "")]), 1);
    assert!(!metrics.has(REFUSED, &[]));
}
