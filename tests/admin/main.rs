//! The admin API: health, what is in force, how the endpoints are. The drain is tested with reloads.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

use harness::{Answer, Connection, Router, Service, Upstream, Wire, policy, virtual_service};

fn serving() -> (Router, Upstream, String) {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let documents = virtual_service("app.example", "  - {name: all, route: [{destination: {host: up.example}}]}")
        + &Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document()
        + &policy("up.example", "tier: gpu, slotsPerEndpoint: 3");
    (Router::start(&documents), upstream, documents)
}

fn status(router: &Router, request: &str) -> u16 {
    Connection::open(router.admin)
        .ask(&format!("{request} HTTP/1.1\r\nhost: admin\r\ncontent-length: 0\r\n\r\n"))
        .head
        .status
}

#[test]
fn paths_and_methods_answer_as_said() {
    let (router, _upstream, _) = serving();
    for (request, expected) in [
        ("GET /healthz/ready", 200),
        ("HEAD /healthz/ready", 200),
        ("GET /livez", 200),
        ("GET /metrics", 200),
        ("GET /config_dump", 200),
        ("GET /clusters", 200),
        ("GET /nothing", 404),
        ("POST /nothing", 404),
        ("DELETE /livez", 405),
        // A crawler's or a browser's GET must not end the process.
        ("GET /shutdown", 405),
        ("GET /healthz/ready", 200),
    ] {
        assert_eq!(status(&router, request), expected, "{request}");
    }
}

#[test]
fn the_dump_is_what_is_in_force() {
    let (router, upstream, documents) = serving();
    let dump = || router.admin_get("/config_dump").json();
    let before = dump();
    assert_eq!(before["generation"], 1, "{before}");
    let text = before.to_string();
    for part in ["default/app-example/all", "up.example", &upstream.address.to_string()] {
        assert!(text.contains(part), "{part} in {before:#}");
    }
    router.folder().replace("documents.yaml", &documents.replace("name: all", "name: renamed"));
    router.wait_until("the edit is in the dump", |_| dump().to_string().contains("default/app-example/renamed"));
    assert_eq!(dump()["generation"], 2);
    router.folder().replace("documents.yaml", "not: [yaml");
    router.wait_until("the refusal is in the dump", |_| dump()["last_reload"] == "refused");
    let after = dump();
    assert_eq!(after["generation"], 2);
    assert_eq!(after["problems"][0]["code"], "OVS001", "{after:#}");
    assert!(after.to_string().contains("default/app-example/renamed"), "the last good one is in force");
}

#[test]
fn endpoints_are_listed_with_what_is_in_flight() {
    let (router, upstream, _) = serving();
    let mut connection = Connection::open(router.traffic);
    connection.send("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    let exchange = upstream.next();
    let pool = router.admin_get("/clusters?format=json").json()["pools"][0].clone();
    assert_eq!((pool["pool"].as_str(), pool["tier"].as_str()), (Some("up.example:80"), Some("gpu")), "{pool:#}");
    assert_eq!((&pool["in_flight"], &pool["slots_per_endpoint"]), (&1.into(), &3.into()), "{pool:#}");
    assert_eq!(pool["endpoints"][0]["address"], upstream.address.to_string());
    let line = format!("up.example:80::{}::rq_active::1", upstream.address);
    let text = router.admin_get("/clusters").text();
    assert!(text.lines().any(|found| found == line), "{text}");
    exchange.answer(200, "");
    assert_eq!(connection.read_reply().head.status, 200);
}
