//! How long answers take, where a pool's choices or second tries go by that.

use std::time::Duration;

use super::Pool;
use crate::domain::{HedgeAfter, Moment};

/// What came of a try whose time is noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timed {
    /// An answer that is no error.
    Well,
    /// An error, or no answer.
    Failed,
}

impl Pool {
    /// Whether anything goes by how long its answers take.
    pub fn times_answers(&self) -> bool {
        self.latency_decay.is_some() || self.hedge.is_some()
    }

    /// Notes that the endpoint at `place` took from `begun` until now.
    pub fn observe_since(&self, place: usize, begun: Moment, timed: Timed, now: impl FnOnce() -> Moment) {
        if !self.times_answers() {
            return;
        }
        let now = now();
        let took = now.since(begun);
        if matches!(self.hedge.map(|hedge| hedge.after), Some(HedgeAfter::Percentile(_))) && timed == Timed::Well {
            self.latencies.count(took);
        }
        if let (Some(decay), Some(endpoint)) = (self.latency_decay, self.endpoints.get(place)) {
            match timed {
                Timed::Well => endpoint.state.load.answered(took, now, decay),
                Timed::Failed => endpoint.state.load.failed(took, now, decay),
            }
        }
    }

    /// How long a try may take before the request is sent a second time; `None` where that is not done, or too little is
    /// known.
    pub fn hedged_after(&self) -> Option<Duration> {
        match self.hedge?.after {
            HedgeAfter::Delay(delay) => Some(delay),
            HedgeAfter::Percentile(percentile) => self.latencies.quantile(percentile),
        }
    }
}
