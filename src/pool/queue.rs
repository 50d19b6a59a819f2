//! How many requests wait for a slot of one pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The requests that wait for one pool, counted over every worker and every snapshot.
#[derive(Debug, Default)]
pub struct QueueState {
    pending: AtomicU32,
}

impl QueueState {
    /// Requests that wait now.
    pub fn pending(&self) -> u32 {
        self.pending.load(Ordering::Relaxed)
    }
}

/// One request's place in a queue, given back by being dropped.
#[derive(Debug)]
pub struct Place(Arc<QueueState>);

impl Place {
    /// Takes a place unless `limit` requests wait already.
    pub fn take(queue: &Arc<QueueState>, limit: u32) -> Option<Self> {
        let below = |count| (count < limit).then_some(count + 1);
        queue.pending.fetch_update(Ordering::AcqRel, Ordering::Relaxed, below).ok()?;
        Some(Self(Arc::clone(queue)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::AcqRel);
    }
}
