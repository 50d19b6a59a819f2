//! A steady load through many edits: nothing is lost, and every answer is of one whole configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::harness::series::{GENERATION, IN_FLIGHT};
use super::harness::{Answer, Load, Router, Service, Tally, Upstream, Wire, virtual_service};

const CONNECTIONS: usize = 32;
const REQUESTS: usize = 100_000;

/// The pools of an odd and of an even edit. `b` is in both, at different places and weights; nothing may reach `never`.
const ODD: [(&str, u32); 3] = [("a", 70), ("b", 30), ("never", 0)];
const EVEN: [(&str, u32); 3] = [("never", 0), ("b", 20), ("c", 80)];

fn documents(edit: u32, endpoints: &BTreeMap<&str, Upstream>) -> String {
    let (name, split) = if edit % 2 == 1 { ("odd", ODD) } else { ("even", EVEN) };
    let mut rule = format!("  - name: {name}\n    route:");
    for (pool, weight) in split {
        write!(rule, "\n    - {{destination: {{host: {pool}.example}}, weight: {weight}}}")
            .expect("a string takes all text");
    }
    let services = split.iter().map(|(pool, _)| {
        Service { host: &format!("{pool}.example"), wire: Wire::H1, endpoints: &[endpoints[pool].address] }.document()
    });
    virtual_service("app.example", &rule) + &services.collect::<String>()
}

/// Edits every 100 ms until the load is over, which is what ends the wait.
fn edit_until_over(router: &Router, endpoints: &BTreeMap<&str, Upstream>, load: Load) -> (Tally, u32) {
    let over = load.start();
    let mut edit = 1;
    loop {
        match over.recv_timeout(Duration::from_millis(100)) {
            Ok(tally) => return (tally, edit),
            Err(RecvTimeoutError::Timeout) => {
                edit += 1;
                router.folder().replace("documents.yaml", &documents(edit, endpoints));
            }
            Err(RecvTimeoutError::Disconnected) => panic!("the load ended without a tally"),
        }
    }
}

#[test]
fn a_hundred_thousand_requests_through_constant_edits_lose_none() {
    let endpoints: BTreeMap<_, _> = ["a", "b", "c", "never"]
        .map(|name| (name, Upstream::start(Wire::H1, Answer::Fixed(200, name.to_owned()))))
        .into();
    let router = Router::start(&documents(1, &endpoints));
    let load = Load {
        address: router.traffic,
        connections: CONNECTIONS,
        requests: REQUESTS / CONNECTIONS,
        host: "app.example",
        path: "/",
    };
    let (tally, edits) = edit_until_over(&router, &endpoints, load);
    assert_eq!(tally.lost, Vec::<String>::new());
    assert_eq!(tally.total(), REQUESTS as u64);
    let served: u64 = ["a", "b", "c"].iter().map(|pool| tally.with_body(pool)).sum();
    assert_eq!(served, tally.total(), "{:?}", tally.answers);
    let metrics = router.wait_for("nothing is in flight", |metrics| metrics.count(IN_FLIGHT, &[]) == 0);
    assert!(metrics.count(GENERATION, &[]) > 1, "{edits} edits and none published");
    every_record_is_of_one_generation(router);
}

/// One line of the access log for each request, and in each a pool that its route has.
fn every_record_is_of_one_generation(router: Router) {
    let exit = router.stop();
    assert!(exit.status.success(), "{}", exit.status);
    let mut pairs: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut requests = BTreeSet::new();
    let mut generations: BTreeMap<String, String> = BTreeMap::new();
    for line in &exit.access {
        let id = line.field("request_id");
        assert!(id.starts_with("load-") && requests.insert(id), "one line a request: {line:?}");
        let route = generations.entry(line.field("generation")).or_insert_with(|| line.field("route"));
        assert_eq!(*route, line.field("route"), "a generation has one route: {line:?}");
        *pairs.entry((line.field("route"), line.field("pool"))).or_default() += 1;
    }
    assert_eq!(requests.len(), REQUESTS);
    assert!(generations.len() > 1, "the requests saw {} generations", generations.len());
    for ((route, pool), count) in pairs {
        let split = if route.ends_with("/odd") { ODD } else { EVEN };
        let weight =
            split.iter().find(|(name, _)| pool == format!("{name}.example:80")).map_or(0, |(_, weight)| *weight);
        assert!(weight > 0, "{count} requests of {route} went to {pool}");
    }
}
