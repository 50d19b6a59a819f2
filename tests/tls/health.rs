//! Health checks of endpoints that speak TLS: they go over the pool's own TLS, and an endpoint that is not believed is not well.

use std::sync::{Arc, Mutex};

use super::authority::{Authority, Valid};
use super::harness::health::{Said, health};
use super::harness::{Answer, Service, Upstream, Wire, policy};
use super::{Files, ask, secured};

const POOL: (&str, &str) = ("pool", "up.example:80");
const ENDPOINTS: &str = "overspill_pool_endpoints";

#[test]
fn checks_go_over_the_pool_s_own_tls() {
    let authority = Authority::new("ca");
    let files = Files::new();
    files.write("ca.pem", &authority.pem);
    let tls = format!("mode: SIMPLE, caCertificates: {}", files.named("ca.pem"));
    let shown = authority.issue(&["app.example", "up.example"], Valid::Now);
    let spare = Upstream::start(Wire::H1, Answer::Fixed(200, "spare".to_owned()));
    let spare_service = Service { host: "spare.example", wire: Wire::H1, endpoints: &[spare.address] }.document();
    let checked = |kind: &str| {
        let check = format!("{kind}, interval: 10ms, timeout: 1m, unhealthyThreshold: 1, healthyThreshold: 1");
        policy("up.example", &format!("spillTo: [{{host: spare.example}}], healthCheck: {{{check}}}"))
    };
    for (kind, wire, protocol) in [
        ("http: {path: /healthz}", Wire::H1, "http/1.1"),
        ("http: {path: /healthz}", Wire::H2, "h2"),
        ("grpc: {}", Wire::H2, "h2"),
        ("grpc: {service: models.V1}", Wire::H2, "h2"),
    ] {
        let said = Arc::new(Mutex::new(Said::Serving));
        let upstream = Upstream::start_tls(wire, health(&said, "up"), Authority::server(&shown, &[protocol]));
        let router = files.start(&(secured(upstream.address, wire, &tls) + &spare_service + &checked(kind)));
        for ill in [Said::NotServing, Said::Http(503)] {
            router.wait_for("it admits", |metrics| metrics.count(ENDPOINTS, &[POOL, ("state", "admitting")]) == 1);
            assert_eq!(ask(&router).text(), "up", "{kind} {wire:?}");
            *said.lock().expect("no script panics") = ill;
            router
                .wait_for("it is unhealthy", |metrics| metrics.count(ENDPOINTS, &[POOL, ("state", "unhealthy")]) == 1);
            assert_eq!(ask(&router).text(), "spare", "{kind} {wire:?} {ill:?}");
            *said.lock().expect("no script panics") = Said::Serving;
        }
        router.wait_for("it is back", |metrics| metrics.count(ENDPOINTS, &[POOL, ("state", "admitting")]) == 1);
        assert_eq!(ask(&router).text(), "up", "{kind} {wire:?}");
    }

    let stranger = Authority::new("another").issue(&["app.example", "up.example"], Valid::Now);
    let said = Arc::new(Mutex::new(Said::Serving));
    let upstream = Upstream::start_tls(Wire::H2, health(&said, "up"), Authority::server(&stranger, &["h2"]));
    let router = files.start(&(secured(upstream.address, Wire::H2, &tls) + &spare_service + &checked("grpc: {}")));
    router.wait_for("it is not believed", |metrics| metrics.count(ENDPOINTS, &[POOL, ("state", "unhealthy")]) == 1);
    assert_eq!((ask(&router).text().as_str(), upstream.seen.requests()), ("spare", 0));
}
