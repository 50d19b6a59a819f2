//! What became of lookups of names, and how many addresses each name has.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prometheus::proto::MetricFamily;

use super::Metrics;
use crate::domain::Host;
use crate::snapshot::NameStatus;
use crate::telemetry::family::{Counters, gauges};
use crate::telemetry::names;

/// What became of one lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The name has addresses.
    Answered,
    /// There is no such name, or it has no address.
    Empty,
    /// There was no answer.
    Failed,
}

impl Lookup {
    const ALL: [Self; 3] = [Self::Answered, Self::Empty, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Empty => "empty",
            Self::Failed => "failed",
        }
    }
}

/// Written by the control plane and read by scrapes; traffic never comes here.
#[derive(Debug)]
pub(super) struct LookupMetrics {
    results: Counters<2>,
    addresses: Mutex<BTreeMap<Host, u32>>,
}

impl Metrics {
    /// Notes a lookup of `name`, and what is known of every name since. Others have no series any more.
    pub fn looked_up(&self, name: &Host, result: Lookup, statuses: &[NameStatus]) {
        self.lookups.note(name, result, statuses);
    }
}

impl LookupMetrics {
    pub(super) fn new() -> Self {
        Self { results: Counters::new(&names::DNS_LOOKUPS, ()), addresses: Mutex::default() }
    }

    fn note(&self, name: &Host, result: Lookup, statuses: &[NameStatus]) {
        // The first failure is visible to `rate` only if the series stood at zero before.
        for each in Lookup::ALL {
            self.results.with([name.as_str(), each.as_str()]);
        }
        self.results.with([name.as_str(), result.as_str()]).inc();
        let count = |status: &NameStatus| status.addresses.as_ref().map_or(0, |addresses| addresses.all().len());
        let counts =
            statuses.iter().map(|status| (status.name.clone(), u32::try_from(count(status)).unwrap_or(u32::MAX)));
        let counts: BTreeMap<Host, u32> = counts.collect();
        self.results.retain(|labels| {
            labels.get(names::HOST).is_some_and(|host| counts.keys().any(|name| name.as_str() == host))
        });
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    pub(super) fn collect(&self) -> Vec<MetricFamily> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = addresses.iter().map(|(name, count)| ([name.as_str()], f64::from(*count)));
        vec![self.results.collect(), gauges(&names::DNS_ADDRESSES, samples)]
    }
}
