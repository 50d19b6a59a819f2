//! The memory that bodies kept for retries may take, over all requests of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::Limit;
use crate::telemetry::LimitCounters;

/// What is kept now, in bytes, by all workers.
#[derive(Clone, Debug, Default)]
pub struct Retained(Arc<AtomicU64>);

/// What one body has of it, given back on drop.
#[derive(Debug)]
pub(super) struct Allowance {
    retained: Retained,
    taken: u64,
    /// The most that all bodies may take together.
    most: u64,
    counters: LimitCounters,
}

impl Retained {
    /// An allowance for one body.
    pub(super) fn allow(&self, most: u64, counters: LimitCounters) -> Allowance {
        Allowance { retained: self.clone(), taken: 0, most, counters }
    }
}

impl Allowance {
    /// Takes `bytes` more; whether there were as many. Where there were not, the body gives back what it has.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let all = self.retained.0.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.taken += bytes;
        if all > self.most {
            self.counters.count(Limit::RetryBuffer);
            self.give_back();
        }
        all <= self.most
    }

    /// Gives back all that was taken.
    pub(super) fn give_back(&mut self) {
        self.retained.0.fetch_sub(std::mem::take(&mut self.taken), Ordering::Relaxed);
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.give_back();
    }
}
