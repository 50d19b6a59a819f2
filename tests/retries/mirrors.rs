//! Copies of requests whose answers nobody gets.

use std::net::SocketAddr;

use super::harness::series::MIRRORED;
use super::harness::{
    Answer, Client, Connection, PAIRS, Router, Service, Upstream, Wire, closed_port, policy, virtual_service,
};

/// A router that sends `app.example` to `pool` and copies as `mirrors` says; the pools beside it are `hosts`.
fn mirroring(pool: SocketAddr, mirrors: &str, hosts: &[Service<'_>], more: &str) -> Router {
    let rule = format!("  - {{name: all, {mirrors}, route: [{{destination: {{host: pool.example}}}}]}}");
    let pool = Service { host: "pool.example", wire: Wire::H1, endpoints: &[pool] }.document();
    let hosts: String = hosts.iter().map(Service::document).collect();
    Router::start(&(virtual_service("app.example", &rule) + &pool + &hosts + more))
}

fn ok() -> Upstream {
    Upstream::start(Wire::H1, Answer::Fixed(200, "original".to_owned()))
}

fn count(router: &Router, result: &str) -> u64 {
    router.metrics().count(MIRRORED, &[("result", result)])
}

#[test]
fn a_copy_has_the_rules_head_and_a_host_of_its_own() {
    for (front, back) in PAIRS {
        let (pool, shadow) = (ok(), Upstream::start(back, Answer::Held));
        let shadows = Service { host: "shadow.example", wire: back, endpoints: &[shadow.address] };
        let mirrors = "match: [{uri: {prefix: /old}}], mirror: {host: shadow.example}, rewrite: {uri: /new}, headers: {request: {set: {x-rule: edited}}}";
        let router = mirroring(pool.address, mirrors, &[shadows], "");
        let mut client = Client::connect(router.traffic, front);
        let reply = client.ask("POST", "/old", &[("x-request-id", "same"), ("expect", "100-continue")], "body");
        assert_eq!((reply.head.status, reply.text().as_str()), (200, "original"), "no copy delays its original");
        let mut copy = shadow.next();
        let host = copy.request.uri.authority().map_or_else(|| copy.field("host"), ToString::to_string);
        assert_eq!((host.as_str(), copy.request.uri.path()), ("app.example-shadow", "/new"), "{front:?} to {back:?}");
        let told = ["x-rule", "x-request-id", "x-envoy-internal", "x-envoy-attempt-count", "expect"]
            .map(|name| copy.field(name));
        assert_eq!(told, ["edited", "same", "true", "1", ""]);
        assert_eq!(copy.rest().expect("a whole body").0, b"body");
        copy.answer(500, "thrown away");
        router.wait_for("the copy is over", |metrics| metrics.count(MIRRORED, &[("result", "answered")]) == 1);
    }
}

#[test]
fn the_port_of_a_host_stays_behind_it() {
    let (pool, shadow) = (ok(), Upstream::start(Wire::H1, Answer::Held));
    let shadows = Service { host: "shadow.example", wire: Wire::H1, endpoints: &[shadow.address] };
    let router = mirroring(pool.address, "mirror: {host: shadow.example}", &[shadows], "");
    let reply = Connection::open(router.traffic).ask("GET / HTTP/1.1\r\nhost: app.example:8080\r\n\r\n");
    assert_eq!(reply.head.status, 200);
    assert_eq!(shadow.next().field("host"), "app.example-shadow:8080");
}

#[test]
fn a_copy_follows_the_body_while_it_streams() {
    let (pool, shadow) = (Upstream::start(Wire::H1, Answer::Held), Upstream::start(Wire::H2, Answer::Held));
    let shadows = Service { host: "shadow.example", wire: Wire::H2, endpoints: &[shadow.address] };
    let router = mirroring(pool.address, "mirror: {host: shadow.example}", &[shadows], "");
    let mut call = Client::connect(router.traffic, Wire::H1).start("POST", "/", &[]);
    let (mut original, mut copy) = (pool.next(), shadow.next());
    for piece in ["one", "two", "three"] {
        assert!(call.send(piece));
        assert_eq!(original.at_least(piece.len()), piece.as_bytes());
        assert_eq!(copy.at_least(piece.len()), piece.as_bytes());
    }
    call.finish();
    assert!(original.rest().is_ok() && copy.rest().is_ok());
    original.answer(200, "");
    assert_eq!(call.head().status, 200);
}

#[test]
fn an_original_that_is_tried_again_is_copied_once() {
    let (pool, shadow) = (Upstream::start(Wire::H1, Answer::Held), Upstream::start(Wire::H1, Answer::Held));
    let shadows = Service { host: "shadow.example", wire: Wire::H1, endpoints: &[shadow.address] };
    let fields = format!("mirror: {{host: shadow.example}}, {}", super::ON_5XX);
    let router = mirroring(pool.address, &fields, &[shadows], "");
    let mut call = Client::connect(router.traffic, Wire::H1).start("POST", "/", &[]);
    assert!(call.send("body"));
    call.finish();
    for status in [503, 200] {
        let mut exchange = pool.next();
        assert_eq!(exchange.rest().expect("a whole body").0, b"body");
        exchange.answer(status, "");
    }
    assert_eq!(call.head().status, 200);
    let mut copy = shadow.next();
    assert_eq!(copy.rest().expect("a whole body").0, b"body");
    copy.answer(204, "");
    router.wait_for("the copy is over", |metrics| metrics.count(MIRRORED, &[("result", "answered")]) == 1);
    assert_eq!(shadow.seen.requests(), 1);
}

#[test]
fn a_copy_that_nobody_takes_costs_its_original_nothing() {
    let pool = ok();
    let (_socket, refusing) = closed_port();
    let shadows = Service { host: "shadow.example", wire: Wire::H1, endpoints: &[refusing] };
    let router = mirroring(pool.address, "mirror: {host: shadow.example}", &[shadows], "");
    for _ in 0..3 {
        assert_eq!(Client::connect(router.traffic, Wire::H1).ask("POST", "/", &[], "body").text(), "original");
    }
    router.wait_for("the copies failed", |metrics| metrics.count(MIRRORED, &[("result", "failed")]) == 3);
}

#[test]
fn a_copy_takes_no_place_in_a_queue() {
    let (pool, shadow) = (ok(), Upstream::start(Wire::H1, Answer::Held));
    let shadows = Service { host: "shadow.example", wire: Wire::H1, endpoints: &[shadow.address] };
    let more = policy("shadow.example", "tier: gpu, slotsPerEndpoint: 1");
    let router = mirroring(pool.address, "mirror: {host: shadow.example}", &[shadows], &more);
    let mut client = Client::connect(router.traffic, Wire::H1);
    assert_eq!(client.ask("GET", "/", &[], "").head.status, 200);
    let held = shadow.next();
    assert_eq!(client.ask("GET", "/", &[], "").head.status, 200);
    router.wait_for("the second is dropped", |metrics| metrics.count(MIRRORED, &[("result", "dropped")]) == 1);
    held.answer(200, "");
}

#[test]
fn a_worker_has_so_many_copies_under_way_and_no_more() {
    const MOST: u64 = 128;
    let (pool, shadow) = (ok(), Upstream::start(Wire::H1, Answer::Held));
    let shadows = Service { host: "shadow.example", wire: Wire::H1, endpoints: &[shadow.address] };
    let more = "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: settings}\nspec: {workers: 1}\n"
        .to_owned()
        + &policy("shadow.example", "tier: gpu, slotsPerEndpoint: 1000");
    let router = mirroring(pool.address, "mirror: {host: shadow.example}", &[shadows], &more);
    let mut client = Client::connect(router.traffic, Wire::H1);
    for _ in 0..MOST + 2 {
        assert_eq!(client.ask("GET", "/", &[], "").head.status, 200);
    }
    assert_eq!(count(&router, "dropped"), 2);
    for _ in 0..MOST {
        shadow.next().answer(200, "");
    }
    router.wait_for("all others are answered", |metrics| metrics.count(MIRRORED, &[("result", "answered")]) == MOST);
    assert_eq!(client.ask("GET", "/", &[], "").head.status, 200);
    shadow.next().answer(200, "");
}

#[test]
fn a_copy_that_lags_too_far_behind_is_given_up() {
    let (pool, shadow) = (ok(), Upstream::start(Wire::H2, Answer::Held));
    let shadows = Service { host: "shadow.example", wire: Wire::H2, endpoints: &[shadow.address] };
    let router = mirroring(pool.address, "mirror: {host: shadow.example}", &[shadows], "");
    let mut call = Client::connect(router.traffic, Wire::H1).start("POST", "/", &[]);
    assert!(call.send("begun"));
    // The copy is under way before there is anything that it could lag behind.
    let mut copy = shadow.next();
    for _ in 0..8 {
        assert!(call.send(&"x".repeat(1 << 20)), "no copy delays its original");
    }
    call.finish();
    assert_eq!(call.head().status, 200);
    assert_eq!(call.rest().expect("a whole answer").0, b"original");
    copy.wait_for_abandon();
    router.wait_for("the copy is dropped", |metrics| metrics.count(MIRRORED, &[("result", "dropped")]) == 1);
}

#[test]
fn an_original_that_breaks_off_takes_its_copy_along() {
    let (pool, shadow) = (Upstream::start(Wire::H1, Answer::Held), Upstream::start(Wire::H1, Answer::Held));
    let shadows = Service { host: "shadow.example", wire: Wire::H1, endpoints: &[shadow.address] };
    let router = mirroring(pool.address, "mirror: {host: shadow.example}", &[shadows], "");
    let mut client = Client::connect(router.traffic, Wire::H1);
    let call = client.start("POST", "/", &[]);
    assert!(call.send("half"));
    let (mut original, mut copy) = (pool.next(), shadow.next());
    assert_eq!((original.at_least(4), copy.at_least(4)), (b"half".to_vec(), b"half".to_vec()));
    client.vanish();
    drop(call);
    assert!(copy.rest().is_err(), "half a copy must not look whole");
    router.wait_for("the copy failed", |metrics| metrics.count(MIRRORED, &[("result", "failed")]) == 1);
}

#[test]
fn each_of_several_mirrors_draws_by_itself() {
    const REQUESTS: u64 = 1000;
    let pool = ok();
    let shadows = [ok(), ok(), ok()];
    let endpoints = [[shadows[0].address], [shadows[1].address], [shadows[2].address]];
    let hosts = [("a.example", 0), ("b.example", 1), ("c.example", 2)].map(|(host, place)| Service {
        host,
        wire: Wire::H1,
        endpoints: &endpoints[place],
    });
    let mirrors = "mirrors: [{destination: {host: a.example}, percentage: {value: 50}}, \
                   {destination: {host: b.example}, percentage: {value: 50}}, \
                   {destination: {host: c.example}, percentage: {value: 0}}]";
    let router = mirroring(pool.address, mirrors, &hosts, "");
    let mut client = Client::connect(router.traffic, Wire::H1);
    let mut odd = 0;
    let over = |metrics: &super::harness::Metrics| metrics.count(MIRRORED, &[]);
    let mut before = 0;
    for _ in 0..REQUESTS / 10 {
        // In tens, so that no copy is ever refused for want of room.
        for _ in 0..10 {
            assert_eq!(client.ask("GET", "/", &[], "").head.status, 200);
        }
        let sent = || shadows.iter().map(|shadow| shadow.seen.requests()).sum::<u64>();
        router.wait_for("the copies are over", |metrics| over(metrics) == sent());
        odd += (sent() - before) % 2;
        before = sent();
    }
    // Six standard deviations of a binomial draw: a right router fails this once in half a billion runs.
    for shadow in &shadows[..2] {
        assert!((405..=595).contains(&shadow.seen.requests()), "{}", shadow.seen.requests());
    }
    assert!(odd > 0, "drawn together, the two would make none or two of each request");
    assert_eq!(shadows[2].seen.requests(), 0);
    assert_eq!(count(&router, "dropped"), 0);
}

#[test]
fn what_the_rule_answers_itself_is_not_copied() {
    let (pool, shadow) = (ok(), ok());
    let shadows = Service { host: "shadow.example", wire: Wire::H1, endpoints: &[shadow.address] };
    let fields = "mirror: {host: shadow.example}, fault: {abort: {httpStatus: 418, percentage: {value: 100}}}";
    let router = mirroring(pool.address, fields, &[shadows], "");
    assert_eq!(Client::connect(router.traffic, Wire::H1).ask("GET", "/", &[], "").head.status, 418);
    assert_eq!((shadow.seen.requests(), router.metrics().count(MIRRORED, &[])), (0, 0));
}
