//! What came of the requests that the router makes of endpoints on its own account.

use prometheus::proto::MetricFamily;

use super::Metrics;
use crate::pool::CheckResult;
use crate::telemetry::family::{Counters, Labels};
use crate::telemetry::names;

/// Written by the control plane and read by scrapes; traffic never comes here.
#[derive(Debug)]
pub(super) struct UpkeepMetrics {
    checks: Counters<2>,
    warmups: Counters<2>,
    pages: Counters<2>,
}

/// What a request of the router's own came to, beside health checks.
const ENDS: [&str; 2] = ["answered", "failed"];

impl Metrics {
    /// Notes a health check of an endpoint of `pool`.
    pub fn health_checked(&self, pool: &str, result: CheckResult) {
        count(&self.upkeep.checks, pool, CheckResult::ALL.map(CheckResult::as_str), result.as_str());
    }

    /// Notes a warm-up request to an endpoint of `pool`, and whether it was answered well.
    pub fn warmed_up(&self, pool: &str, answered: bool) {
        count(&self.upkeep.warmups, pool, ENDS, ENDS[usize::from(!answered)]);
    }

    /// Notes that an endpoint of `pool` was asked for its metrics, and whether it told its load.
    pub fn load_read(&self, pool: &str, answered: bool) {
        count(&self.upkeep.pages, pool, ENDS, ENDS[usize::from(!answered)]);
    }
}

/// The first of each result is visible to `rate` only if its series stood at zero before.
fn count<const N: usize>(counters: &Counters<2>, pool: &str, results: [&str; N], result: &str) {
    for each in results {
        counters.with([pool, each]);
    }
    counters.with([pool, result]).inc();
}

impl UpkeepMetrics {
    pub(super) fn new() -> Self {
        Self {
            checks: Counters::new(&names::HEALTH_CHECKS, ()),
            warmups: Counters::new(&names::WARMUPS, ()),
            pages: Counters::new(&names::LOAD_PAGES, ()),
        }
    }

    pub(super) fn retain(&self, keep: impl Fn(&Labels<'_>) -> bool) {
        for counters in [&self.checks, &self.warmups, &self.pages] {
            counters.retain(&keep);
        }
    }

    pub(super) fn collect(&self) -> Vec<MetricFamily> {
        vec![self.checks.collect(), self.warmups.collect(), self.pages.collect()]
    }
}
