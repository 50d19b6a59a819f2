//! Readings from the routers' own `/metrics`: what came between two scrapes, over all routers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use super::rule::{BUSY, History, Reading, TARGET, Target, whole};
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
    target: Option<Target>,
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
        let mut all: BTreeMap<String, Said> = BTreeMap::new();
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

    fn note(&mut self, all: BTreeMap<String, Said>) {
        let at = self.began.elapsed();
        let pools: BTreeSet<String> = all.keys().cloned().collect();
        self.pools.retain(|pool, _| pools.contains(pool) || pools.is_empty());
        for (pool, said) in all {
            let history = self.pools.entry(pool).or_default();
            history.objective = said.objective.unwrap_or(self.objective);
            history.bounds = (said.fewest.map(whole), said.most.map(whole));
            history.target = said.target;
            let (came, carried) = (&said.counted, said.carried * said.replicas);
            history.readings.push(Reading {
                at,
                p99: came.latency.quantile(0.99),
                errors: (came.answers > 0.0).then(|| came.errors / came.answers),
                // Without all routers it is at least so much: enough to be busy, and not to be idle.
                used: (carried > 0.0)
                    .then(|| said.concurrency / carried)
                    .filter(|used| *used > BUSY || self.faults.is_empty()),
                replicas: whole(said.replicas),
            });
        }
    }
}

impl Counted {
    /// What came after `before`; all of it where the router has started since, as Prometheus' `rate` has it.
    fn since(&self, before: &Self) -> Self {
        if self.is_reset(before) {
            return self.clone();
        }
        Self {
            latency: self.latency.since(&before.latency),
            answers: self.answers - before.answers,
            errors: self.errors - before.errors,
        }
    }

    /// Whether these cannot have followed `before`: the router has started anew, and counts from zero.
    fn is_reset(&self, before: &Self) -> bool {
        self.answers < before.answers || self.errors < before.errors
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
    /// Adds what a router says, which `came` since its last scrape. Requests add up; replicas, bounds and what one carries are
    /// known to each of them.
    fn add(&mut self, came: &Counted, said: &Self) {
        self.counted.latency.merge(&came.latency);
        self.counted.answers += came.answers;
        self.counted.errors += came.errors;
        self.concurrency += said.concurrency;
        self.carried = self.carried.max(said.carried);
        self.replicas = self.replicas.max(said.replicas);
        self.objective = self.objective.or(said.objective);
        self.fewest = self.fewest.or(said.fewest);
        self.most = self.most.or(said.most);
        self.target = self.target.take().or_else(|| said.target.clone());
    }

    /// Takes one sample of a scrape.
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
            TARGET => self.target = Some(Target::read(|label| sample.label(label))),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a router has counted: answers, errors, and how many were within 0.1 s.
    fn counted(answers: u32, errors: u32, quick: u32) -> Counted {
        let (fine, pool) = (answers - errors, "pool=\"a:80\",tier=\"\"");
        let text = format!(
            "overspill_requests_total{{{pool},response_code=\"200\"}} {fine}\n\
             overspill_requests_total{{{pool},response_code=\"502\"}} {errors}\n\
             overspill_request_duration_seconds_bucket{{{pool},le=\"0.1\"}} {quick}\n\
             overspill_request_duration_seconds_bucket{{{pool},le=\"1\"}} {answers}\n\
             overspill_request_duration_seconds_bucket{{{pool},le=\"+Inf\"}} {answers}\n"
        );
        said(&text).remove("a:80").expect("the pool is there").counted
    }

    #[test]
    fn a_router_that_started_anew_has_counted_from_zero() {
        let before = counted(1000, 10, 1000);
        let came = counted(1100, 12, 1090).since(&before);
        assert_eq!((came.answers, came.errors), (100.0, 2.0));
        assert!(came.latency.quantile(0.95).is_some_and(|p95| p95 > 0.1 && p95 < 1.0), "{came:?}");
        let came = counted(40, 4, 0).since(&before);
        assert_eq!((came.answers, came.errors), (40.0, 4.0));
        assert!(came.latency.quantile(0.5).is_some_and(|p50| p50 > 0.1), "none of them was quick: {came:?}");
    }
}
