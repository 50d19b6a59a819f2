//! Gateways: which requests a port takes, by whose rules, and delegation.

use super::harness::{Answer, Connection, Router, Service, Upstream, Wire};

const SETTINGS: &str = r#"---
apiVersion: overspill.dev/v1
kind: Settings
metadata: {name: settings}
spec:
  workload: {labels: {istio: ingressgateway}}
  gateway: {address: 127.0.0.1, ports: {"80": 0, "8080": 0}}
"#;

const GATEWAYS: &str = r#"---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front}
spec:
  selector: {istio: ingressgateway}
  servers:
    - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.example.com"]}
    - {port: {number: 8080, name: http-moved, protocol: HTTP}, hosts: ["*.example.com"], tls: {httpsRedirect: true}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: other}
spec:
  selector: {istio: eastwest}
  servers: [{port: {number: 9999, name: http, protocol: HTTP}, hosts: ["*"]}]
"#;

fn rules(name: &str, created: &str, gateway: &str, http: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n\
         metadata: {{name: {name}, creationTimestamp: \"{created}\"}}\n\
         spec:\n  hosts: [www.example.com]\n  gateways: [{gateway}]\n  http:\n{http}\n"
    )
}

fn ask(address: std::net::SocketAddr, host: &str, path: &str) -> (u16, String) {
    let reply = Connection::open(address).ask(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    (reply.head.status, reply.text())
}

#[test]
fn a_gateway_serves_the_hosts_of_its_servers_by_the_rules_of_all_virtual_services_the_oldest_first() {
    let named = |name: &str| Upstream::start(Wire::H1, Answer::Fixed(200, name.to_owned()));
    let [old, young] = ["old", "young"].map(named);
    let to = |service: &str, prefix: &str| {
        format!(
            "    - {{match: [{{uri: {{prefix: {prefix}}}}}], route: [{{destination: {{host: {service}.example}}}}]}}"
        )
    };
    let everything = "    - {route: [{destination: {host: old.example}}]}";
    let mut documents = SETTINGS.to_owned() + GATEWAYS;
    documents +=
        &rules("young", "2026-02-01T00:00:00Z", "front", &format!("{}\n{}", to("young", "/a"), to("young", "/b")));
    documents += &rules("old", "2026-01-01T00:00:00Z", "front", &format!("{}\n{everything}", to("old", "/a")));
    documents += &Service { host: "old.example", wire: Wire::H1, endpoints: &[old.address] }.document();
    documents += &Service { host: "young.example", wire: Wire::H1, endpoints: &[young.address] }.document();
    let router = Router::start(&documents);
    let port = router.gateway(80);
    for (host, path, expected) in [
        ("www.example.com", "/a", (200, "old".to_owned())),
        ("www.example.com:80", "/b", (200, "young".to_owned())),
        ("WWW.example.com", "/c", (200, "old".to_owned())),
    ] {
        assert_eq!(ask(port, host, path), expected, "{host}{path}");
    }
    for (address, host) in [(port, "api.example.com"), (port, "old.example"), (router.traffic, "www.example.com")] {
        assert_eq!(ask(address, host, "/a").0, 404, "{host}");
    }
    assert_eq!(ask(router.traffic, "old.example", "/").0, 200, "the mesh is served where `listen` is set");
}

#[test]
fn a_server_with_https_redirect_sends_every_host_of_its_own_to_https() {
    let router = Router::start(&(SETTINGS.to_owned() + GATEWAYS));
    let mut connection = Connection::open(router.gateway(8080));
    let reply = connection.ask("GET /a?b=c HTTP/1.1\r\nhost: www.example.com\r\n\r\n");
    assert_eq!(reply.head.status, 301);
    assert_eq!(reply.head.value("location"), "https://www.example.com/a?b=c");
    let reply = connection.ask("GET /a HTTP/1.1\r\nhost: www.example.com:80\r\n\r\n");
    assert_eq!(reply.head.value("location"), "https://www.example.com:80/a", "the authority stays as it is");
    assert_eq!(ask(router.gateway(8080), "elsewhere.test", "/").0, 404);
}

#[test]
fn a_delegates_rules_stand_in_the_place_of_the_rule_that_delegates() {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "team".to_owned()));
    let delegate = "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: team}\nspec:\n  http:\n    \
        - {match: [{uri: {prefix: /team/a}}], route: [{destination: {host: team.example}}]}\n    \
        - {match: [{uri: {prefix: /other}}], directResponse: {status: 500}}\n";
    let root = "    - {match: [{uri: {prefix: /team}}], delegate: {name: team}}\n    - {directResponse: {status: 418}}";
    let mut documents = SETTINGS.to_owned() + GATEWAYS + delegate;
    documents += &rules("root", "2026-01-01T00:00:00Z", "front", root);
    documents += &Service { host: "team.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let router = Router::start(&documents);
    for (path, status) in [("/team/a/1", 200), ("/team/b", 418), ("/other", 418), ("/", 418)] {
        assert_eq!(ask(router.gateway(80), "www.example.com", path).0, status, "{path}");
    }
}
