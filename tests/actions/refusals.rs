//! What a rule does to the answers that the router gives in a destination's place.

use super::harness::{Answer, Client, Head, Router, Service, Upstream, Wire, virtual_service};

const RULES: &str = r#"
  - match: [{uri: {prefix: /abort}}]
    fault: {abort: {httpStatus: 503, percentage: {value: 100}}}
    headers: {response: {set: {x-answer: rule, retry-after: "7"}, remove: [proxy-status]}}
    route: [{destination: {host: a.example}, headers: {response: {add: {x-answer: share}}}}]
  - match: [{uri: {prefix: /grpc}}]
    fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}
    headers: {response: {set: {x-answer: rule}, add: {x-answer: more}}}
    route: [{destination: {host: a.example}}]
  - match: [{uri: {prefix: /late}}]
    timeout: 1ms
    headers: {response: {set: {x-answer: rule}, add: {x-answer: more}}}
    route: [{destination: {host: a.example}}]
  - match: [{uri: {prefix: /nowhere}}]
    corsPolicy: {allowOrigins: [{exact: "https://a.test"}], allowMethods: [GET]}
    headers: {response: {set: {x-answer: rule}}}
    route:
    - {destination: {host: empty.example}, weight: 1, headers: {response: {set: {x-share: empty}}}}
    - {destination: {host: a.example}, weight: 0}
  - match: [{uri: {prefix: /lost}}]
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
    route: [{destination: {host: empty.example}}]
"#;

fn start() -> (Router, Upstream) {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let service = Service { host: "a.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let empty = Service { host: "empty.example", wire: Wire::H1, endpoints: &[] }.document();
    (Router::start(&(virtual_service("app.example", RULES) + &service + &empty)), upstream)
}

fn lines(head: &Head, name: &str) -> String {
    let lines = head.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
    lines.collect::<Vec<_>>().join(",")
}

#[test]
fn operations_on_answers_reach_the_routers_own() {
    let (router, _upstream) = start();
    let mut client = Client::connect(router.traffic, Wire::H1);
    for (path, fields, status, answer) in [
        ("/abort", &[][..], 503, "rule,share"),
        ("/grpc", &[("content-type", "application/grpc")], 200, "rule,more"),
        ("/grpc", &[("content-type", "application/grpc-web")], 503, "rule,more"),
        ("/late", &[], 504, "rule,more"),
        ("/nowhere", &[], 503, "rule"),
    ] {
        let reply = client.ask("GET", path, fields, "");
        assert_eq!((reply.head.status, lines(&reply.head, "x-answer").as_str()), (status, answer), "{path}");
        let expected = if path == "/nowhere" { "empty" } else { "" };
        assert_eq!(lines(&reply.head, "x-share"), expected, "the chosen destination's own, on {path}");
    }
}

#[test]
fn what_a_refusal_says_itself_stands_unless_an_operation_names_it() {
    let (router, _upstream) = start();
    let mut client = Client::connect(router.traffic, Wire::H1);
    let reply = client.ask("GET", "/abort", &[], "");
    assert_eq!((reply.head.field("proxy-status"), lines(&reply.head, "retry-after").as_str()), (None, "7"));
    assert_eq!(reply.head.value("content-type"), "application/json");
    let reply = client.ask("GET", "/nowhere", &[], "");
    assert!(reply.head.value("proxy-status").contains("no_endpoint"), "{:?}", reply.head);
    let reply = client.ask("GET", "/grpc", &[("content-type", "application/grpc")], "");
    assert_eq!((lines(&reply.head, "content-type").as_str(), reply.text().as_str()), ("application/grpc", ""));
}

/// CORS and faults come before Envoy's router, which is the first to miss the endpoints.
#[test]
fn preflights_and_faults_come_before_the_lack_of_an_endpoint() {
    let (router, _upstream) = start();
    let mut client = Client::connect(router.traffic, Wire::H1);
    let fields = [("origin", "https://a.test"), ("access-control-request-method", "GET")];
    let reply = client.ask("OPTIONS", "/nowhere", &fields, "");
    assert_eq!((reply.head.status, reply.head.value("access-control-allow-methods").as_str()), (200, "GET"));
    assert_eq!(reply.head.field("x-answer"), None, "a permission is no answer that the rule's operations are for");
    let reply = client.ask("GET", "/nowhere", &fields[..1], "");
    assert_eq!(
        (reply.head.status, lines(&reply.head, "access-control-allow-origin").as_str()),
        (503, "https://a.test")
    );
    assert_eq!(client.ask("GET", "/lost", &[], "").head.status, 418);
}
