//! Whether an endpoint is given requests: admitting, ejected or probing.
//!
//! An endpoint that fails to accept connections several times in a row is ejected, each time for longer. Once the time
//! is over, one request at a time is let through as a probe until one gets a connection. The same holds of an endpoint that
//! was ejected for its answers, until one of them is good.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
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
    /// Its ejection is over; it takes one request at a time, over all workers, until one succeeds.
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
    /// The one probe, by its number.
    Probe(u64),
}

/// The health of one endpoint, judged by its connections, or by its answers where its pool detects outliers.
#[derive(Debug, Default)]
pub struct Health {
    failures: AtomicU32,
    ejections: AtomicU32,
    /// Zero while it admits, else when the ejection ends.
    ejected_until: AtomicU64,
    /// The number of the probe that is under way; zero where there is none.
    probe: AtomicU64,
    /// Probes so far.
    probes: AtomicU64,
    pub(super) outlier: Outlier,
}

impl Health {
    /// What the endpoint is at `now`.
    pub fn admission(&self, now: Moment) -> Admission {
        match self.ejected_until.load(Ordering::Acquire) {
            _ if self.outlier.is_ejected(now) => Admission::Ejected,
            0 if !self.outlier.is_open() => Admission::Admitting,
            until if now.as_nanos() < until => Admission::Ejected,
            _ => Admission::Probing,
        }
    }

    pub(super) fn admit(&self, now: Moment) -> Option<Permit> {
        match self.admission(now) {
            Admission::Admitting => Some(Permit::Ordinary),
            Admission::Ejected => None,
            Admission::Probing => self.probe(now),
        }
    }

    /// The right to be the one probe.
    fn probe(&self, now: Moment) -> Option<Permit> {
        if self.probe.load(Ordering::Relaxed) != 0 {
            return None;
        }
        let number = self.probes.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.probe.compare_exchange(0, number, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        // What came of the probe before may have been noted since it was found to be over.
        if self.admission(now) == Admission::Probing {
            return Some(Permit::Probe(number));
        }
        self.give_back(Permit::Probe(number));
        None
    }

    pub(super) fn give_back(&self, permit: Permit) {
        if let Permit::Probe(number) = permit {
            // A probe whose outcome is known is over before its answer is, and another may be under way by now.
            self.probe.compare_exchange(number, 0, Ordering::AcqRel, Ordering::Relaxed).ok();
        }
    }

    /// The probe that is under way has come to something, whatever of its answer is still to come.
    pub(super) fn end_probe(&self) {
        if self.probe.load(Ordering::Relaxed) != 0 {
            self.probe.store(0, Ordering::Release);
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
        let ejected = self.ejected_until.swap(0, Ordering::AcqRel) != 0;
        if ejected {
            self.end_probe();
        }
        ejected
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
        self.end_probe();
        true
    }
}
