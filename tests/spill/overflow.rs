//! From the GPU pool to the CPU pool: slots taken, connections refused, no endpoints.

use super::harness::series::{IN_FLIGHT, QUEUED, SPILLED};
use super::harness::{Answer, Connection, Router, Service, Upstream, Wire, closed_port, policy, text, virtual_service};
use super::{ONE_SLOT, ONE_SLOT_THEN_CPU, Tiers, ask, begin, served_by};

fn cpu_answer() -> Upstream {
    Upstream::start(Wire::H1, Answer::Echo("cpu".to_owned()))
}

#[test]
fn a_pool_whose_slots_are_taken_spills_until_one_comes_free() {
    let (gpu, cpu) = (Upstream::start(Wire::H1, Answer::Held), cpu_answer());
    let (gpus, cpus) = ([gpu.address], [cpu.address]);
    let tiers = Tiers { gpu: &gpus, cpu: &cpus, gpu_policy: ONE_SLOT_THEN_CPU, cpu_policy: ONE_SLOT };
    let router = Router::start(&tiers.documents());
    let mut first = begin(router.traffic);
    let exchange = gpu.next();
    let second = ask(router.traffic);
    assert_eq!((second.head.status, served_by(&second).as_str()), (200, "cpu"));
    let status = second.head.value("proxy-status");
    assert!(status.starts_with("overspill") && status.contains("slots_taken at gpu.example:80"), "{status}");
    exchange.answer(200, "from the gpu");
    let first = first.read_reply();
    assert_eq!((served_by(&first).as_str(), first.text().as_str()), ("gpu", "from the gpu"));
    assert!(!first.head.value("proxy-status").contains("spilled"), "{first:?}");
    let pool = [("pool", "gpu.example:80"), ("reason", "slots_taken")];
    router.wait_for("one request is counted as spilled", |metrics| metrics.count(SPILLED, &pool) == 1);
    router.wait_for("no slot is held", |metrics| metrics.count(IN_FLIGHT, &[]) == 0);
    let mut third = begin(router.traffic);
    gpu.next().answer(200, "again");
    assert_eq!(served_by(&third.read_reply()), "gpu");
}

#[test]
fn a_slot_is_held_to_the_end_of_the_answer() {
    let (gpu, cpu) = (Upstream::start(Wire::H1, Answer::Held), cpu_answer());
    let (gpus, cpus) = ([gpu.address], [cpu.address]);
    let tiers = Tiers { gpu: &gpus, cpu: &cpus, gpu_policy: ONE_SLOT_THEN_CPU, cpu_policy: ONE_SLOT };
    let router = Router::start(&tiers.documents());
    let mut first = begin(router.traffic);
    let mut exchange = gpu.next();
    exchange.begin(200, &[]);
    exchange.send("half");
    assert_eq!(first.head().status, 200);
    assert_eq!(first.chunk().as_deref(), Some(&b"half"[..]));
    assert_eq!(served_by(&ask(router.traffic)), "cpu");
    exchange.finish();
    assert_eq!(first.chunk(), None);
    router.wait_for("no slot is held", |metrics| metrics.count(IN_FLIGHT, &[]) == 0);
    let mut next = begin(router.traffic);
    gpu.next().answer(200, "");
    assert_eq!(served_by(&next.read_reply()), "gpu");
}

#[test]
fn slots_are_counted_per_endpoint_and_over_every_worker() {
    let gpus: Vec<_> = (0..3).map(|_| Upstream::start(Wire::H1, Answer::Held)).collect();
    let cpu = cpu_answer();
    let addresses: Vec<_> = gpus.iter().map(|gpu| gpu.address).collect();
    let gpu_policy = "slotsPerEndpoint: 2, queue: {maxPending: 0}, spillTo: [{host: cpu.example}]";
    let cpus = [cpu.address];
    let router = Router::start(&Tiers { gpu: &addresses, cpu: &cpus, gpu_policy, cpu_policy: ONE_SLOT }.documents());
    let mut connections: Vec<Connection> = (0..6).map(|_| begin(router.traffic)).collect();
    let exchanges: Vec<_> = gpus.iter().flat_map(|gpu| [gpu.next(), gpu.next()]).collect();
    assert_eq!(served_by(&ask(router.traffic)), "cpu", "the seventh finds six slots taken");
    for exchange in exchanges {
        exchange.answer(200, "");
    }
    for connection in &mut connections {
        assert_eq!(served_by(&connection.read_reply()), "gpu");
    }
}

#[test]
fn a_refused_connection_spills_with_the_body_whole() {
    let ((_socket, refusing), cpu) = (closed_port(), cpu_answer());
    let (gpus, cpus) = ([refusing], [cpu.address]);
    let tiers = Tiers { gpu: &gpus, cpu: &cpus, gpu_policy: ONE_SLOT_THEN_CPU, cpu_policy: ONE_SLOT };
    let router = Router::start(&tiers.documents());
    let mut connection = Connection::open(router.traffic);
    let reply = connection.ask("POST /x HTTP/1.1\r\nhost: app.example\r\ncontent-length: 4\r\n\r\nbody");
    assert_eq!((reply.head.status, served_by(&reply).as_str()), (200, "cpu"));
    assert_eq!(reply.json()["body"], "body");
    // Once the endpoint is known to be down the reason may be `no_endpoint`; the first request is the one that finds out.
    assert!(reply.head.value("proxy-status").contains("connect_failed at gpu.example:80"), "{reply:?}");
    let line = router.wait_for_access(|line| line.field("path") == "/x");
    assert_eq!(line.field("tier"), "cpu", "{line:?}");
}

#[test]
fn one_refusing_endpoint_of_a_pool_is_passed_over() {
    let ((_socket, refusing), gpu) = (closed_port(), Upstream::start(Wire::H1, Answer::Fixed(200, "gpu".to_owned())));
    let cpu = cpu_answer();
    let (gpus, cpus) = ([refusing, gpu.address], [cpu.address]);
    let gpu_policy = "slotsPerEndpoint: 8, spillTo: [{host: cpu.example}]";
    let router = Router::start(&Tiers { gpu: &gpus, cpu: &cpus, gpu_policy, cpu_policy: ONE_SLOT }.documents());
    for _ in 0..20 {
        let reply = ask(router.traffic);
        assert_eq!((reply.head.status, served_by(&reply).as_str()), (200, "gpu"), "{reply:?}");
    }
}

#[test]
fn a_pool_without_endpoints_spills() {
    let cpu = cpu_answer();
    let subset = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
                  metadata: {name: cpu, namespace: default}\n\
                  spec: {host: cpu.example, subsets: [{name: none, labels: {version: none}}, {name: all}]}\n";
    let documents =
        virtual_service("app.example", "  - {name: all, route: [{destination: {host: cpu.example, subset: none}}]}")
            + &Service { host: "cpu.example", wire: Wire::H1, endpoints: &[cpu.address] }.document()
            + subset
            + &policy("cpu.example", "subset: none, tier: gpu, spillTo: [{host: cpu.example, subset: all}]")
            + &policy("cpu.example", "subset: all, tier: cpu").replace("name: cpu-example", "name: cpu-example-all");
    let router = Router::start(&documents);
    let reply = ask(router.traffic);
    assert_eq!((reply.head.status, served_by(&reply).as_str()), (200, "cpu"), "{reply:?}");
    assert!(reply.head.value("proxy-status").contains("no_endpoint"), "{reply:?}");
}

#[test]
fn a_request_waits_for_a_slot_and_is_served_when_one_comes_free() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let cpu = Upstream::start(Wire::H1, Answer::Held);
    let (gpus, cpus) = ([gpu.address], [cpu.address]);
    let gpu_policy = "slotsPerEndpoint: 1, queue: {maxPending: 1, timeout: 60s}, spillTo: [{host: cpu.example}]";
    let router = Router::start(&Tiers { gpu: &gpus, cpu: &cpus, gpu_policy, cpu_policy: ONE_SLOT }.documents());
    let mut first = begin(router.traffic);
    let held = gpu.next();
    let mut second = begin(router.traffic);
    let spilled = cpu.next();
    let mut third = begin(router.traffic);
    router.wait_for("the third waits", |metrics| metrics.count(QUEUED, &[]) == 1);
    let fourth = ask(router.traffic);
    assert_eq!(fourth.head.status, 429, "the queue has one place");
    assert!(fourth.head.value("proxy-status").contains("queue_full"), "{fourth:?}");
    held.answer(200, "first");
    assert_eq!(first.read_reply().text(), "first");
    let next = gpu.next();
    assert_eq!(text(&next.request.headers, "host"), "app.example");
    next.answer(200, "third");
    assert_eq!(third.read_reply().text(), "third");
    spilled.answer(200, "second");
    assert_eq!(served_by(&second.read_reply()), "cpu");
    router.wait_for("nothing waits", |metrics| metrics.count(QUEUED, &[]) == 0);
}

#[test]
fn a_request_that_waits_is_not_lost_to_an_endpoint_that_refuses() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let (_socket, refusing) = closed_port();
    let gpus = [refusing, gpu.address];
    let gpu_policy = "slotsPerEndpoint: 1, queue: {maxPending: 1, timeout: 20s}";
    let tiers = Tiers { gpu: &gpus, cpu: &[gpu.address], gpu_policy, cpu_policy: ONE_SLOT };
    let router = Router::start(&tiers.documents());
    let mut first = begin(router.traffic);
    let exchange = gpu.next();
    let mut second = begin(router.traffic);
    // The endpoint that refuses has a slot free; the request is to wait for the other's.
    router.wait_for("the second waits", |metrics| metrics.count(QUEUED, &[("pool", "gpu.example:80")]) == 1);
    exchange.answer(200, "");
    assert_eq!(first.read_reply().head.status, 200);
    gpu.next().answer(200, "");
    assert_eq!(second.read_reply().head.status, 200);
}
