//! Requests for a pool without endpoints wait for the first one.

use std::net::SocketAddr;

use serde_json::Value;

use super::harness::series::GENERATION;
use super::harness::{Answer, Connection, Router, Service, Upstream, Wire, closed_port, policy};
use super::{KEY, begin, documents};

fn figure(router: &Router, name: &str) -> Value {
    let figures: Value = serde_json::from_str(&router.admin_get("/scaling").text()).expect("it is JSON");
    figures["pools"][KEY][name].clone()
}

fn waiting(router: &Router, count: u64) {
    router.wait_until("they wait", |router| figure(router, "queued") == count);
}

fn held(endpoints: &[SocketAddr], room: &str) -> String {
    documents("", endpoints, &format!("scaling: {{minReplicas: 0}}, holdAtZero: {{{room}}}"))
}

#[test]
fn requests_wait_over_a_reload_for_the_first_endpoint() {
    let router = Router::start(&held(&[], ""));
    let mut get = begin(router.traffic);
    let mut post = Connection::open(router.traffic);
    post.send("POST /embed HTTP/1.1\r\nhost: app.example\r\ncontent-length: 5\r\n\r\nhello");
    waiting(&router, 2);
    assert_eq!((figure(&router, "active"), figure(&router, "desired_replicas")), (true.into(), 1.into()));
    let gpu = Upstream::start(Wire::H1, Answer::Echo("gpu".to_owned()));
    router.folder().replace("documents.yaml", &held(&[gpu.address], ""));
    assert_eq!(get.read_reply().head.status, 200);
    let reply = post.read_reply();
    assert_eq!((reply.head.status, &reply.json()["body"]), (200, &"hello".into()));
    waiting(&router, 0);
    router.wait_for("nothing is counted any more", |metrics| {
        ["overspill_requests_in_flight", "overspill_spilled_away_requests"]
            .iter()
            .all(|name| metrics.count(name, &[]) == 0)
    });
}

#[test]
fn an_endpoint_that_refuses_connections_is_waited_for_until_it_listens() {
    let (socket, address) = closed_port();
    let router = Router::start(&held(&[address], ""));
    let mut client = begin(router.traffic);
    waiting(&router, 1);
    let _gpu = Upstream::listen(socket, Wire::H1, Answer::Echo("gpu".to_owned()));
    assert_eq!(client.read_reply().head.status, 200);
}

#[test]
fn the_room_is_bounded_in_requests_bytes_and_time() {
    let router = Router::start(&held(&[], "maxRequests: 2, maxBytes: 10, timeout: 30s"));
    let mut large = Connection::open(router.traffic);
    large.send("POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: 11\r\n\r\nhello world");
    let refused = large.read_reply();
    assert_eq!((refused.head.status, &refused.json()["error"]["code"]), (429, &"queue_full".into()));
    let _waiting = [begin(router.traffic), begin(router.traffic)];
    waiting(&router, 2);
    assert_eq!(begin(router.traffic).read_reply().head.status, 429);

    let hasty = Router::start(&held(&[], "timeout: 50ms"));
    let late = begin(hasty.traffic).read_reply();
    assert_eq!((late.head.status, &late.json()["error"]["code"]), (503, &"no_endpoint".into()));
}

/// The documents of a pool at zero that spills to one with a slot, and holds what finds that taken.
fn spilling(gpu: &[SocketAddr], cpu: SocketAddr) -> String {
    let spills = "tier: gpu, spillTo: [{host: cpu.example}], scaling: {minReplicas: 0}, holdAtZero: {}";
    documents("", gpu, spills)
        + &Service { host: "cpu.example", wire: Wire::H1, endpoints: &[cpu] }.document()
        + &policy("cpu.example", "slotsPerEndpoint: 1, queue: {maxPending: 1, timeout: 20ms}")
}

#[test]
fn what_finds_no_room_where_it_may_spill_is_held() {
    let cpu = Upstream::start(Wire::H1, Answer::Held);
    let router = Router::start(&spilling(&[], cpu.address));
    let mut first = begin(router.traffic);
    let spilled = cpu.next();
    let mut second = begin(router.traffic);
    waiting(&router, 1);
    let gpu = Upstream::start(Wire::H1, Answer::Echo("gpu".to_owned()));
    router.folder().replace("documents.yaml", &spilling(&[gpu.address], cpu.address));
    let reply = second.read_reply();
    assert_eq!((reply.head.status, reply.head.value("x-served-by")), (200, "gpu".to_owned()));
    spilled.answer(200, "");
    assert_eq!(first.read_reply().head.status, 200);
}

#[test]
fn an_endpoint_that_is_not_warm_yet_is_waited_for() {
    let cold = |endpoints: &[SocketAddr]| {
        let policy = "scaling: {minReplicas: 0}, holdAtZero: {}, queue: {maxPending: 0}, warmupRequest: {path: /warm}";
        documents("", endpoints, policy)
    };
    let router = Router::start(&cold(&[]));
    let mut before = begin(router.traffic);
    waiting(&router, 1);
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    router.folder().replace("documents.yaml", &cold(&[gpu.address]));
    let warm_up = gpu.next();
    assert_eq!(warm_up.request.uri.path(), "/warm");
    let mut meanwhile = begin(router.traffic);
    waiting(&router, 2);
    warm_up.answer(200, "");
    for _ in 0..2 {
        gpu.next().answer(200, "");
    }
    assert_eq!([before.read_reply().head.status, meanwhile.read_reply().head.status], [200, 200]);
}

#[test]
fn who_leaves_the_room_gives_the_place_back() {
    let router = Router::start(&held(&[], "maxRequests: 1, timeout: 60s"));
    let client = begin(router.traffic);
    waiting(&router, 1);
    drop(client);
    waiting(&router, 0);
    let _next = begin(router.traffic);
    waiting(&router, 1);
}

#[test]
fn who_was_held_is_counted_once_while_it_is_served() {
    let router = Router::start(&held(&[], ""));
    let mut clients = [begin(router.traffic), begin(router.traffic)];
    waiting(&router, 2);
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let scaled = documents("", &[gpu.address], "slotsPerEndpoint: 1, scaling: {minReplicas: 0}, holdAtZero: {}");
    router.folder().replace("documents.yaml", &scaled);
    let first = gpu.next();
    router.wait_until("one is served, and one waits", |router| {
        figure(router, "in_flight") == 1 && figure(router, "queued") == 1
    });
    // Who comes now goes after who was held.
    let mut later = begin(router.traffic);
    waiting(&router, 2);
    first.answer(200, "");
    gpu.next().answer(200, "");
    for client in &mut clients {
        assert_eq!(client.read_reply().head.status, 200);
    }
    gpu.next().answer(200, "");
    assert_eq!(later.read_reply().head.status, 200);
    waiting(&router, 0);
}

#[test]
fn a_shorter_room_is_for_those_who_come_later() {
    let router = Router::start(&held(&[], "timeout: 60s"));
    let mut before = begin(router.traffic);
    waiting(&router, 1);
    router.folder().replace("documents.yaml", &held(&[], "maxRequests: 1, timeout: 60s"));
    router.wait_for("the room is smaller", |metrics| metrics.count(GENERATION, &[]) == 2);
    assert_eq!(begin(router.traffic).read_reply().head.status, 429);
    let gpu = Upstream::start(Wire::H1, Answer::Echo("gpu".to_owned()));
    router.folder().replace("documents.yaml", &held(&[gpu.address], "maxRequests: 1"));
    assert_eq!(before.read_reply().head.status, 200);
}

#[test]
fn what_may_be_spilled_is_not_held() {
    let cpu = Upstream::start(Wire::H1, Answer::Echo("cpu".to_owned()));
    let spills = "spillTo: [{host: cpu.example}], scaling: {minReplicas: 0}, holdAtZero: {}";
    let router = Router::start(
        &(documents("", &[], spills)
            + &Service { host: "cpu.example", wire: Wire::H1, endpoints: &[cpu.address] }.document()
            + &policy("cpu.example", "tier: cpu")),
    );
    let reply = begin(router.traffic).read_reply();
    assert_eq!((reply.head.status, reply.head.value("x-served-by")), (200, "cpu".to_owned()));
    router.wait_until("the pool at zero is asked for all the same", |router| figure(router, "active") == true);
}

#[test]
fn without_a_room_nothing_waits() {
    let router = Router::start(&documents("", &[], "scaling: {minReplicas: 0}"));
    assert_eq!(begin(router.traffic).read_reply().head.status, 503);
}
