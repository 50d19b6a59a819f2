//! Fixed slots, a limit over the pool, the queue and the spill decision, under reloads, clients that go away and loads below
//! and above what the pools bear.

use std::num::NonZeroU32;
use std::time::Duration;

use fastrand::Rng;
use overspill::domain::Moment;
use overspill::pool::Pool;

use super::documents::{documents, routes};
use super::for_each_seed;
use super::station::{End, Load, Service, Station};

const RULES: &str = "  - name: sensitive
    match: [{headers: {x-latency-sensitive: {exact: \"true\"}}}]
    route: [{destination: {host: gpu.example}}]
  - name: all
    route:
    - {destination: {host: gpu.example}, weight: 70}
    - {destination: {host: cpu.example}, weight: 30}";

/// Documents as chance makes them.
fn drawn(random: &mut Rng) -> String {
    let pick = |random: &mut Rng, of: &[&str]| of[random.usize(..of.len())].to_owned();
    let policy = |random: &mut Rng| {
        let (slots, pending) = (random.u32(1..5), random.u32(0..17));
        let timeout = pick(random, &["20ms", "100ms", "400ms"]);
        let order = pick(random, &["Fifo", "Lifo", "Adaptive"]);
        let whole = pick(random, &["", ", slotsPerPool: 3", ", slotsPerPool: 7"]);
        format!(
            "slotsPerEndpoint: {slots}, queue: {{maxPending: {pending}, timeout: {timeout}, order: {order}}}{whole}"
        )
    };
    let (gpu, cpu) = (policy(random), policy(random));
    let spill = pick(random, &["", ", spillTo: [{host: cpu.example}]"]);
    let objective = pick(random, &["", ", latencyObjective: 30ms", ", latencyObjective: 150ms"]);
    let urgent = "---\napiVersion: overspill.dev/v1\nkind: RoutePolicy\nmetadata: {name: urgent}\n\
                  spec: {virtualService: app, route: sensitive, priority: LatencySensitive";
    let rest = routes(RULES) + urgent + &objective + "}\n";
    documents((2, &(gpu + &spill)), (2, &cpu), &rest)
}

/// What holds at every moment.
fn sweep(station: &Station) {
    for (_, pool) in station.snapshot.pools() {
        let now = station.now;
        let (waiting, called) = station.waiting_at(&pool.name);
        let lost = waiting > 0 && called == 0 && pool.has_slot(now) && is_of_one_generation(station, pool);
        assert!(!lost, "{waiting} wait at {} while a slot is free", pool.name);
        assert!(pool.queue.pending() as usize >= waiting + called, "{}", pool.name);
        // A limit is never exceeded by those that were let in under it: later generations find those of earlier ones.
        let most = pool.max_requests.map_or(u32::MAX, NonZeroU32::get).min(pool.slots_per_endpoint.get() * 2);
        assert!(station.snapshot.generation() > 1 || pool.in_flight() <= most, "{} of {most}", pool.in_flight());
    }
}

/// Whether all who wait see the slots that `pool` has now.
fn is_of_one_generation(station: &Station, pool: &Pool) -> bool {
    station.waits_in_generation(&pool.name, station.snapshot.generation())
}

fn run(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let first = super::documents::snapshot(drawn(&mut random), None);
    let service = |mean, places| Service { mean: Duration::from_millis(mean), places };
    let services = [("gpu", service(10, 64)), ("cpu", service(40, 64))];
    let load = |random: &mut Rng| Load { rate: 100.0 + 1900.0 * random.f64(), sensitive: random.f64(), odd: 0.1 };
    let mut station = Station::new(seed, first, &services, load(&mut random));
    for _ in 0..4 {
        station.run(Duration::from_millis(random.u64(50..400)), sweep);
        if random.bool() {
            station.publish(drawn(&mut random));
        }
        let next = load(&mut random);
        station.offer(next);
    }
    station.offer(Load { rate: 0.0, sensitive: 0.0, odd: 0.0 });
    station.run(Duration::from_mins(1), sweep);
    for (_, pool) in station.snapshot.pools() {
        assert_eq!((pool.in_flight(), pool.queue.pending()), (0, 0), "{}", pool.name);
        assert!(
            pool.outlook(overspill::domain::Priority::Standard, Moment::from_nanos(0))
                .is_none_or(|one| one.wait.is_zero())
        );
    }
    assert!(station.requests.iter().all(|request| request.ended.is_some()), "every request ends");
    let served = station.requests.iter().filter(|request| matches!(request.ended, Some((End::Served(_), _)))).count();
    assert!(served * 20 > station.requests.len(), "{served} of {} are served", station.requests.len());
}

#[test]
fn nobody_is_lost_starved_or_sent_away_without_need() {
    for_each_seed(run);
}
