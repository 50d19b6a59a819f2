//! How long a request would take at a pool now, as far as that was measured.

use std::time::Duration;

use super::{Admission, Pool};
use crate::domain::{Moment, Priority};

/// What a request may expect of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Until it has a slot; zero where one is free.
    pub wait: Duration,
    /// From then to the end of its answer.
    pub service: Duration,
}

impl Outlook {
    /// Until its answer's end.
    pub fn total(&self) -> Duration {
        self.wait.saturating_add(self.service)
    }
}

impl Pool {
    /// What a request of `priority` may expect; `None` where nothing was measured that says so.
    pub fn outlook(&self, priority: Priority, now: Moment) -> Option<Outlook> {
        let service = self.load.latency()?;
        if self.has_room(now) {
            return Some(Outlook { wait: Duration::ZERO, service });
        }
        // Before anyone has waited, the time between two slots is what Little's law makes it.
        let interval = self.queue.interval().or_else(|| service.checked_div(self.slots(now)))?;
        Some(Outlook { wait: interval.saturating_mul(self.queue.turns(priority)), service })
    }

    /// Whether a slot is free that nobody who waits comes first for.
    pub fn has_room(&self, now: Moment) -> bool {
        self.queue.pending() == 0 && self.has_slot(now)
    }

    /// Whether a slot is free.
    pub fn has_slot(&self, now: Moment) -> bool {
        self.max_requests.is_none_or(|most| self.in_flight() < most.get())
            && self.endpoints.iter().any(|endpoint| {
                endpoint.state.health.admission(now) == Admission::Admitting
                    && endpoint.state.in_flight() < self.slots_of(endpoint).get()
            })
    }

    /// Requests that its admitting endpoints take at once.
    pub fn slots(&self, now: Moment) -> u32 {
        let admitting = |endpoint: &&super::Endpoint| endpoint.state.health.admission(now) == Admission::Admitting;
        let each = self.endpoints.iter().filter(admitting).map(|endpoint| self.slots_of(endpoint).get());
        let all = each.fold(0, u32::saturating_add);
        self.max_requests.map_or(all, |most| most.get().min(all))
    }
}
