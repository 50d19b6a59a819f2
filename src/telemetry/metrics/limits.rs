//! How often clients come to a limit.

use std::sync::Arc;

use prometheus::IntCounter;
use prometheus::proto::MetricFamily;

use crate::domain::Limit;
use crate::telemetry::family::Counters;
use crate::telemetry::names;

/// A counter for each limit; a handle that any thread may keep, and count with without a lock.
#[derive(Clone, Debug)]
pub struct LimitCounters {
    family: Arc<Counters<1>>,
    counters: Arc<[IntCounter]>,
}

impl LimitCounters {
    /// All at zero, and there from the start: the first is visible to `rate` only so.
    pub(super) fn new() -> Self {
        let family = Counters::new(&names::LIMITS, ());
        let counters = Limit::ALL.iter().map(|limit| family.with([limit.as_str()])).collect();
        Self { family: Arc::new(family), counters }
    }

    /// Notes that `limit` was come to once.
    pub fn count(&self, limit: Limit) {
        self.counters[limit.index()].inc();
    }

    pub(super) fn collect(&self) -> MetricFamily {
        self.family.collect()
    }
}
