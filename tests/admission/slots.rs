//! Limits that follow latency, limits on a whole pool, and what becomes of requests that would wait in vain.

use std::time::Duration;

use super::harness::series::IN_FLIGHT;
use super::harness::{Answer, Load, Router, Upstream, Wire};
use super::{begin, documents};

#[test]
fn an_adaptive_limit_begins_where_it_is_told_and_shows() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let policy = "slotsPerEndpoint: 3, slots: {mode: Adaptive, min: 2, max: 9}, queue: {maxPending: 0}";
    let router = Router::start(&documents((&[gpu.address], policy), (&[gpu.address], ""), ""));
    let connections: Vec<_> = (0..3).map(|nth| begin(router.traffic, &format!("/{nth}"))).collect();
    let held: Vec<_> = connections.iter().map(|_| gpu.next()).collect();
    let refused = begin(router.traffic, "/fourth").read_reply();
    assert_eq!(refused.head.status, 429, "{refused:?}");
    assert_eq!(router.metrics().count("overspill_pool_slots", &[("pool", "gpu.example:80")]), 3);
    let clusters = router.admin_get("/clusters?format=json").json();
    let pools = clusters["pools"].as_array().expect("pools");
    let pool = pools.iter().find(|pool| pool["pool"] == "gpu.example:80").expect("the pool");
    assert_eq!((&pool["endpoints"][0]["slots"], &pool["adaptive_slots"]["max"]), (&3.into(), &9.into()), "{pool:#}");
    let lines = router.admin_get("/clusters").text();
    assert!(lines.contains(&format!("gpu.example:80::{}::slots::3", gpu.address)), "{lines}");
    for exchange in held {
        exchange.answer(200, "");
    }
}

#[test]
fn an_adaptive_limit_falls_where_the_endpoint_turns_requests_away() {
    let gpu = Upstream::start(Wire::H1, Answer::Fixed(503, "full".to_owned()));
    let policy = "slotsPerEndpoint: 100, slots: {mode: Adaptive, min: 2, max: 200}";
    let router = Router::start(&documents((&[gpu.address], policy), (&[gpu.address], ""), ""));
    assert_eq!(begin(router.traffic, "/").read_reply().head.status, 503);
    assert_eq!(router.metrics().count("overspill_pool_slots", &[("pool", "gpu.example:80")]), 90);
}

#[test]
fn slots_of_a_whole_pool_are_shared_by_its_endpoints() {
    let gpus = [Upstream::start(Wire::H1, Answer::Held), Upstream::start(Wire::H1, Answer::Held)];
    let addresses = [gpus[0].address, gpus[1].address];
    let policy = "slotsPerEndpoint: 1, slotsPerPool: 1, queue: {maxPending: 0}";
    let router = Router::start(&documents((&addresses, policy), (&addresses, ""), ""));
    let _first = begin(router.traffic, "/first");
    router.wait_for("it is in flight", |metrics| metrics.count(IN_FLIGHT, &[]) == 1);
    let second = begin(router.traffic, "/second").read_reply();
    assert_eq!(second.head.status, 429, "{second:?}");
    assert_eq!(router.metrics().count("overspill_pool_slots", &[("pool", "gpu.example:80")]), 1);
}

#[test]
fn what_would_wait_in_vain_is_refused_before_its_timeout() {
    // Two slots of 100 ms serve 5 in a quarter of a second; 64 connections without a pause want many more.
    let gpu = Upstream::start(
        Wire::H1,
        Answer::Timed { quick: Duration::from_millis(100), slow: Duration::from_millis(100) },
    );
    let policy = "slotsPerEndpoint: 2, queue: {maxPending: 1000, timeout: 250ms, order: Fifo}";
    let router = Router::start(&documents((&[gpu.address], policy), (&[gpu.address], ""), ""));
    let load = Load { address: router.traffic, connections: 64, requests: 40, host: "app.example", path: "/" };
    let tally = load.run();
    assert!(tally.lost.is_empty(), "{:?}", tally.lost);
    let too_long = router.metrics().count("overspill_refused_requests_total", &[("reason", "wait_too_long")]);
    assert!(too_long > 100, "{too_long} of {} are refused at once", tally.total());
    router.wait_for("nothing is left", |metrics| {
        metrics.count(IN_FLIGHT, &[]) == 0 && metrics.count("overspill_queued_requests", &[]) == 0
    });
}
