//! Hosts and destinations: wildcards, services without rules, subsets by label.

use super::harness::{Answer, Connection, Router, Service, Upstream, Wire, virtual_service};

fn named(name: &str) -> Upstream {
    Upstream::start(Wire::H1, Answer::Fixed(200, name.to_owned()))
}

fn ask(router: &Router, host: &str) -> (u16, String) {
    let reply = Connection::open(router.traffic).ask(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    (reply.head.status, reply.text())
}

#[test]
fn an_exact_host_wins_over_the_longest_wildcard_over_shorter_ones() {
    let pools = ["exact", "long", "short", "shortest"].map(|name| (name, named(name)));
    let mut documents = String::new();
    for ((name, upstream), host) in pools.iter().zip(["a.b.example.com", "*.b.example.com", "*.example.com", "*.com"]) {
        let service = format!("{name}.internal");
        documents += &virtual_service(host, &format!("  - {{route: [{{destination: {{host: {service}}}}}]}}"));
        documents += &Service { host: &service, wire: Wire::H1, endpoints: &[upstream.address] }.document();
    }
    let router = Router::start(&documents);
    for (host, pool) in [
        ("a.b.example.com", "exact"),
        ("A.B.example.com:8080", "exact"),
        ("x.b.example.com", "long"),
        ("b.example.com", "short"),
        ("x.y.example.com", "short"),
        ("example.com", "shortest"),
    ] {
        assert_eq!(ask(&router, host), (200, pool.to_owned()), "{host}");
    }
}

#[test]
fn a_service_without_rules_answers_to_its_own_host() {
    let upstream = named("plain");
    let service = Service { host: "plain.example", wire: Wire::H1, endpoints: &[upstream.address] };
    let router = Router::start(&service.document());
    assert_eq!(ask(&router, "plain.example"), (200, "plain".to_owned()));
    assert_eq!(ask(&router, "other.example").0, 404);
}

#[test]
fn a_subset_is_the_endpoints_with_its_labels() {
    let [stable, canary] = ["stable", "canary"].map(named);
    let rules = r"
  - {match: [{headers: {x-canary: {}}}], route: [{destination: {host: model.example, subset: canary}}]}
  - {route: [{destination: {host: model.example, subset: stable}}]}";
    let labelled = |upstream: &Upstream, version: &str| {
        format!(
            "  - {{address: 127.0.0.1, ports: {{http: {}}}, labels: {{version: {version}}}}}\n",
            upstream.address.port()
        )
    };
    let service = Service { host: "model.example", wire: Wire::H1, endpoints: &[] }.document();
    let endpoints = format!("endpoints:\n{}{}", labelled(&stable, "v1"), labelled(&canary, "v2"));
    let subsets = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
                   metadata: {name: model, namespace: default}\nspec:\n  host: model.example\n  subsets:\n  \
                   - {name: stable, labels: {version: v1}}\n  - {name: canary, labels: {version: v2}}\n";
    let documents = virtual_service("app.example", rules) + &service.replace("endpoints: []\n", &endpoints) + subsets;
    let router = Router::start(&documents);
    for _ in 0..10 {
        assert_eq!(ask(&router, "app.example"), (200, "stable".to_owned()));
        let request = "GET / HTTP/1.1\r\nhost: app.example\r\nx-canary: 1\r\n\r\n";
        assert_eq!(Connection::open(router.traffic).ask(request).text(), "canary");
    }
}
