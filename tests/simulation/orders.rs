//! The order of a queue, measured: what is served, how long it waits, and how long the refused wait for nothing.

use std::time::Duration;

use overspill::domain::Reason;

use super::documents::{documents, routes};
use super::station::{End, Load, Service, Station};

const RULE: &str = "  - route: [{destination: {host: gpu.example}}]";
/// What the pool bears: 11 slots of 13 ms each.
const CAPACITY: f64 = 11.0 / 0.013;

/// What one order makes of one load.
struct Figures {
    /// The part of what the pool bears that was served.
    goodput: f64,
    median_wait: Duration,
    p99_wait: Duration,
    /// The mean time that a refused request waited.
    refused_after: Duration,
}

fn measure(order: &str, times_capacity: f64) -> Figures {
    let policy = format!("slotsPerEndpoint: 11, queue: {{maxPending: 1024, timeout: 250ms, order: {order}}}");
    let text = documents((1, &policy), (1, "slotsPerEndpoint: 1"), &routes(RULE));
    let services = [("gpu", Service { mean: Duration::from_millis(13), places: 64 })];
    let load = Load { rate: CAPACITY * times_capacity, sensitive: 0.0, odd: 0.0 };
    let mut station = Station::new(7, super::documents::snapshot(text, None), &services, load);
    station.run(Duration::from_secs(2), |_| {});
    let first = station.requests.len();
    station.run(Duration::from_secs(20), |_| {});
    let (mut waits, mut refused) = (Vec::new(), Vec::new());
    for request in &station.requests[first..] {
        match request.ended {
            Some((End::Served(_), _)) => waits.push(request.waited),
            Some((End::Refused(reason), _)) => {
                assert_ne!(reason, Reason::NoEndpoint);
                refused.push(request.waited);
            }
            _ => {}
        }
    }
    waits.sort_unstable();
    let mean = |times: &[Duration]| times.iter().sum::<Duration>() / u32::try_from(times.len().max(1)).unwrap_or(1);
    Figures {
        goodput: waits.len() as f64 / 20.0 / CAPACITY,
        median_wait: waits[waits.len() / 2],
        p99_wait: waits[waits.len() * 99 / 100],
        refused_after: mean(&refused),
    }
}

/// The figures of ARCHITECTURE.md's decision; `--nocapture` prints them.
#[test]
fn the_default_order_waits_least_under_overload_and_no_longer_below_it() {
    println!("| load | order | goodput | median wait | p99 wait | the refused waited |");
    for load in [0.9, 1.1, 2.0, 4.0] {
        let [fifo, lifo, adaptive] = ["Fifo", "Lifo", "Adaptive"].map(|order| {
            let figures = measure(order, load);
            let Figures { goodput, median_wait, p99_wait, refused_after } = &figures;
            println!("| {load} | {order} | {goodput:.3} | {median_wait:.1?} | {p99_wait:.1?} | {refused_after:.1?} |");
            figures
        });
        if load < 1.0 {
            // No order loses anything there, and the last come is not served at the cost of the first.
            assert!(adaptive.p99_wait <= fifo.p99_wait * 11 / 10 && adaptive.p99_wait < lifo.p99_wait);
        } else {
            assert!((adaptive.goodput - fifo.goodput).abs() < 0.02 && adaptive.goodput > 0.95);
            assert!(adaptive.median_wait * 2 < fifo.median_wait);
        }
    }
}
