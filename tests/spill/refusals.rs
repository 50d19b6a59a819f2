//! The last resort: 429 and 503, each with `Retry-After` and one reason that is the same everywhere.

use super::harness::series::REFUSED;
use super::harness::{Answer, Connection, Reply, Router, Upstream, Wire, closed_port};
use super::{ONE_SLOT, Tiers, begin};

fn asked_as(router: &Router, id: &str) -> Reply {
    let mut connection = Connection::open(router.traffic);
    connection.ask(&format!("GET / HTTP/1.1\r\nhost: app.example\r\nx-request-id: {id}\r\n\r\n"))
}

/// Holds the answer, the log and the metric of one refusal against each other.
fn is_refused(router: &Router, reply: &Reply, id: &str, (status, error): (u16, &str), reasons: &[&str]) {
    assert_eq!(reply.head.status, status, "{reply:?}");
    let wait: u64 = reply.head.value("retry-after").parse().expect("Retry-After in seconds");
    assert!(wait >= 1);
    let line = router.access_of(id);
    let reason = line.field("reason");
    assert!(reasons.contains(&reason.as_str()), "{reason}");
    let told = reply.head.value("proxy-status");
    assert!(told.starts_with(&format!("overspill; error={error};")) && told.contains(&reason), "{told}");
    assert_eq!(line.field("response_code"), status.to_string());
    router.wait_for("the refusal is counted", |metrics| metrics.count(REFUSED, &[("reason", &reason)]) == 1);
    assert_eq!(reply.head.field("x-served-by"), None);
}

#[test]
fn full_pools_without_a_queue_are_a_429() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let (gpus, cpus) = ([gpu.address], [gpu.address]);
    let tiers = Tiers { gpu: &gpus, cpu: &cpus, gpu_policy: ONE_SLOT, cpu_policy: ONE_SLOT };
    let router = Router::start(&tiers.documents());
    let mut first = begin(router.traffic);
    let exchange = gpu.next();
    let reply = asked_as(&router, "full");
    is_refused(&router, &reply, "full", (429, "connection_limit_reached"), &["queue_full", "slots_taken"]);
    exchange.answer(200, "");
    assert_eq!(first.read_reply().head.status, 200);
}

#[test]
fn a_wait_that_takes_too_long_is_a_429() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let (gpus, cpus) = ([gpu.address], [gpu.address]);
    let gpu_policy = "slotsPerEndpoint: 1, queue: {maxPending: 1, timeout: 50ms}";
    let router = Router::start(&Tiers { gpu: &gpus, cpu: &cpus, gpu_policy, cpu_policy: ONE_SLOT }.documents());
    let _first = begin(router.traffic);
    let _exchange = gpu.next();
    let reply = asked_as(&router, "waited");
    is_refused(&router, &reply, "waited", (429, "connection_limit_reached"), &["queue_timeout"]);
}

#[test]
fn endpoints_that_all_refuse_are_a_503() {
    let (_socket, refusing) = closed_port();
    let endpoints = [refusing];
    let tiers = Tiers { gpu: &endpoints, cpu: &endpoints, gpu_policy: ONE_SLOT, cpu_policy: ONE_SLOT };
    let router = Router::start(&tiers.documents());
    let reply = asked_as(&router, "down");
    is_refused(&router, &reply, "down", (503, "connection_refused"), &["connect_failed"]);
}

#[test]
fn both_tiers_down_are_a_503_that_names_both() {
    let (_socket, refusing) = closed_port();
    let endpoints = [refusing];
    let gpu_policy = super::ONE_SLOT_THEN_CPU;
    let tiers = Tiers { gpu: &endpoints, cpu: &endpoints, gpu_policy, cpu_policy: ONE_SLOT };
    let router = Router::start(&tiers.documents());
    let reply = asked_as(&router, "both");
    is_refused(&router, &reply, "both", (503, "connection_refused"), &["connect_failed"]);
    assert!(reply.head.value("proxy-status").contains("gpu.example:80"), "{reply:?}");
}

#[test]
fn a_refusal_leaves_the_connection_usable() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let (gpus, cpus) = ([gpu.address], [gpu.address]);
    let tiers = Tiers { gpu: &gpus, cpu: &cpus, gpu_policy: ONE_SLOT, cpu_policy: ONE_SLOT };
    let router = Router::start(&tiers.documents());
    let mut first = begin(router.traffic);
    let exchange = gpu.next();
    let mut connection = Connection::open(router.traffic);
    let request = "POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: 4\r\n\r\nbody";
    assert_eq!(connection.ask(request).head.status, 429);
    assert_eq!(connection.ask(request).head.status, 429);
    exchange.answer(200, "");
    assert_eq!(first.read_reply().head.status, 200);
    connection.send(request);
    gpu.next().answer(200, "served");
    assert_eq!(connection.read_reply().text(), "served");
}
