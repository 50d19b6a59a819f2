//! Requests of other origins.

use super::harness::{Answer, Client, Router, Service, Upstream, Wire, virtual_service};

const RULES: &str = r#"
  - corsPolicy:
      allowOrigins: [{exact: "https://a.example"}, {regex: "https://[a-z]+\\.b\\.example"}]
      allowMethods: [GET, PUT]
      allowHeaders: [x-a, x-b]
      exposeHeaders: [x-c]
      maxAge: 24h
      allowCredentials: true
      unmatchedPreflights: IGNORE
    route: [{destination: {host: a.example}}]
"#;

#[test]
fn preflights_are_answered_and_answers_permit_their_origin() {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "ok".to_owned()));
    let service = Service { host: "a.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let router = Router::start(&(virtual_service("app.example", RULES) + &service));
    let mut client = Client::connect(router.traffic, Wire::H1);
    let preflight = |origin| [("origin", origin), ("access-control-request-method", "PUT")];
    let reply = client.ask("OPTIONS", "/", &preflight("https://x.b.example"), "");
    assert_eq!((reply.head.status, upstream.seen.requests()), (200, 0));
    for (name, value) in [
        ("allow-origin", "https://x.b.example"),
        ("allow-methods", "GET,PUT"),
        ("allow-headers", "x-a,x-b"),
        ("allow-credentials", "true"),
        ("max-age", "86400"),
    ] {
        assert_eq!(reply.head.value(&format!("access-control-{name}")), value, "{name}");
    }
    let reply = client.ask("OPTIONS", "/", &preflight("https://evil.example"), "");
    assert_eq!((reply.head.status, upstream.seen.requests()), (200, 0));
    assert_eq!(reply.head.field("access-control-allow-origin"), None);
    for (origin, permitted) in [("https://a.example", Some("x-c".to_owned())), ("https://evil.example", None)] {
        let reply = client.ask("GET", "/", &[("origin", origin)], "");
        assert_eq!(
            (reply.head.status, reply.head.field("access-control-expose-headers")),
            (200, permitted),
            "{origin}"
        );
    }
    assert_eq!(upstream.seen.requests(), 2);
}
