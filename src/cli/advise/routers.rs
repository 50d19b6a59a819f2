//! Readings from the routers' own `/metrics`: what came between two scrapes, over all routers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use super::rule::{History, Reading};
use super::{Known, PATIENCE};
use crate::cli::exposition::{Sample, samples};
use crate::cli::fetch::{Asking, FetchError};
use crate::cli::quantile::Buckets;

/// The routers, what they said last, and what is known since the first scrape.
pub(super) struct Routers {
    urls: Vec<Uri>,
    objective: f64,
    began: Instant,
    /// What each router's counters said last.
    last: BTreeMap<usize, BTreeMap<String, Counted>>,
    pools: BTreeMap<String, History>,
    faults: Vec<String>,
}

/// What a router has counted of a pool since its start.
#[derive(Clone, Debug, Default)]
struct Counted {
    latency: Buckets,
    answers: f64,
    errors: f64,
}

/// What a router says of a pool now.
#[derive(Clone, Debug, Default)]
struct Said {
    counted: Counted,
    concurrency: f64,
    carried: f64,
    replicas: f64,
    objective: Option<f64>,
    fewest: Option<f64>,
    most: Option<f64>,
}

impl Routers {
    pub(super) fn new(urls: Vec<Uri>, objective: Duration) -> Self {
        let objective = objective.as_secs_f64();
        let (last, pools, faults) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { urls, objective, began: Instant::now(), last, pools, faults }
    }

    /// Whether nothing has been read yet.
    pub(super) fn is_new(&self) -> bool {
        self.last.is_empty()
    }

    pub(super) fn known(&self) -> Known {
        Known { pools: self.pools.clone(), faults: self.faults.clone() }
    }

    /// Forgets what is older than `span`.
    pub(super) fn forget(&mut self, span: Duration) {
        let oldest = self.began.elapsed().saturating_sub(span);
        self.pools.values_mut().for_each(|history| history.readings.retain(|reading| reading.at >= oldest));
    }

    /// Scrapes every router once, and adds one reading a pool.
    ///
    /// # Errors
    /// The last [`FetchError`] where none of them answers.
    pub(super) async fn read(&mut self) -> Result<(), FetchError> {
        self.faults.clear();
        let mut failure = None;
        let mut all: BTreeMap<String, (Counted, Said)> = BTreeMap::new();
        for (number, url) in self.urls.iter().enumerate() {
            match Asking::get(url.clone(), PATIENCE).send().await {
                Ok(body) => {
                    let said = said(&String::from_utf8_lossy(&body));
                    let before = self.last.remove(&number);
                    for (pool, said) in &said {
                        let earlier = before.as_ref().map(|before| before.get(pool).cloned().unwrap_or_default());
                        let came = earlier.map_or_else(Counted::default, |earlier| said.counted.since(&earlier));
                        all.entry(pool.clone()).or_default().add(&came, said);
                    }
                    self.last.insert(number, said.into_iter().map(|(pool, said)| (pool, said.counted)).collect());
                }
                Err(error) => {
                    self.faults.push(error.to_string());
                    failure = Some(error);
                }
            }
        }
        if let (true, Some(error)) = (self.last.is_empty(), failure) {
            return Err(error);
        }
        self.note(all);
        Ok(())
    }

    fn note(&mut self, all: BTreeMap<String, (Counted, Said)>) {
        let at = self.began.elapsed();
        let pools: BTreeSet<String> = all.keys().cloned().collect();
        self.pools.retain(|pool, _| pools.contains(pool) || pools.is_empty());
        for (pool, (came, said)) in all {
            let history = self.pools.entry(pool).or_default();
            history.objective = said.objective.unwrap_or(self.objective);
            history.bounds = (said.fewest.map(whole), said.most.map(whole));
            let carried = said.carried * said.replicas;
            history.readings.push(Reading {
                at,
                p99: came.latency.quantile(0.99),
                errors: (came.answers > 0.0).then(|| came.errors / came.answers),
                used: (carried > 0.0).then(|| said.concurrency / carried),
                replicas: whole(said.replicas),
            });
        }
    }
}

/// A count from a sample.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are whole, and none is below zero")]
pub(super) fn whole(value: f64) -> u32 {
    value.round() as u32
}

impl Counted {
    fn since(&self, before: &Self) -> Self {
        Self {
            latency: self.latency.since(&before.latency),
            answers: (self.answers - before.answers).max(0.0),
            errors: (self.errors - before.errors).max(0.0),
        }
    }
}

trait Add {
    /// Adds what another router says of the same pool. Requests add up; replicas, bounds and what one carries are known to each.
    fn add(&mut self, came: &Counted, said: &Said);
}

impl Add for (Counted, Said) {
    fn add(&mut self, came: &Counted, said: &Said) {
        let (counted, all) = self;
        counted.latency.merge(&came.latency);
        counted.answers += came.answers;
        counted.errors += came.errors;
        all.concurrency += said.concurrency;
        all.carried = all.carried.max(said.carried);
        all.replicas = all.replicas.max(said.replicas);
        all.objective = all.objective.or(said.objective);
        all.fewest = all.fewest.or(said.fewest);
        all.most = all.most.or(said.most);
    }
}

/// What a scrape says of each pool that has endpoints to scale.
fn said(text: &str) -> BTreeMap<String, Said> {
    let mut pools: BTreeMap<String, Said> = BTreeMap::new();
    for sample in samples(text) {
        let pool = sample.label("pool");
        if pool.is_empty() || pool == "local" {
            continue;
        }
        let said = match pools.get_mut(pool) {
            Some(said) => said,
            None => pools.entry(pool.to_owned()).or_default(),
        };
        said.take(&sample);
    }
    pools
}

impl Said {
    fn take(&mut self, sample: &Sample<'_>) {
        match sample.name {
            "overspill_request_duration_seconds_bucket" => {
                if let Ok(edge) = sample.label("le").parse() {
                    self.counted.latency.add(edge, sample.value);
                }
            }
            "overspill_requests_total" => {
                self.counted.answers += sample.value;
                let failed = sample.label("response_code").starts_with('5');
                self.counted.errors += if failed { sample.value } else { 0.0 };
            }
            "overspill_pool_concurrency" => self.concurrency = sample.value,
            "overspill_pool_target_concurrency" => self.carried = sample.value,
            "overspill_pool_endpoints" if sample.label("state") == "admitting" => self.replicas = sample.value,
            "overspill_pool_latency_objective_seconds" => self.objective = Some(sample.value),
            "overspill_min_replicas" => self.fewest = Some(sample.value),
            "overspill_max_replicas" => self.most = Some(sample.value),
            _ => {}
        }
    }
}
