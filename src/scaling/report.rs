//! What is known of every pool at one moment, ready to be asked for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::load::Load;
use super::meter::PoolLoad;
use super::rule::{Terms, demand, desired, needed};
use super::window::WINDOW;
use crate::domain::{Preset, Targets, Tier};
use crate::pool::{Counts, Pool};

/// The routers that took part in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Routers {
    /// The routers that there are, as far as is known, this one among them.
    pub asked: u32,
    /// Those whose figures are in the answer.
    pub answered: u32,
    /// Why those that are missing did not answer.
    pub faults: Vec<RouterFault>,
}

impl fmt::Display for Routers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "answered={}, asked={}", self.answered, self.asked)
    }
}

/// A router that did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouterFault {
    /// Its admin address, or the name that has no address.
    pub router: String,
    /// Why it did not.
    pub error: String,
}

/// What is known of every pool.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Whose figures these are.
    pub routers: Routers,
    /// Every pool, in the order of the configuration.
    pub pools: Vec<PoolReport>,
}

/// What is known of one pool.
#[derive(Clone, Debug)]
pub struct PoolReport {
    /// `host:port` or `host:port/subset`.
    pub name: Arc<str>,
    /// Which tier it is.
    pub tier: Option<Tier>,
    /// What is asked of it.
    pub load: Load,
    /// The endpoints that take requests.
    pub ready: u32,
    /// The concurrency that one replica carries.
    pub carried: f64,
    /// The concurrency to have replicas for.
    pub demand: f64,
    /// The replicas that this needs: not whole, and within no bounds.
    pub needed: f64,
    /// The replicas to have.
    pub desired: u32,
    /// Its bounds.
    pub terms: Terms,
    /// Its preset; `None` where its document says nothing of scaling.
    pub preset: Option<Preset>,
    /// What each replica is to be kept at.
    pub targets: Targets,
    /// What its answers are held against.
    pub objective: Duration,
    /// What this router has counted since its start.
    pub counts: Counts,
}

impl PoolReport {
    /// The figures of `pool`, whose load and counts are known.
    pub(super) fn new(
        pool: &Pool,
        (preset, targets): (Option<Preset>, Targets),
        terms: Terms,
        (PoolLoad { load, carried, pace, ready, .. }, counts): (PoolLoad, Counts),
    ) -> Self {
        let demand = demand(&load, pace, terms.cold_start);
        let needed = needed(demand, carried);
        Self {
            name: Arc::clone(&pool.name),
            tier: pool.tier,
            desired: desired(needed, &load, terms),
            load,
            ready,
            carried,
            demand,
            needed,
            terms,
            preset,
            targets,
            objective: pool.objective(),
            counts,
        }
    }

    /// The pool's name as a key that a GJSON path and a Kubernetes name of a metric can hold.
    pub fn key(&self) -> String {
        key(&self.name)
    }

    /// Requests that are accepted and not yet answered.
    pub fn pending(&self) -> u32 {
        self.load.in_flight.saturating_add(self.load.queued)
    }

    /// The latency that `share` of the pool's answers do not exceed, in seconds; zero without an answer.
    pub fn quantile(&self, share: f64) -> f64 {
        self.load.latencies.quantile(share).map_or(0.0, |latency| latency.as_secs_f64())
    }

    /// Every figure is a number whatever happens, so that whoever reads one by its path finds one.
    fn json(&self) -> Value {
        let load = &self.load;
        json!({
            "pool": &*self.name,
            "tier": self.tier.map(Tier::as_str),
            "preset": self.preset.map(Preset::as_str),
            "active": load.active,
            "desired_replicas": self.desired,
            "needed_replicas": figure(self.needed),
            "min_replicas": self.terms.min_replicas,
            "max_replicas": self.terms.max_replicas,
            "ready_endpoints": self.ready,
            "concurrency": figure(load.concurrency),
            "demand": figure(self.demand),
            "target_concurrency": figure(self.carried),
            "in_flight": load.in_flight,
            "queued": load.queued,
            "spilled": load.spilled,
            "pending_requests": self.pending(),
            "growth_per_second": figure(load.growth),
            "arrivals_per_second": figure(load.arrivals_per_second),
            "refusals_per_second": figure(load.refusals_per_second),
            "answers": load.met.saturating_add(load.missed),
            "objective_seconds": self.objective.as_secs_f64(),
            "share_under_objective": load.share_under_objective().unwrap_or(1.0),
            "p50_seconds": figure(self.quantile(0.5)),
            "p95_seconds": figure(self.quantile(0.95)),
            "p99_seconds": figure(self.quantile(0.99)),
            "cold_start_seconds": self.terms.cold_start.as_secs_f64(),
            "window_seconds": figure(load.seconds),
        })
    }
}

impl Report {
    /// The pool that is called `name`, by its own name or its key.
    pub fn pool(&self, name: &str) -> Option<&PoolReport> {
        self.pools.iter().find(|pool| *pool.name == *name || pool.key() == name)
    }

    /// Every figure: by pool, under keys without dots, and as a list.
    pub fn json(&self) -> Value {
        let by_key: Map<String, Value> = self.pools.iter().map(|pool| (pool.key(), pool.json())).collect();
        json!({
            "routers": self.routers,
            "window_seconds": WINDOW.as_secs(),
            "pools": by_key,
            "list": self.pools.iter().map(PoolReport::json).collect::<Vec<_>>(),
        })
    }
}

/// `name` with what is neither a letter, a digit nor a hyphen replaced by underscores: no dot or colon ends a part of a path.
pub fn key(name: &str) -> String {
    name.chars().map(|one| if one.is_ascii_alphanumeric() || one == '-' { one } else { '_' }).collect()
}

/// To a millionth, so that no reader meets an exponent.
fn figure(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hold_nothing_that_a_path_would_end_at() {
        assert_eq!(key("gpu.inference.svc.cluster.local:80/stable"), "gpu_inference_svc_cluster_local_80_stable");
        assert_eq!(key("embeddings-gpu.example:8080"), "embeddings-gpu_example_8080");
    }
}
