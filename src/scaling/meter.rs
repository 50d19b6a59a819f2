//! The figures of every pool, kept up to date.
//!
//! One meter a router. It is shown the snapshot in force several times a second, and keeps a minute of each pool and what is
//! known of its replicas for as long as the pool is configured.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::board::Known;
use super::capacity::{Answers, Bounds, Capacity};
use super::load::Load;
use super::report::{PoolReport, Report, Routers};
use super::rule::Terms;
use super::window::{Reading, Window};
use crate::domain::{Moment, Preset};
use crate::pool::{Admission, LATENCY_BUCKETS, Pool};
use crate::snapshot::Snapshot;

/// What one router knows of one pool: what it tells its peers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolLoad {
    /// What is asked of it there.
    pub load: Load,
    /// The concurrency that one replica carries, by what was seen there.
    pub carried: f64,
    /// How long an answer takes there where replicas have no more than they carry, in seconds; zero where that is unknown.
    pub pace: f64,
    /// How many answers say so.
    pub evidence: f64,
    /// The endpoints that take requests.
    pub ready: u32,
}

/// What one router knows of every pool, by the pools' names.
pub type Loads = BTreeMap<String, PoolLoad>;

/// What one router tells its peers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// A number that no other router has.
    pub router: u64,
    /// The pools that anything is asked of.
    pub pools: Loads,
}

/// What the peers said.
#[derive(Clone, Debug, Default)]
pub struct Others {
    /// Who was asked and who answered, this router left out.
    pub routers: Routers,
    /// What those that answered know.
    pub loads: Vec<Loads>,
}

/// The minute of one pool, and what is known of its replicas.
#[derive(Debug, Default)]
pub struct PoolMeter {
    window: Window,
    capacity: Capacity,
    /// The concurrency of each replica in the two slices before the newest.
    each_before: [f64; 2],
}

/// The replicas of a pool, as they bear on what one of them carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replicas {
    /// Those that take requests.
    pub ready: u32,
    /// The requests at once that other routers have with them.
    pub elsewhere: f64,
    /// What bounds the concurrency of each.
    pub bounds: Bounds,
}

impl PoolMeter {
    /// Notes what the pool is doing `now`, and says what is known of it; `latencies` is asked about once a second.
    pub fn read(
        &mut self,
        now: Moment,
        reading: Reading,
        replicas: Replicas,
        latencies: impl FnOnce() -> Option<[u32; LATENCY_BUCKETS]>,
    ) -> PoolLoad {
        let Self { window, capacity, each_before } = self;
        let slice = window.read(now, reading, latencies);
        if let Some(slice) = slice.filter(|slice| replicas.ready > 0 && slice.answers() > 0) {
            let each = (slice.served() + replicas.elsewhere) / f64::from(replicas.ready);
            // What is late because of what a replica had a moment ago is no sign of what it has now.
            let [before, last] = std::mem::replace(each_before, [each_before[1], each]);
            let each = each.max(last).max(before);
            let answers = Answers { latencies: slice.latencies().clone(), busy: slice.served() * slice.seconds };
            capacity.observe(each, &answers, (slice.seconds, replicas.bounds.objective));
        }
        let load = if window.is_quiet() { Load::default() } else { window.load() };
        let carried = capacity.carried(replicas.bounds);
        let (evidence, pace) = (capacity.evidence(), capacity.pace(carried).unwrap_or_default());
        PoolLoad { load, carried, pace, evidence, ready: replicas.ready }
    }
}

/// The minutes of all pools.
#[derive(Debug, Default)]
pub struct Meter {
    pools: BTreeMap<String, PoolMeter>,
    generation: u64,
    router: u64,
}

impl Meter {
    /// A meter of the router that peers know by the number `router`.
    pub fn new(router: u64) -> Self {
        Self { router, ..Self::default() }
    }

    /// Looks at what `snapshot`'s pools are doing `now`, and says what is known of them with what the `others` know.
    pub fn read(&mut self, snapshot: &Snapshot, now: Moment, others: &Others) -> Known {
        if self.generation != snapshot.generation() {
            self.generation = snapshot.generation();
            let names: BTreeSet<&str> = snapshot.pools().map(|(_, pool)| &*pool.name).collect();
            self.pools.retain(|name, _| names.contains(&**name));
        }
        let (mut loads, mut alone, mut all) = (Loads::new(), Vec::new(), Vec::new());
        for (_, pool) in snapshot.pools() {
            let theirs = || others.loads.iter().filter_map(|loads| loads.get(&*pool.name));
            let own = self.own(pool, now, theirs().map(|theirs| theirs.load.served_concurrency).sum());
            alone.push(report(pool, &own, std::iter::empty()));
            if !others.loads.is_empty() {
                all.push(report(pool, &own, theirs()));
            }
            if own.load.active {
                loads.insert(pool.name.to_string(), own);
            }
        }
        let alone = Arc::new(Report { routers: Routers { asked: 1, answered: 1, faults: Vec::new() }, pools: alone });
        let pools = if others.loads.is_empty() { alone.pools.clone() } else { all };
        let routers = &others.routers;
        let routers = Routers {
            asked: routers.asked.saturating_add(1),
            answered: routers.answered.saturating_add(1),
            faults: routers.faults.clone(),
        };
        Known {
            own: Arc::new(Own { router: self.router, pools: loads }),
            alone,
            all: Arc::new(Report { routers, pools }),
        }
    }

    /// What this router knows of `pool`, whose replicas have `elsewhere` requests at once of other routers.
    fn own(&mut self, pool: &Pool, now: Moment, elsewhere: f64) -> PoolLoad {
        if !self.pools.contains_key(&*pool.name) {
            self.pools.insert(pool.name.to_string(), PoolMeter::default());
        }
        // Of a limit that follows latency the highest: a replica is known to bear that.
        let slots = pool.endpoints.iter().map(|endpoint| pool.slots_of(endpoint)).max();
        let bounds =
            Bounds::of(pool.scaling.as_deref(), slots.unwrap_or(pool.slots_per_endpoint).get(), pool.objective());
        let Some(meter) = self.pools.get_mut(&*pool.name) else { return PoolLoad::default() };
        let reading = Reading {
            in_flight: pool.in_flight(),
            queued: pool.queue.pending().saturating_add(pool.held.waiting()),
            elsewhere: pool.demand.elsewhere(),
            counts: pool.demand.counts(),
        };
        let replicas = Replicas { ready: ready(pool, now), elsewhere, bounds };
        let known = meter.read(now, reading, replicas, || pool.demand.latencies());
        if !known.load.active {
            pool.demand.rests();
        }
        known
    }
}

/// The endpoints that take requests: one that is known by a name or an address of several replicas is one here.
fn ready(pool: &Pool, now: Moment) -> u32 {
    let admitting = pool.endpoints.iter().filter(|one| one.state.health.admission(now) == Admission::Admitting);
    u32::try_from(admitting.count()).unwrap_or(u32::MAX)
}

/// All routers' figures of `pool`. What a replica carries is the mean of what they say, by what they have seen.
fn report<'l>(pool: &Pool, own: &PoolLoad, theirs: impl Iterator<Item = &'l PoolLoad>) -> PoolReport {
    let mut sum = own.clone();
    let (mut carried, mut evidence) = (own.carried * own.evidence, own.evidence);
    let (mut pace, mut paced) = (own.pace * own.evidence, if own.pace > 0.0 { own.evidence } else { 0.0 });
    for PoolLoad { load, carried: theirs, pace: taken, evidence: seen, ready } in theirs {
        sum.load.add(load);
        sum.ready = sum.ready.max(*ready);
        carried += theirs * seen;
        evidence += seen;
        pace += taken * seen;
        paced += if *taken > 0.0 { *seen } else { 0.0 };
    }
    if evidence > 0.0 {
        sum.carried = carried / evidence;
    }
    if paced > 0.0 {
        sum.pace = pace / paced;
    }
    let preset = pool.scaling.as_ref().map(|scaling| scaling.preset.unwrap_or(Preset::Online));
    let targets = pool.scaling.as_ref().map(|scaling| scaling.recipe(Preset::Online).targets);
    PoolReport::new(
        pool,
        (preset, targets.unwrap_or_default()),
        Terms::of(pool.scaling.as_deref()),
        (sum, pool.demand.counts()),
    )
}
