//! Ejection for what an endpoint answers, as Envoy's outlier detection does it.
//!
//! Counts answers in a row, never rates. Where Envoy lets every request back to an endpoint whose ejection is over, here one
//! goes first: the endpoint admits once that is answered well, and is ejected again, for longer, where it is not. An endpoint
//! that has served for a while is forgiven its ejections.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::{Moment, OutlierDetection, Reason};

/// The longest ejection, unless the first is longer already: Envoy's default `max_ejection_time`.
const MAX_EJECTION: Duration = Duration::from_mins(5);

/// How an attempt to have a request answered went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, with this status.
    Answered(u16),
    /// No connection could be opened.
    ConnectFailed,
    /// The connection broke before an answer began, or within it.
    Reset,
    /// No answer began in the time that the request, or one try of it, had.
    TimedOut,
}

/// What the ejections of one pool have in common over every worker and every snapshot.
#[derive(Debug, Default)]
pub struct Ejections {
    deciding: AtomicBool,
}

impl Ejections {
    /// Has `decide` look at all endpoints and eject one, unless another worker does so just now: two at once could eject
    /// more than is allowed. `None` where that is so.
    pub(super) fn one_at_a_time<T>(&self, decide: impl FnOnce() -> T) -> Option<T> {
        if self.deciding.swap(true, Ordering::AcqRel) {
            return None;
        }
        let decided = decide();
        self.deciding.store(false, Ordering::Release);
        Some(decided)
    }
}

impl fmt::Display for Outcome {
    /// As the reason for which a request fails so is called.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(status) => write!(f, "answered_{status}"),
            Self::ConnectFailed => f.write_str(Reason::ConnectFailed.code()),
            Self::Reset => f.write_str(Reason::UpstreamReset.code()),
            Self::TimedOut => f.write_str(Reason::RequestTimeout.code()),
        }
    }
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
    /// Whether nothing good has come since the last ejection.
    open: AtomicBool,
    /// Whether the next error ejects, since the last could not.
    due: AtomicBool,
}

impl Outlier {
    pub(super) fn is_ejected(&self, now: Moment) -> bool {
        now.as_nanos() < self.ejected_until.load(Ordering::Acquire)
    }

    /// Whether it has been ejected and not proved itself since, so that it counts against the most that may be.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// The endpoint has proved itself. True where it had to.
    pub(super) fn close(&self) -> bool {
        self.is_open() && self.open.swap(false, Ordering::AcqRel)
    }

    /// The ejection's time is over at `now`; true where it was not before.
    pub(super) fn end_early(&self, now: Moment) -> bool {
        self.is_ejected(now) && self.ejected_until.swap(now.as_nanos(), Ordering::AcqRel) > now.as_nanos()
    }

    /// The next error ejects.
    pub(super) fn defer(&self) {
        self.due.store(true, Ordering::Relaxed);
    }

    /// Counts an outcome. True where the endpoint is to be ejected for it: it makes so many in a row, or an ejection is due.
    pub(super) fn count(&self, detection: &OutlierDetection, outcome: Outcome) -> bool {
        let reached = self.reaches_a_limit(detection, outcome);
        if !self.due.load(Ordering::Relaxed) {
            return reached;
        }
        self.due.store(false, Ordering::Relaxed);
        reached || is_error(detection, outcome)
    }

    fn reaches_a_limit(&self, detection: &OutlierDetection, outcome: Outcome) -> bool {
        match (outcome, detection.consecutive_local_origin_failures) {
            (Outcome::Answered(status), apart) => {
                if apart.is_some() {
                    reset(&self.local_failures);
                }
                self.count_status(detection, status)
            }
            (_, Some(limit)) => reaches(&self.local_failures, Some(limit)),
            // The statuses that Envoy counts them as.
            (Outcome::TimedOut, None) => self.count_status(detection, 504),
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
        self.open.store(true, Ordering::Release);
    }
}

/// Whether `outcome` is one that `detection` ejects for.
pub(super) fn is_error(detection: &OutlierDetection, outcome: Outcome) -> bool {
    match (outcome, detection.consecutive_local_origin_failures) {
        (Outcome::Answered(status), _) => {
            (status >= 500 && detection.consecutive_5xx_errors.is_some())
                || (matches!(status, 502..=504) && detection.consecutive_gateway_errors.is_some())
        }
        (_, Some(_)) => true,
        (_, None) => detection.consecutive_5xx_errors.is_some() || detection.consecutive_gateway_errors.is_some(),
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
