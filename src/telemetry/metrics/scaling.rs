//! What is known of the demand, as series: this router's own where they add up, all routers' where they do not.

use prometheus::proto::MetricFamily;

use super::scrape::whole;
use crate::domain::Tier;
use crate::scaling::{Known, PoolReport};
use crate::telemetry::family::{counters, gauges};
use crate::telemetry::names::{self, Definition};

const PERCENTILES: [(f64, &str); 3] = [(0.5, "50"), (0.95, "95"), (0.99, "99")];

/// Every series of `known`.
pub(super) fn collect(known: &Known) -> Vec<MetricFamily> {
    let (own, all) = (&known.alone.pools, &known.all.pools);
    let routers = &known.all.routers;
    let answers = own.iter().flat_map(|pool| {
        [("met", pool.counts.met), ("missed", pool.counts.missed)]
            .map(|(verdict, count)| ([&*pool.name, tier(pool), verdict], whole(count)))
    });
    let latencies = all
        .iter()
        .filter(|pool| pool.load.met + pool.load.missed > 0)
        .flat_map(|pool| PERCENTILES.map(|(share, label)| ([&*pool.name, tier(pool), label], pool.quantile(share))));
    vec![
        counters(&names::ARRIVALS, labelled(own, |pool| whole(pool.counts.arrived))),
        counters(&names::REFUSALS, labelled(own, |pool| whole(pool.counts.refused))),
        counters(&names::ANSWERS, answers),
        of_each(&names::SPILLED_AWAY, own, |pool| f64::from(pool.load.spilled)),
        of_each(&names::CONCURRENCY, own, |pool| pool.load.concurrency),
        of_each(&names::DEMAND, own, |pool| pool.demand),
        of_each(&names::TARGET_CONCURRENCY, all, |pool| pool.carried),
        gauges(&names::LATENCY, latencies),
        of_each(&names::DESIRED_REPLICAS, all, |pool| f64::from(pool.desired)),
        of_each(&names::MIN_REPLICAS, all, |pool| f64::from(pool.terms.min_replicas)),
        of_each(&names::MAX_REPLICAS, all, |pool| f64::from(pool.terms.max_replicas)),
        gauges(&names::ROUTERS, [(["asked"], f64::from(routers.asked)), (["answered"], f64::from(routers.answered))]),
    ]
}

fn tier(pool: &PoolReport) -> &'static str {
    pool.tier.map_or("", Tier::as_str)
}

fn labelled(pools: &[PoolReport], figure: fn(&PoolReport) -> f64) -> impl Iterator<Item = ([&str; 2], f64)> {
    pools.iter().map(move |pool| ([&*pool.name, tier(pool)], figure(pool)))
}

fn of_each(name: &Definition<2>, pools: &[PoolReport], figure: fn(&PoolReport) -> f64) -> MetricFamily {
    gauges(name, labelled(pools, figure))
}
