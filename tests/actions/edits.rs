//! Header operations and rewrites.

use serde_json::json;

use super::harness::{Answer, Client, PAIRS, Router, Service, Upstream, Wire, virtual_service};

const RULES: &str = r#"
  - name: headers
    match: [{uri: {prefix: /headers}}]
    headers:
      request: {set: {x-set: rule, x-percent: "100%%"}, add: {x-add: rule}, remove: [x-gone]}
      response: {set: {x-answer: rule}, remove: [date]}
    route:
    - destination: {host: echo.example}
      headers:
        request: {set: {x-set: share, "host": "share.example:81"}, add: {x-add: share}}
        response: {add: {x-answer: share}}
  - name: lone
    match: [{uri: {prefix: /lone}}]
    headers:
      request: {set: {x-set: rule}, add: {x-add: rule}}
      response: {set: {x-set: rule}, add: {x-add: rule}}
    route:
    - destination: {host: echo.example}
      headers:
        request: {set: {x-add: share}, remove: [x-set]}
        response: {set: {x-add: share}, remove: [x-set]}
  - name: several
    match: [{uri: {prefix: /several}}]
    headers:
      request: {set: {x-set: rule}, add: {x-add: rule}}
      response: {set: {x-set: rule}, add: {x-add: rule}}
    route:
    - destination: {host: echo.example}
      weight: 1
      headers:
        request: {set: {x-set: share}, add: {x-add: share}}
        response: {set: {x-set: share}, add: {x-add: share}}
    - {destination: {host: other.example}, weight: 0}
  - match: [{uri: {prefix: /v1/}}]
    rewrite: {uri: /v2/, authority: other.example}
    route: [{destination: {host: echo.example}}]
  - match: [{uri: {exact: /whole}}, {uri: {regex: "/all/.*"}}]
    rewrite: {uri: /new}
    route: [{destination: {host: echo.example}}]
  - match: [{uri: {prefix: /service}}]
    rewrite: {uriRegexRewrite: {match: "^/service/([^/]+)(/.*)$", rewrite: '\2/instance/\1'}}
    route: [{destination: {host: echo.example}}]
  - route: [{destination: {host: echo.example}}]
"#;

fn start(wire: Wire) -> (Router, Upstream) {
    let upstream = Upstream::start(wire, Answer::Echo("echo".to_owned()));
    let service = Service { host: "echo.example", wire, endpoints: &[upstream.address] }.document();
    let other = Service { host: "other.example", wire, endpoints: &[upstream.address] }.document();
    (Router::start(&(virtual_service("app.example", RULES) + &service + &other)), upstream)
}

#[test]
fn operations_and_the_authority_are_sent_over_every_wire() {
    for (client, upstream) in PAIRS {
        let (router, _upstream) = start(upstream);
        let mut connection = Client::connect(router.traffic, client);
        let fields = [("x-gone", "1"), ("x-set", "client"), ("x-add", "client")];
        let reply = connection.ask("GET", "/headers?q=1", &fields, "");
        assert_eq!(reply.head.status, 200);
        let (echo, seen) = (reply.json(), reply.json()["headers"].clone());
        assert_eq!(
            (&seen["x-set"], &seen["x-add"], &seen["x-percent"], &seen["x-gone"]),
            (&json!(["share"]), &json!(["client", "rule", "share"]), &json!(["100%"]), &json!(null)),
        );
        let authority = if upstream == Wire::H1 { &seen["host"][0] } else { &echo["authority"] };
        assert_eq!((authority, &echo["path"]), (&json!("share.example:81"), &json!("/headers?q=1")));
        let answered: Vec<_> = reply.head.fields.iter().filter(|(name, _)| name == "x-answer").collect();
        assert_eq!(answered.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["rule", "share"]);
    }
}

/// The rule's operations stand in one list with those of a lone destination, removals first and additions last; those of one
/// among several come before the rule's.
#[test]
fn operations_of_rules_and_destinations_are_carried_out_in_envoys_order() {
    let (router, _upstream) = start(Wire::H1);
    let mut connection = Client::connect(router.traffic, Wire::H1);
    for (path, set, add) in
        [("/lone", vec!["rule"], vec!["share", "rule"]), ("/several", vec!["rule"], vec!["client", "share", "rule"])]
    {
        let reply = connection.ask("GET", path, &[("x-set", "client"), ("x-add", "client")], "");
        let seen = reply.json()["headers"].clone();
        assert_eq!((&seen["x-set"], &seen["x-add"]), (&json!(set), &json!(add)), "{path}");
        let lines = |of: &str| {
            let lines = reply.head.fields.iter().filter(|(name, _)| name == of);
            lines.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let answered: Vec<_> = add.into_iter().filter(|value| *value != "client").collect();
        assert_eq!(
            (lines("x-set"), lines("x-add")),
            (set.into_iter().map(str::to_owned).collect(), answered.into_iter().map(str::to_owned).collect()),
            "{path}"
        );
    }
}

#[test]
fn paths_and_authorities_are_rewritten_and_the_query_stays() {
    let (router, _upstream) = start(Wire::H1);
    let mut connection = Client::connect(router.traffic, Wire::H1);
    for (path, authority, rewritten) in [
        ("/v1/embeddings?q=1", "other.example", "/v2/embeddings?q=1"),
        ("/whole?q=1", "app.example", "/new?q=1"),
        ("/all/of/it", "app.example", "/new"),
        ("/service/foo/v1/api?q", "app.example", "/v1/api/instance/foo?q"),
        ("/service", "app.example", "/service"),
        ("/as/it/is?q=1", "app.example", "/as/it/is?q=1"),
    ] {
        let reply = connection.ask("GET", path, &[], "").json();
        assert_eq!((&reply["path"], &reply["headers"]["host"]), (&json!(rewritten), &json!([authority])), "{path}");
    }
}

#[test]
fn a_rewritten_request_keeps_its_own_path_in_the_access_log() {
    let (router, _upstream) = start(Wire::H1);
    let mut connection = Client::connect(router.traffic, Wire::H1);
    connection.ask("GET", "/v1/embeddings", &[("x-request-id", "own")], "");
    assert_eq!(router.access_of("own").field("path"), "/v1/embeddings");
}
