//! Limits that follow latency: within their bounds, near what the endpoints compute at once, and back after a bad time.

use std::time::Duration;

use overspill::snapshot::Snapshot;

use super::documents::{documents, routes};
use super::for_each_seed;
use super::station::{Load, Service, Station};

const RULE: &str = "  - route: [{destination: {host: gpu.example}}]";
const PLACES: usize = 8;
const MEAN: Duration = Duration::from_millis(100);
/// What one endpoint bears: 8 at once, of 100 ms each.
const RATE: f64 = 80.0;

fn limits(snapshot: &Snapshot) -> Vec<u32> {
    let (_, pool) = snapshot.pools().find(|(_, pool)| &*pool.name == "gpu.example:80").expect("the pool");
    pool.endpoints.iter().map(|endpoint| pool.slots_of(endpoint).get()).collect()
}

fn sweep(station: &Station) {
    for (_, pool) in station.snapshot.pools().filter(|(_, pool)| pool.adaptive_slots.is_some()) {
        for endpoint in &pool.endpoints {
            let slots = pool.slots_of(endpoint).get();
            assert!((4..=60).contains(&slots), "{slots}");
            assert!(endpoint.state.in_flight() <= 60);
        }
    }
}

/// The mean of the first endpoint's limit over ten seconds, so that a measurement of its least latency does not matter.
fn typical(station: &mut Station) -> f64 {
    let mut sum = 0;
    for _ in 0..50 {
        station.run(Duration::from_millis(200), sweep);
        sum += limits(&station.snapshot)[0];
    }
    f64::from(sum) / 50.0
}

#[test]
fn a_limit_stays_in_bounds_settles_and_recovers() {
    for_each_seed(|seed| {
        let policy = "slotsPerEndpoint: 20, slots: {mode: Adaptive, min: 4, max: 60}, \
                      queue: {maxPending: 32, timeout: 1s}";
        let text = documents((1, policy), (1, "slotsPerEndpoint: 1"), &routes(RULE));
        let services = [("gpu", Service { mean: MEAN, places: PLACES })];
        // Twice what it bears, so that the limit is all that keeps requests from queueing inside it.
        let load = Load { rate: RATE * 2.0, sensitive: 0.0, odd: 0.0 };
        let mut station = Station::new(seed, super::documents::snapshot(text, None), &services, load);
        station.run(Duration::from_secs(15), sweep);
        let before = typical(&mut station);
        assert!((8.0..=24.0).contains(&before), "{before} slots for {PLACES} places");
        station.slow("gpu", MEAN * 5);
        station.run(Duration::from_secs(5), sweep);
        station.slow("gpu", MEAN);
        station.run(Duration::from_secs(10), sweep);
        let after = typical(&mut station);
        assert!((7.0..=24.0).contains(&after), "{before} slots before, {after} after");
        station.offer(Load { rate: 0.0, ..load });
        station.run(Duration::from_secs(10), sweep);
        let snapshot = std::rc::Rc::clone(&station.snapshot);
        assert!(snapshot.pools().all(|(_, pool)| pool.in_flight() == 0 && pool.queue.pending() == 0));
    });
}
