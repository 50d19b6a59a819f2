//! A whole pool that goes away under load.

use super::harness::{Answer, Load, Upstream, Wire, policy};
use super::{Ledger, Next, executing, load, ok, router, whole};

#[test]
fn no_request_is_lost_while_a_later_tier_serves() {
    let gpu: Vec<_> = (0..3).map(|_| Upstream::start(Wire::H1, Answer::Fixed(200, "gpu".to_owned()))).collect();
    let cpu = Upstream::start(Wire::H1, Answer::Fixed(200, "cpu".to_owned()));
    let addresses: Vec<_> = gpu.iter().map(|upstream| upstream.address).collect();
    let router = router(&addresses, &[cpu.address], "timeout: 1m", "");
    let load = Load { address: router.traffic, connections: 16, requests: 250, host: "app.example", path: "/" };
    let tally = load.start();
    router.wait_for("the load is under way", |metrics| {
        metrics.count("overspill_requests_total", &[("tier", "gpu"), ("response_code", "200")]) > 500
    });
    // Connections break off with their requests, and the ports refuse from here on.
    drop(gpu);
    let tally = tally.recv().expect("a load ends with its tally");
    assert_eq!((tally.total(), tally.lost.as_slice()), (4000, &[][..]));
    assert_eq!(tally.with_body("gpu") + tally.with_body("cpu"), 4000, "{:?}", tally.answers);
    assert!(tally.with_body("cpu") > 0, "the pool went away within the load");
    assert!(router.metrics().count("overspill_spilled_requests_total", &[("pool", "gpu.example:80")]) > 0);
}

#[test]
fn a_post_spills_where_its_rule_has_it_repeated_and_is_never_executed_twice_where_not() {
    let ledger = Ledger::default();
    // Each endpoint executes what comes and breaks off, as a process that is killed does.
    let dying = || executing(&ledger, |_, _| Next::Reset);
    let cpu = executing(&ledger, |visitor, _| {
        ok(visitor);
        Next::Request
    });
    let gpu = [dying(), dying()];
    let addresses = gpu.each_ref().map(|upstream| upstream.address);
    let unasked = router(&addresses, &[cpu.address], "timeout: 1m", "");
    let tally = load(&unasked, "POST", 20);
    assert_eq!(ledger.repeated(), Vec::<String>::new());
    assert_eq!(ledger.total(), 80);
    assert!(
        tally.keys().all(|got| *got == whole(200, "whole") || matches!(got, super::Got::Whole(502, _))),
        "{tally:?}"
    );

    let asked = router(&addresses, &[cpu.address], "retries: {attempts: 1, retryOn: reset, backoff: 1ms}", "");
    assert_eq!(load(&asked, "POST", 20).into_iter().collect::<Vec<_>>(), [(whole(200, "whole"), 80)]);
    assert_eq!(load(&asked, "GET", 20).into_iter().collect::<Vec<_>>(), [(whole(200, "whole"), 80)]);
}

#[test]
fn a_pool_whose_checks_fail_costs_no_request() {
    let well = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_well = std::sync::Arc::clone(&well);
    let ledger = Ledger::default();
    let gpu = super::RawUpstream::start(move |mut visitor, _| {
        while let Some((line, _)) = visitor.head() {
            let status = if is_well.load(std::sync::atomic::Ordering::SeqCst) { 200 } else { 500 };
            let answer = if line.contains("/healthz") { status } else { 200 };
            visitor.write(format!("HTTP/1.1 {answer} Said\r\ncontent-length: 5\r\n\r\nwhole"));
        }
    });
    let cpu = executing(&ledger, |visitor, _| {
        ok(visitor);
        Next::Request
    });
    let checked = policy(
        "gpu.example",
        "tier: gpu, spillTo: [{host: cpu.example}], healthCheck: {http: {path: /healthz}, interval: 5ms, timeout: 1m}",
    );
    let service = |host, endpoints| super::Service { host, wire: Wire::H1, endpoints }.document();
    let router = super::Router::start(
        &(super::virtual_service("app.example", "  - {name: all, route: [{destination: {host: gpu.example}}]}")
            + &service("gpu.example", &[gpu.address])
            + &service("cpu.example", &[cpu.address])
            + &checked),
    );
    assert_eq!(load(&router, "POST", 10).into_iter().collect::<Vec<_>>(), [(whole(200, "whole"), 40)]);
    assert_eq!(ledger.total(), 0);
    well.store(false, std::sync::atomic::Ordering::SeqCst);
    router.wait_for("it is unhealthy", |metrics| {
        metrics.count("overspill_pool_endpoints", &[("state", "unhealthy")]) == 1
    });
    assert_eq!(load(&router, "POST", 10).into_iter().collect::<Vec<_>>(), [(whole(200, "whole"), 40)]);
    assert_eq!(ledger.total(), 40);
}
