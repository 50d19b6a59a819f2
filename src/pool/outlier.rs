//! Ejection for what an endpoint answers, as Envoy's outlier detection does it.
//!
//! Counts answers in a row, never rates. An endpoint whose ejection is over admits as if nothing had been; it is ejected
//! for longer the next time, unless it has served for a while in between.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::{Moment, OutlierDetection};

/// The longest ejection, unless the first is longer already: Envoy's default `max_ejection_time`.
const MAX_EJECTION: Duration = Duration::from_mins(5);

/// How an attempt to have a request answered went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, with this status.
    Answered(u16),
    /// No connection could be opened.
    ConnectFailed,
    /// The connection broke before an answer began.
    Reset,
}

/// Errors in a row, and the ejections that came of them.
#[derive(Debug, Default)]
pub(super) struct Outlier {
    server_errors: AtomicU32,
    gateway_errors: AtomicU32,
    local_failures: AtomicU32,
    ejections: AtomicU32,
    /// When the last ejection ends or ended; zero before the first.
    ejected_until: AtomicU64,
}

impl Outlier {
    pub(super) fn is_ejected(&self, now: Moment) -> bool {
        now.as_nanos() < self.ejected_until.load(Ordering::Acquire)
    }

    /// Counts an outcome. True where it makes so many in a row that the endpoint is to be ejected.
    pub(super) fn count(&self, detection: &OutlierDetection, outcome: Outcome) -> bool {
        match (outcome, detection.consecutive_local_origin_failures) {
            (Outcome::Answered(status), apart) => {
                if apart.is_some() {
                    reset(&self.local_failures);
                }
                self.count_status(detection, status)
            }
            (_, Some(limit)) => reaches(&self.local_failures, Some(limit)),
            (_, None) => self.count_status(detection, 503),
        }
    }

    fn count_status(&self, detection: &OutlierDetection, status: u16) -> bool {
        if status < 500 {
            reset(&self.server_errors);
            reset(&self.gateway_errors);
            return false;
        }
        let gateway = if matches!(status, 502..=504) {
            reaches(&self.gateway_errors, detection.consecutive_gateway_errors)
        } else {
            reset(&self.gateway_errors);
            false
        };
        reaches(&self.server_errors, detection.consecutive_5xx_errors) || gateway
    }

    /// Ejects the endpoint from `now` on.
    pub(super) fn eject(&self, detection: &OutlierDetection, now: Moment) {
        let served = now.since(Moment::from_nanos(self.ejected_until.load(Ordering::Acquire)));
        let forgiven = served.as_nanos() / detection.interval.as_nanos().max(1);
        let before = self.ejections.load(Ordering::Acquire);
        let times = before.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX)).saturating_add(1);
        self.ejections.store(times, Ordering::Release);
        let longest = MAX_EJECTION.max(detection.base_ejection_time);
        let until = now.after(detection.base_ejection_time.saturating_mul(times).min(longest));
        self.ejected_until.store(until.as_nanos(), Ordering::Release);
    }
}

/// The common case reads only, so that the cache line stays shared among the workers.
fn reset(counter: &AtomicU32) {
    if counter.load(Ordering::Relaxed) != 0 {
        counter.store(0, Ordering::Relaxed);
    }
}

/// Counts one more; true, and from zero again, where that makes `limit`.
fn reaches(counter: &AtomicU32, limit: Option<NonZeroU32>) -> bool {
    let Some(limit) = limit else { return false };
    let reached = counter.fetch_add(1, Ordering::AcqRel).saturating_add(1) >= limit.get();
    if reached {
        counter.store(0, Ordering::Release);
    }
    reached
}

#[cfg(test)]
mod tests;
