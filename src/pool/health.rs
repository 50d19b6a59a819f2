//! Whether an endpoint is given requests: admitting, ejected or probing.
//!
//! An endpoint that fails to accept connections several times in a row is ejected, each time for longer. Once the time
//! is over, one request at a time is let through as a probe until one gets a connection. The same holds of an endpoint that
//! was ejected for its answers, until one of them is good.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::outlier::Outlier;
use crate::domain::{Moment, Reason};

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
    /// It takes none before its first health check.
    Unchecked,
    /// Its health checks fail; it takes none.
    Unhealthy,
    /// It takes none before its warm-up request is answered.
    Warming,
}

impl Admission {
    /// Every one of them.
    pub const ALL: [Self; 6] =
        [Self::Admitting, Self::Ejected, Self::Probing, Self::Unchecked, Self::Unhealthy, Self::Warming];

    /// Whether it takes any request: one that waits for its probe comes back by a request alone.
    pub const fn takes_any(self) -> bool {
        matches!(self, Self::Admitting | Self::Probing)
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitting => "admitting",
            Self::Ejected => "ejected",
            Self::Probing => "probing",
            Self::Unchecked => "unchecked",
            Self::Unhealthy => "unhealthy",
            Self::Warming => "warming",
        }
    }
}

/// What the router's own requests say of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Nothing against it.
    Ready,
    /// It was not asked yet.
    Unchecked,
    /// Its health checks fail.
    Unhealthy,
    /// Its warm-up request is not answered yet.
    Warming,
}

impl Readiness {
    const ALL: [Self; 4] = [Self::Ready, Self::Unchecked, Self::Unhealthy, Self::Warming];
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
    /// A place in [`Readiness::ALL`].
    readiness: AtomicU8,
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
    pub(super) fn new(readiness: Readiness) -> Self {
        let health = Self::default();
        health.set_readiness(readiness);
        health
    }

    /// What the router's own requests say of the endpoint.
    pub fn readiness(&self) -> Readiness {
        let place = usize::from(self.readiness.load(Ordering::Acquire));
        Readiness::ALL.get(place).copied().unwrap_or(Readiness::Ready)
    }

    /// Notes what the router's own requests say; whoever sends these is the only writer.
    pub fn set_readiness(&self, readiness: Readiness) {
        self.readiness.store(readiness as u8, Ordering::Release);
    }

    /// Notes that the endpoint has passed a health check. It can be connected to, and where it was ejected for its answers,
    /// a probe may go at once. True where that lets requests through that were not let through before.
    pub fn passed_check(&self, now: Moment) -> bool {
        let admits = self.connected();
        self.outlier.end_early(now) || admits
    }

    /// Why it takes no request: one that is only not ready yet is worth waiting for.
    pub(super) fn refusal(&self) -> Reason {
        match self.readiness() {
            Readiness::Unchecked | Readiness::Warming => Reason::SlotsTaken,
            Readiness::Ready | Readiness::Unhealthy => Reason::NoEndpoint,
        }
    }

    /// What the endpoint is at `now`.
    pub fn admission(&self, now: Moment) -> Admission {
        match self.readiness() {
            Readiness::Ready => {}
            Readiness::Unchecked => return Admission::Unchecked,
            Readiness::Unhealthy => return Admission::Unhealthy,
            Readiness::Warming => return Admission::Warming,
        }
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
            Admission::Probing => self.probe(now),
            _ => None,
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
