//! How many requests of one pool are sent again at once.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Choice, Pool};
use crate::domain::{Moment, RetryBudget};

/// The retries under way of one pool, counted over every worker and every snapshot.
#[derive(Debug, Default)]
pub struct RetryState {
    active: AtomicU32,
}

/// The most retries of a pool that are under way at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RetryLimit {
    /// So many: Envoy's `max_retries`.
    Count(NonZeroU32),
    /// A share of the requests, in place of a number.
    Budget(RetryBudget),
    /// [`RetryBudget::DEFAULT`], of requests that an endpoint may have seen. One that was not written anywhere yet is no
    /// further load for the endpoint that gets it.
    Default,
}

impl RetryLimit {
    /// The number while `active` requests are in flight or wait.
    fn at(self, active: u32) -> u32 {
        match self {
            Self::Count(most) => most.get(),
            Self::Budget(budget) => budget.retries(active),
            Self::Default => RetryBudget::DEFAULT.retries(active),
        }
    }
}

/// One retry under way: from the decision to send a request again until that try has an outcome. Given back by being
/// dropped.
#[derive(Debug)]
pub struct Retrying(Arc<RetryState>);

impl Drop for Retrying {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Pool {
    /// Whether a request of which nothing was written goes on to another endpoint uncounted.
    pub fn moves_on_uncounted(&self) -> bool {
        self.retry_limit == RetryLimit::Default
    }

    /// The right to send a request again, unless as many retries are under way as the pool allows.
    pub fn retry(&self) -> Option<Retrying> {
        let most = self.retry_limit.at(self.in_flight().saturating_add(self.queue.pending()));
        let below = |active| (active < most).then_some(active + 1);
        self.retries.active.fetch_update(Ordering::AcqRel, Ordering::Relaxed, below).ok()?;
        Some(Retrying(Arc::clone(&self.retries)))
    }

    /// The places of the endpoints that are as near as the one at `place`: all, where it does not matter where they are.
    pub fn as_near_as(&self, place: usize) -> Range<usize> {
        let priority = match &self.choice {
            Choice::Even(_) => None,
            Choice::ByLocality(groups) => groups.priority_of(place),
        };
        priority.unwrap_or(0..self.endpoints.len())
    }

    /// Whether any endpoint but those `tried` is given requests.
    pub fn has_another(&self, now: Moment, tried: &[usize]) -> bool {
        let admits = |place: usize| self.endpoints[place].state.health.admission(now).takes_any();
        (0..self.endpoints.len()).any(|place| !tried.contains(&place) && admits(place))
    }
}
