//! What became of lookups of names, and how many addresses each name has.

use std::collections::BTreeMap;
use std::net::IpAddr;
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

    /// What an answer with these addresses is, or that there was none.
    pub const fn of(answer: Option<&[IpAddr]>) -> Self {
        match answer {
            Some([]) => Self::Empty,
            Some(_) => Self::Answered,
            None => Self::Failed,
        }
    }

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
    /// Notes a lookup of `name`.
    pub fn looked_up(&self, name: &Host, result: Lookup) {
        self.lookups.count(name.as_str(), result);
    }

    /// Notes what is known of every name. Others have no series any more.
    pub fn resolved(&self, statuses: &[NameStatus]) {
        self.lookups.resolved(statuses);
    }

    /// Notes a lookup of a host that a request asked for. Such hosts are clients' choice, and share one series.
    pub fn looked_up_for_request(&self, result: Lookup) {
        self.lookups.count(names::ANY_HOST, result);
    }
}

impl LookupMetrics {
    pub(super) fn new() -> Self {
        Self { results: Counters::new(&names::DNS_LOOKUPS, ()), addresses: Mutex::default() }
    }

    fn count(&self, host: &str, result: Lookup) {
        // The first failure is visible to `rate` only if the series stood at zero before.
        for each in Lookup::ALL {
            self.results.with([host, each.as_str()]);
        }
        self.results.with([host, result.as_str()]).inc();
    }

    fn resolved(&self, statuses: &[NameStatus]) {
        let count = |status: &NameStatus| status.addresses.as_ref().map_or(0, |addresses| addresses.all().len());
        let counts =
            statuses.iter().map(|status| (status.name.clone(), u32::try_from(count(status)).unwrap_or(u32::MAX)));
        let counts: BTreeMap<Host, u32> = counts.collect();
        let is_known = |host: &str| host == names::ANY_HOST || counts.keys().any(|name| name.as_str() == host);
        self.results.retain(|labels| labels.get(names::HOST).is_some_and(is_known));
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    pub(super) fn collect(&self) -> Vec<MetricFamily> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = addresses.iter().map(|(name, count)| ([name.as_str()], f64::from(*count)));
        vec![self.results.collect(), gauges(&names::DNS_ADDRESSES, samples)]
    }
}
