//! `GET /scaling` and the series beside it.

use serde_json::Value;

use super::harness::series::DURATION;
use super::harness::{Answer, Load, Router, Service, Upstream, Wire, policy, virtual_service};
use super::{KEY, POOL, begin, documents};

fn figures(router: &Router) -> Value {
    let reply = router.admin_get("/scaling");
    assert_eq!(reply.head.status, 200);
    serde_json::from_str(&reply.text()).expect("it is JSON")
}

#[test]
fn requests_in_flight_make_a_demand_that_ends_with_them() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let policy = "tier: gpu, scaling: {preset: online, minReplicas: 1, maxReplicas: 9, targetConcurrency: 2}";
    let router = Router::start(&documents("", &[gpu.address], policy));
    let quiet = figures(&router);
    let pool = &quiet["pools"][KEY];
    assert_eq!(quiet["list"][0], *pool, "the list has what the keys have");
    assert_eq!((&pool["pool"], &pool["tier"], &pool["preset"]), (&POOL.into(), &"gpu".into(), &"online".into()));
    assert_eq!(
        (&pool["active"], &pool["desired_replicas"], &pool["max_replicas"]),
        (&false.into(), &1.into(), &9.into())
    );
    assert_eq!((&quiet["routers"]["asked"], &quiet["routers"]["answered"]), (&1.into(), &1.into()));
    assert!(pool.as_object().expect("figures").values().all(|figure| !figure.is_null()), "{pool}");

    let mut clients: Vec<_> = (0..7).map(|_| begin(router.traffic)).collect();
    let exchanges: Vec<_> = clients.iter().map(|_| gpu.next()).collect();
    router.wait_until("seven requests at once need four replicas", |router| {
        let pool = &figures(router)["pools"][KEY];
        pool["in_flight"] == 7 && pool["desired_replicas"] == 4 && pool["active"] == true
    });
    for exchange in exchanges {
        exchange.answer(200, "");
    }
    for client in &mut clients {
        assert_eq!(client.read_reply().head.status, 200);
    }
    router.wait_until("every answer is counted", |router| figures(router)["pools"][KEY]["answers"] == 7);
    let arrivals = router.metrics().count("overspill_pool_arrivals_total", &[("pool", POOL), ("tier", "gpu")]);
    assert_eq!(arrivals, 7);
}

#[test]
fn answers_are_held_against_the_objective_and_an_edge_stands_on_it() {
    let gpu = Upstream::start(Wire::H1, Answer::Echo("gpu".to_owned()));
    let router = Router::start(&documents("", &[gpu.address], "latencyObjective: 12.5s"));
    let load = Load { address: router.traffic, connections: 2, requests: 20, host: "app.example", path: "/" };
    assert_eq!(load.run().total(), 40);
    let metrics = router.wait_for("every answer is counted", |metrics| {
        metrics.count("overspill_pool_answers_total", &[("pool", POOL), ("objective", "met")]) == 40
    });
    assert_eq!(metrics.count("overspill_pool_answers_total", &[("objective", "missed")]), 0);
    let under = metrics.count(&format!("{DURATION}_bucket"), &[("pool", POOL), ("le", "12.5")]);
    assert_eq!(under, 40, "the share under the objective is exact");
    assert!(metrics.has(&format!("{DURATION}_bucket"), &[("le", "0.5")]));
    router.wait_until("the quantiles of a whole second are known", |router| {
        figures(router)["pools"][KEY]["p50_seconds"].as_f64() > Some(0.0)
    });
    let pool = &figures(&router)["pools"][KEY];
    assert_eq!((&pool["share_under_objective"], &pool["objective_seconds"]), (&1.0.into(), &12.5.into()));
    assert!(pool["p50_seconds"].as_f64() <= pool["p99_seconds"].as_f64() && pool["p99_seconds"].as_f64() > Some(0.0));

    let edited = documents("", &[gpu.address], "latencyObjective: 45ms");
    router.folder().replace("documents.yaml", &edited);
    router.wait_until("the new objective is in force", |router| {
        figures(router)["pools"][KEY]["objective_seconds"] == 0.045
    });
    assert_eq!(load.run().total(), 40);
    router.wait_for("an edge stands on the new objective too", |metrics| {
        metrics.has(&format!("{DURATION}_bucket"), &[("pool", POOL), ("le", "0.045")])
            && metrics.has(&format!("{DURATION}_bucket"), &[("pool", POOL), ("le", "12.5")])
    });
}

#[test]
fn what_spills_is_wanted_where_it_came_from_and_counted_once_while_it_waits() {
    let (gpu, cpu) = (Upstream::start(Wire::H1, Answer::Held), Upstream::start(Wire::H1, Answer::Held));
    let service = |host, endpoint| Service { host, wire: Wire::H1, endpoints: &[endpoint] }.document();
    let router = Router::start(
        &(virtual_service("app.example", "  - {name: all, route: [{destination: {host: gpu.example}}]}")
            + &service("gpu.example", gpu.address)
            + &service("cpu.example", cpu.address)
            + &policy(
                "gpu.example",
                "slotsPerEndpoint: 1, queue: {maxPending: 1, timeout: 60s}, spillTo: [{host: cpu.example}]",
            )
            + &policy("cpu.example", "slotsPerEndpoint: 1, queue: {maxPending: 0}")),
    );
    let counted = |router: &Router, pool: &str| {
        let pool = figures(router)["pools"][pool].clone();
        ["in_flight", "queued", "spilled"].map(|figure| pool[figure].as_u64().expect("a count"))
    };
    let mut first = begin(router.traffic);
    let at_gpu = gpu.next();
    let mut second = begin(router.traffic);
    let spilled = cpu.next();
    router.wait_until("the second is in flight at the CPU pool", |router| {
        counted(router, KEY) == [1, 0, 1] && counted(router, "cpu_example_80") == [1, 0, 0]
    });
    let mut third = begin(router.traffic);
    router.wait_until("the third waits for the GPU pool", |router| counted(router, KEY) == [1, 1, 1]);
    let mut fourth = begin(router.traffic);
    assert_eq!(fourth.read_reply().head.status, 429);
    router.wait_until("the fourth is a refusal of the GPU pool", |router| {
        router.metrics().count("overspill_pool_refusals_total", &[("pool", POOL)]) == 1
    });
    at_gpu.answer(200, "");
    gpu.next().answer(200, "");
    spilled.answer(200, "");
    for client in [&mut first, &mut second, &mut third] {
        assert_eq!(client.read_reply().head.status, 200);
    }
    router.wait_until("nothing is left", |router| counted(router, KEY) == [0, 0, 0]);
}
