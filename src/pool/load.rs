//! What one pool bears as a whole: requests in flight under its own limit, and how long they take.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Each measured time moves the average so far, as one part in this many.
const INERTIA: u64 = 16;

/// The load of one pool, over every worker and every snapshot.
#[derive(Debug, Default)]
pub struct PoolLoad {
    /// Requests in flight that were let in under the pool's limit.
    in_flight: AtomicU32,
    /// How long a request holds its slot, in nanoseconds, as a moving average; zero while it is unknown.
    latency: AtomicU64,
}

impl PoolLoad {
    /// How long a request holds its slot; `None` where none was measured.
    pub fn latency(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.latency.load(Ordering::Relaxed))).filter(|latency| !latency.is_zero())
    }

    /// Takes one more measurement into the average. Of two at once, one may be lost.
    pub(super) fn measured(&self, latency: Duration) {
        let latency = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(1);
        let average = match self.latency.load(Ordering::Relaxed) {
            0 => latency,
            average => average - average / INERTIA + latency / INERTIA,
        };
        self.latency.store(average.max(1), Ordering::Relaxed);
    }
}

/// One of the requests that the pool as a whole has in flight; given back by being dropped.
#[derive(Debug)]
pub(super) struct Share(Arc<PoolLoad>);

impl Share {
    /// Takes one unless `most` are taken.
    pub(super) fn take(load: &Arc<PoolLoad>, most: NonZeroU32) -> Option<Self> {
        let below = |count| (count < most.get()).then_some(count + 1);
        load.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, below).ok()?;
        Some(Self(Arc::clone(load)))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
