//! Conditions of a rule, each by what it lets through.

use super::harness::series::REFUSED;
use super::harness::{Answer, Connection, Router, Service, Upstream, Wire, virtual_service};

const RULES: &str = r#"
  - {name: exact, match: [{headers: {x-latency-sensitive: {exact: "true"}}}], route: [{destination: {host: exact.example}}]}
  - {name: prefix, match: [{headers: {x-model: {prefix: bge-}}}], route: [{destination: {host: prefix.example}}]}
  - {name: regex, match: [{headers: {x-user: {regex: "[a-z]+-[0-9]{2}"}}}], route: [{destination: {host: regex.example}}]}
  - {name: present, match: [{headers: {x-debug: {}}}], route: [{destination: {host: present.example}}]}
  - {name: path, match: [{uri: {exact: /v1/embeddings}, method: {exact: PUT}}, {uri: {prefix: /v2/}}], route: [{destination: {host: path.example}}]}
  - {name: method, match: [{method: {exact: DELETE}}], route: [{destination: {host: method.example}}]}
  - {name: query, match: [{queryParams: {model: {exact: "large"}}}], route: [{destination: {host: query.example}}]}
  - {name: authority, match: [{authority: {exact: "app.example:8080"}}], route: [{destination: {host: authority.example}}]}
  - {name: without, match: [{uri: {prefix: /private}, withoutHeaders: {authorization: {}}}], route: [{destination: {host: without.example}}]}
  - {name: rest, route: [{destination: {host: rest.example}}]}
"#;

const POOLS: [&str; 10] =
    ["exact", "prefix", "regex", "present", "path", "method", "query", "authority", "without", "rest"];

fn router_with_pools(rules: &str) -> (Router, Vec<Upstream>) {
    let mut documents = virtual_service("app.example", rules);
    let upstreams: Vec<_> = POOLS
        .iter()
        .map(|name| {
            let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, (*name).to_owned()));
            let host = format!("{name}.example");
            documents += &Service { host: &host, wire: Wire::H1, endpoints: &[upstream.address] }.document();
            upstream
        })
        .collect();
    (Router::start(&documents), upstreams)
}

#[test]
fn each_condition_lets_through_what_istio_says() {
    let (router, _upstreams) = router_with_pools(RULES);
    let mut connection = Connection::open(router.traffic);
    for (request, host, fields, pool) in [
        ("GET /", "app.example", "x-latency-sensitive: true\r\n", "exact"),
        ("GET /", "app.example", "X-Latency-Sensitive: true\r\n", "exact"),
        ("GET /", "app.example", "x-latency-sensitive: True\r\n", "rest"),
        ("GET /", "app.example", "x-model: bge-m3\r\n", "prefix"),
        ("GET /", "app.example", "x-model: m3-bge-\r\n", "rest"),
        ("GET /", "app.example", "x-user: anna-42\r\n", "regex"),
        ("GET /", "app.example", "x-user: anna-421\r\n", "rest"),
        ("GET /", "app.example", "x-debug:\r\n", "present"),
        ("PUT /v1/embeddings", "app.example", "content-length: 0\r\n", "path"),
        ("GET /v1/embeddings", "app.example", "", "rest"),
        ("GET /v2/models", "app.example", "", "path"),
        ("DELETE /", "app.example", "", "method"),
        ("GET /?model=large", "app.example", "", "query"),
        ("GET /?other=1&model=large&x", "app.example", "", "query"),
        ("GET /?model=larger", "app.example", "", "rest"),
        ("GET /", "app.example:8080", "", "authority"),
        ("GET /", "app.example:8081", "", "rest"),
        ("GET /private", "app.example", "", "without"),
        ("GET /private", "app.example", "authorization: secret\r\n", "rest"),
        ("GET /", "APP.example", "", "rest"),
    ] {
        let reply = connection.ask(&format!("{request} HTTP/1.1\r\nhost: {host}\r\n{fields}\r\n"));
        assert_eq!((reply.head.status, reply.text().as_str()), (200, pool), "{request} at {host} with {fields:?}");
    }
}

#[test]
fn rules_and_endpoints_see_paths_in_their_normal_form() {
    let rules = "  - {match: [{uri: {exact: /v1/embeddings}}], route: [{destination: {host: rest.example}}]}";
    let upstream = Upstream::start(Wire::H1, Answer::Echo("rest".to_owned()));
    let service = Service { host: "rest.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let router = Router::start(&(virtual_service("app.example", rules) + &service));
    let mut connection = Connection::open(router.traffic);
    for (target, sent) in [
        ("/v1/%65mbeddings?q=/../%61", "/v1/embeddings?q=/../%61"),
        ("/private/..\\v1/./embeddings", "/v1/embeddings"),
        ("http://app.example/v0/%2e%2E/v1/embeddings", "/v1/embeddings"),
    ] {
        let reply = connection.ask(&format!("GET {target} HTTP/1.1\r\nhost: app.example\r\n\r\n"));
        assert_eq!((reply.head.status, reply.json()["path"].as_str()), (200, Some(sent)), "{target}");
    }
    let reply = connection.ask("GET /v1/embeddings%00 HTTP/1.1\r\nhost: app.example\r\n\r\n");
    assert_eq!(reply.head.status, 400);
    assert!(reply.head.value("proxy-status").contains("malformed_request"), "{:?}", reply.head);
}

#[test]
fn the_first_rule_that_matches_wins() {
    let (router, _upstreams) = router_with_pools(RULES);
    let request = "DELETE /v2/x?model=large HTTP/1.1\r\nhost: app.example\r\nx-model: bge-m3\r\nx-debug: 1\r\n\r\n";
    assert_eq!(Connection::open(router.traffic).ask(request).text(), "prefix");
}

#[test]
fn what_no_rule_matches_is_refused_with_its_reason() {
    let only = "  - {match: [{headers: {x-known: {}}}], route: [{destination: {host: rest.example}}]}";
    let (router, upstreams) = router_with_pools(only);
    let mut connection = Connection::open(router.traffic);
    for host in ["app.example", "unknown.example"] {
        let reply = connection.ask(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        assert_eq!(reply.head.status, 404, "{host}");
        let status = reply.head.value("proxy-status");
        assert!(status.starts_with("overspill") && status.contains("error=destination_not_found"), "{status}");
        assert!(status.contains("route_not_found"), "{status}");
    }
    assert_eq!(upstreams.iter().map(|upstream| upstream.seen.requests()).sum::<u64>(), 0);
    let metrics = router.metrics();
    assert!(metrics.label_values(REFUSED, "reason").contains(&"route_not_found"));
}
