//! Whether an endpoint is given requests: admitting, ejected or probing.
//!
//! An endpoint that fails to accept connections several times in a row is ejected, each time for longer. Once the time
//! is over, one request at a time is let through as a probe until one gets a connection.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::outlier::Outlier;
use crate::domain::Moment;

/// Failures to connect in a row before an endpoint is ejected.
const FAILURES_TO_EJECT: u32 = 3;
/// The first ejection's length; each further one in a row is as much longer.
const BASE_EJECTION: Duration = Duration::from_secs(1);
/// The longest ejection, Istio's default `baseEjectionTime`.
const MAX_EJECTION: Duration = Duration::from_secs(30);

/// What an endpoint is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It takes requests.
    Admitting,
    /// It takes none.
    Ejected,
    /// Its ejection is over; it takes one request at a time until a connection succeeds.
    Probing,
}

impl Admission {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitting => "admitting",
            Self::Ejected => "ejected",
            Self::Probing => "probing",
        }
    }
}

/// The right to send one request, as the health grants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    /// As many as there are slots.
    Ordinary,
    /// The one probe.
    Probe,
}

/// The health of one endpoint, judged by its connections, or by its answers where its pool detects outliers.
#[derive(Debug, Default)]
pub struct Health {
    failures: AtomicU32,
    ejections: AtomicU32,
    /// Zero while it admits, else when the ejection ends.
    ejected_until: AtomicU64,
    probe_under_way: AtomicBool,
    pub(super) outlier: Outlier,
}

impl Health {
    /// What the endpoint is at `now`.
    pub fn admission(&self, now: Moment) -> Admission {
        match self.ejected_until.load(Ordering::Acquire) {
            _ if self.outlier.is_ejected(now) => Admission::Ejected,
            0 => Admission::Admitting,
            until if now.as_nanos() < until => Admission::Ejected,
            _ => Admission::Probing,
        }
    }

    pub(super) fn admit(&self, now: Moment) -> Option<Permit> {
        match self.admission(now) {
            Admission::Admitting => Some(Permit::Ordinary),
            Admission::Ejected => None,
            Admission::Probing => (!self.probe_under_way.swap(true, Ordering::AcqRel)).then_some(Permit::Probe),
        }
    }

    pub(super) fn give_back(&self, permit: Permit) {
        if permit == Permit::Probe {
            self.probe_under_way.store(false, Ordering::Release);
        }
    }

    /// Notes that a connection was accepted: the endpoint admits again. True where it did not before.
    pub fn connected(&self) -> bool {
        // The common case reads only, so that the cache line stays shared among the workers.
        if self.failures.load(Ordering::Relaxed) == 0 {
            return false;
        }
        self.failures.store(0, Ordering::Relaxed);
        self.ejections.store(0, Ordering::Relaxed);
        self.ejected_until.swap(0, Ordering::AcqRel) != 0
    }

    /// Notes that a connection could not be opened. True where the endpoint is ejected by it.
    pub fn failed_to_connect(&self, now: Moment) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        if failures < FAILURES_TO_EJECT || self.admission(now) == Admission::Ejected {
            return false;
        }
        let times = self.ejections.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        let until = now.after(BASE_EJECTION.saturating_mul(times).min(MAX_EJECTION));
        self.ejected_until.store(until.as_nanos().max(1), Ordering::Release);
        true
    }
}
