//! gRPC health checks through the program: whatever is not SERVING takes a pool out, and SERVING brings it back.

use std::sync::{Arc, Mutex};

use super::harness::health::{Said, health};
use super::harness::{Answer, Reply};
use super::harness::{Connection, Metrics, Router, Service, Upstream, Wire, policy, virtual_service};

const CHECKED: &str = "tier: gpu, spillTo: [{host: cpu.example}], healthCheck: {grpc: {service: models.V1}, \
                       interval: 10ms, timeout: 1m, unhealthyThreshold: 1, healthyThreshold: 1}";

fn ask(router: &Router) -> Reply {
    Connection::open(router.traffic).ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n")
}

fn all_are(state: &'static str) -> impl Fn(&Metrics) -> bool {
    let labels = [("pool", "gpu.example:80"), ("state", state)];
    move |metrics| metrics.count("overspill_pool_endpoints", &labels) == 2
}

#[test]
fn a_pool_that_does_not_say_that_it_serves_spills_and_is_probed_back() {
    let said = Arc::new(Mutex::new(Said::Serving));
    let gpus = [(); 2].map(|()| Upstream::start(Wire::H2, health(&said, "gpu")));
    let cpu = Upstream::start(Wire::H1, Answer::Fixed(200, "cpu".to_owned()));
    let service = |host, wire, endpoints| Service { host, wire, endpoints }.document();
    let documents = virtual_service("app.example", "  - {name: all, route: [{destination: {host: gpu.example}}]}")
        + &service("gpu.example", Wire::H2, &gpus.each_ref().map(|gpu| gpu.address))
        + &service("cpu.example", Wire::H1, &[cpu.address])
        + &policy("gpu.example", CHECKED);
    let router = Router::start(&documents);
    for ill in [
        Said::NotServing,
        Said::Unknown,
        Said::ServiceUnknown,
        Said::Code("5"),
        Said::Code("12"),
        Said::Code("14"),
        Said::Http(503),
        Said::Nothing,
    ] {
        router.wait_for("both admit", all_are("admitting"));
        assert_eq!(ask(&router).text(), "gpu", "before {ill:?}");
        *said.lock().expect("no script panics") = ill;
        router.wait_for("both are unhealthy", all_are("unhealthy"));
        let reply = ask(&router);
        assert_eq!((reply.head.status, reply.text().as_str()), (200, "cpu"), "{ill:?}");
        assert!(reply.head.value("proxy-status").contains("no_endpoint at gpu.example:80"), "{ill:?}: {reply:?}");
        *said.lock().expect("no script panics") = Said::Serving;
    }
    router.wait_for("both admit", all_are("admitting"));
    assert_eq!(ask(&router).text(), "gpu");
}
