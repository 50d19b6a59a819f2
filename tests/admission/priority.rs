//! Who goes first where requests wait.

use super::harness::series::QUEUED;
use super::harness::{Answer, Connection, Exchange, Router, Upstream, Wire};
use super::{begin, begin_sensitive, documents};

/// A pool of one slot, held by a request, with as many places as `pending`.
struct Full {
    router: Router,
    gpu: Upstream,
    first: Connection,
    held: Exchange,
}

impl Full {
    fn start(pending: u32) -> Self {
        let gpu = Upstream::start(Wire::H1, Answer::Held);
        let policy = format!("slotsPerEndpoint: 1, queue: {{maxPending: {pending}, timeout: 60s}}");
        let router = Router::start(&documents((&[gpu.address], &policy), (&[gpu.address], ""), ""));
        let first = begin(router.traffic, "/first");
        let held = gpu.next();
        Self { router, gpu, first, held }
    }

    fn wait_for(&self, queued: u64) {
        router_has(&self.router, queued);
    }
}

fn router_has(router: &Router, queued: u64) {
    router.wait_for("the requests wait", |metrics| metrics.count(QUEUED, &[("pool", "gpu.example:80")]) == queued);
}

#[test]
fn the_sensitive_go_first_and_one_slot_in_eight_goes_to_the_others() {
    let full = Full::start(32);
    let mut others = Vec::new();
    for nth in 0..2 {
        others.push(begin(full.router.traffic, &format!("/standard-{nth}")));
        full.wait_for(nth + 1);
    }
    let mut sensitive = Vec::new();
    for nth in 0..9 {
        sensitive.push(begin_sensitive(full.router.traffic, &format!("/sensitive-{nth}")));
        full.wait_for(nth + 3);
    }
    full.held.answer(200, "");
    let mut served = Vec::new();
    for _ in 0..11 {
        let exchange = full.gpu.next();
        served.push(exchange.request.uri.path().to_owned());
        exchange.answer(200, "");
    }
    let mut expected: Vec<String> = (0..7).map(|nth| format!("/sensitive-{nth}")).collect();
    expected.push("/standard-0".to_owned());
    expected.extend(["/sensitive-7", "/sensitive-8", "/standard-1"].map(str::to_owned));
    assert_eq!(served, expected);
    let mut first = full.first;
    for connection in std::iter::once(&mut first).chain(&mut others).chain(&mut sensitive) {
        assert_eq!(connection.read_reply().head.status, 200);
    }
    router_has(&full.router, 0);
}

#[test]
fn a_sensitive_request_takes_the_place_of_another_where_every_place_is_taken() {
    let full = Full::start(1);
    let mut standard = begin(full.router.traffic, "/standard");
    full.wait_for(1);
    let mut sensitive = begin_sensitive(full.router.traffic, "/sensitive");
    let refused = standard.read_reply();
    assert_eq!(refused.head.status, 429, "{refused:?}");
    assert!(refused.head.value("proxy-status").contains("queue_full"), "{refused:?}");
    full.held.answer(200, "");
    let exchange = full.gpu.next();
    assert_eq!(exchange.request.uri.path(), "/sensitive");
    exchange.answer(200, "");
    assert_eq!(sensitive.read_reply().head.status, 200);
}

#[test]
fn a_client_that_goes_away_while_it_waits_leaves_its_turn_to_the_next() {
    let full = Full::start(8);
    let gone = begin(full.router.traffic, "/gone");
    full.wait_for(1);
    let mut next = begin(full.router.traffic, "/next");
    full.wait_for(2);
    drop(gone);
    full.wait_for(1);
    full.held.answer(200, "");
    let exchange = full.gpu.next();
    assert_eq!(exchange.request.uri.path(), "/next");
    exchange.answer(200, "");
    assert_eq!(next.read_reply().head.status, 200);
    router_has(&full.router, 0);
}
