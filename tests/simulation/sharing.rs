//! Two pools that spill to each other, at what both bear together: neither stands idle while requests wait for the other.

use std::time::Duration;

use overspill::domain::Priority;

use super::documents::{documents, routes, snapshot};
use super::station::{End, Load, Service, Station};

const RULE: &str = "  - route:\n    - {destination: {host: gpu.example}, weight: 70}\n    \
                    - {destination: {host: cpu.example}, weight: 30}";
const GPU: Service = Service { mean: Duration::from_millis(13), places: 6 };
const CPU: Service = Service { mean: Duration::from_millis(47), places: 3 };
/// What both bear, in requests a second.
const CAPACITY: f64 = 6.0 / 0.013 + 3.0 / 0.047;
const SEEDS: u64 = 4;

fn pool(slots: u32, next: &str) -> String {
    format!(
        "slotsPerEndpoint: {slots}, queue: {{maxPending: 128, timeout: 250ms}}, spillTo: [{{host: {next}.example}}]"
    )
}

/// The part of a load that is refused, and the part of what the pools bear that is served.
fn measure(times_capacity: f64) -> (f64, f64) {
    let (mut all, mut served) = (0_u32, 0_u32);
    for seed in 0..SEEDS {
        let text = documents((1, &pool(6, "cpu")), (1, &pool(3, "gpu")), &routes(RULE));
        let load = Load { rate: CAPACITY * times_capacity, sensitive: 0.0, odd: 0.0 };
        let mut station = Station::new(seed, snapshot(text, None), &[("gpu", GPU), ("cpu", CPU)], load);
        station.run(Duration::from_secs(2), |_| {});
        let first = station.requests.len();
        station.run(Duration::from_secs(20), |_| {});
        let ended = station.requests[first..].iter().filter_map(|request| request.ended.as_ref());
        for (end, _) in ended {
            all += 1;
            served += u32::from(matches!(end, End::Served(_)));
        }
    }
    (
        f64::from(all - served) / f64::from(all),
        f64::from(served) / 20.0 / f64::from(u32::try_from(SEEDS).unwrap_or(1)) / CAPACITY,
    )
}

/// Those who can wait fill every queue; whoever cannot takes their places, and not the queue of the slow pool.
#[test]
fn a_latency_sensitive_request_waits_where_it_is_served_in_time_however_full_the_queues_are() {
    let rules = "  - name: sensitive\n    match: [{headers: {x-latency-sensitive: {exact: \"true\"}}}]\n    \
                 route: [{destination: {host: gpu.example}}]\n"
        .to_owned()
        + RULE;
    let policy = "---\napiVersion: overspill.dev/v1\nkind: RoutePolicy\nmetadata: {name: sensitive}\n\
                  spec: {virtualService: app, route: sensitive, priority: LatencySensitive, latencyObjective: 200ms}\n";
    for seed in 0..SEEDS {
        let text = documents((1, &pool(6, "cpu")), (1, &pool(3, "gpu")), &(routes(&rules) + policy));
        let load = Load { rate: CAPACITY * 4.0, sensitive: 0.1, odd: 0.0 };
        let mut station = Station::new(seed, snapshot(text, None), &[("gpu", GPU), ("cpu", CPU)], load);
        station.run(Duration::from_secs(10), |_| {});
        let sensitive = station.requests.iter().filter(|request| request.priority == Priority::LatencySensitive);
        let (mut all, mut in_time) = (0_u32, 0_u32);
        for (request, (end, at)) in sensitive.filter_map(|request| Some((request, request.ended.as_ref()?))) {
            all += 1;
            let quick = at.since(request.begun) <= Duration::from_millis(100);
            in_time += u32::from(quick && matches!(end, End::Served(_)));
        }
        let part = f64::from(in_time) / f64::from(all);
        assert!(part >= 0.99, "seed {seed}: of {all}, {part:.3} were served within half of the objective");
    }
}

/// The figures of ARCHITECTURE.md's decision; `--nocapture` prints them.
#[test]
#[allow(clippy::print_stdout, reason = "the figures are read by people")]
fn pools_that_spill_to_each_other_serve_what_both_bear() {
    println!("| load | refused | goodput |");
    for (load, most_refused, least_served) in [(0.75, 0.001, 0.73), (1.0, 0.03, 0.96), (1.25, 0.23, 0.98)] {
        let (refused, served) = measure(load);
        println!("| {load} | {refused:.4} | {served:.3} |");
        assert!(refused <= most_refused, "at {load} times what they bear, {refused:.4} are refused");
        assert!(served >= least_served, "at {load} times what they bear, {served:.3} of that are served");
    }
}
