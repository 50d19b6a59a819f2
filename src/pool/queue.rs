//! The queue in front of one pool: who waits, who is next, and who would wait in vain.
//!
//! [`QueueState`] is what everybody may read of it without a lock; [`Line`] is the queue itself, for whoever holds it
//! alone. Neither waits: time is an argument, and whom to tell what is an answer.

mod line;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

pub use line::{Called, Joined, Line, Terms, Ticket, Tried, Wish};

use crate::domain::Priority;

/// While both priorities wait, so many slots in a row go to the urgent one before one goes to the other.
const URGENT_IN_A_ROW: u32 = 7;

/// The requests that wait for one pool, counted over every worker and every snapshot.
#[derive(Debug, Default)]
pub struct QueueState {
    /// Those that wait, and those that have been called and have no slot yet.
    pending: AtomicU32,
    waiting: [AtomicU32; 2],
    /// The time between two slots that come free while requests wait, in nanoseconds; zero while it is unknown.
    interval: AtomicU64,
}

impl QueueState {
    /// Requests that wait now.
    pub fn pending(&self) -> u32 {
        // In one order with the slots; see `EndpointState::enter`.
        self.pending.load(Ordering::SeqCst)
    }

    /// Requests of one priority that wait now.
    pub fn waiting(&self, priority: Priority) -> u32 {
        self.waiting[priority.index()].load(Ordering::Relaxed)
    }

    /// How many slots come free until a request of `priority` that begins to wait now has one, itself counted, if none
    /// of its own priority comes before it that is not there yet.
    pub fn turns(&self, priority: Priority) -> u32 {
        1 + ahead(priority, self.waiting(priority), Priority::ALL.map(|each| self.waiting(each)))
    }

    /// Whether a queue of `most` places has one for a request of `priority`, be it that of one of the others.
    pub fn has_place(&self, priority: Priority, most: u32) -> bool {
        self.pending() < most || self.waiting(priority) < share(priority, most)
    }

    /// How long a request of `priority` that begins to wait now would wait. Where nothing was measured, nobody who waits is no
    /// wait, and anybody is the longest.
    pub fn wait(&self, priority: Priority) -> Duration {
        match self.interval() {
            Some(interval) => interval.saturating_mul(self.turns(priority)),
            None if self.pending() == 0 => Duration::ZERO,
            None => Duration::MAX,
        }
    }

    /// The time between two slots that come free, as measured while requests waited; `None` where none was.
    pub fn interval(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.interval.load(Ordering::Relaxed))).filter(|interval| !interval.is_zero())
    }
}

/// How many of `most` places requests of `priority` have at the cost of the others: an eighth is kept for those that can wait.
fn share(priority: Priority, most: u32) -> u32 {
    let reserved = most / (URGENT_IN_A_ROW + 1);
    match priority {
        Priority::LatencySensitive => most - reserved,
        Priority::Standard => reserved,
    }
}

/// How many are served before a request of `priority` that has `before` of its own priority before it.
fn ahead(priority: Priority, before: u32, waiting: [u32; 2]) -> u32 {
    let [urgent, standard] = waiting;
    match priority {
        Priority::LatencySensitive => before + standard.min(before / URGENT_IN_A_ROW),
        Priority::Standard => before + urgent.min((before + 1).saturating_mul(URGENT_IN_A_ROW)),
    }
}
