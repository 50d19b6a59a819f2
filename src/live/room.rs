//! Where requests wait for a slot of one pool.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::pool::Slot;

/// The waiting room of one pool; its count of places is the pool's own.
#[derive(Debug, Default)]
pub(super) struct Room {
    freed: Notify,
}

impl Room {
    /// Completes once for each slot given back, first come, first served.
    pub(super) fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }

    /// Completes all that wait.
    pub(super) fn wake_all(&self) {
        self.freed.notify_waiters();
    }
}

/// A slot together with the wake-up that its return owes to whoever waits.
#[derive(Debug)]
pub struct Held {
    // Fields drop in this order: the slot is free before its successor wakes.
    _slot: Slot,
    _wake: Wake,
}

impl Held {
    pub(super) fn new(slot: Slot, room: &Arc<Room>) -> Self {
        Self { _slot: slot, _wake: Wake(Arc::clone(room)) }
    }
}

#[derive(Debug)]
struct Wake(Arc<Room>);

impl Drop for Wake {
    fn drop(&mut self) {
        self.0.freed.notify_one();
    }
}
