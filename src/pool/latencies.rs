//! How long a pool's answers of late took to begin, as counts in buckets that any worker adds to.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Buckets for each doubling: a quantile is at most a tenth too long.
const PER_DOUBLING: f64 = 8.0;
/// Up to 2^24 microseconds, 17 seconds; what is longer counts as that.
const BUCKETS: usize = 24 * 8;
/// So many answers are needed before a quantile says anything.
const ENOUGH: u32 = 100;
/// Once so many are counted, every count is halved, so that what is old weighs less and less.
const MANY: u32 = 4096;

/// The latencies of one pool; outlives the snapshot.
#[derive(Debug)]
pub struct Latencies {
    counts: [AtomicU32; BUCKETS],
    total: AtomicU32,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: [const { AtomicU32::new(0) }; BUCKETS], total: AtomicU32::new(0) }
    }
}

impl Latencies {
    /// Counts an answer that began after `took`.
    pub(super) fn count(&self, took: Duration) {
        self.counts[bucket(took)].fetch_add(1, Ordering::Relaxed);
        // One of the workers that count at once sees exactly this number, and halves.
        if self.total.fetch_add(1, Ordering::AcqRel) + 1 == MANY {
            let halved = self.counts.iter().map(|count| count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, half));
            let left = halved.map(|before| before.unwrap_or_default() / 2).sum();
            self.total.store(left, Ordering::Release);
        }
    }

    /// How long all but the slowest of `percentile` in a hundred took; `None` before there are enough to tell.
    pub(super) fn quantile(&self, percentile: f64) -> Option<Duration> {
        let counts = || self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let total: u32 = counts().sum();
        if total < ENOUGH {
            return None;
        }
        let wanted = f64::from(total) * percentile / 100.0;
        let mut upto = 0;
        let place = counts().position(|count| {
            upto += count;
            f64::from(upto) >= wanted
        });
        Some(upper_edge(place.unwrap_or(BUCKETS - 1)))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an update may say no; this one never does")]
fn half(count: u32) -> Option<u32> {
    Some(count / 2)
}

/// The bucket that `took` falls into.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the logarithm of one or more is not negative, and what is too large is cut to the last bucket"
)]
fn bucket(took: Duration) -> usize {
    let micros = (took.as_secs_f64() * 1e6).max(1.0);
    ((micros.log2() * PER_DOUBLING) as usize).min(BUCKETS - 1)
}

fn upper_edge(bucket: usize) -> Duration {
    let doublings = u32::try_from(bucket + 1).map_or(0.0, f64::from) / PER_DOUBLING;
    Duration::from_secs_f64(doublings.exp2() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_what_so_many_stay_below() {
        let latencies = Latencies::default();
        (1..100).for_each(|millis| latencies.count(Duration::from_millis(millis)));
        assert_eq!(latencies.quantile(50.0), None, "too few");
        latencies.count(Duration::from_millis(100));
        for (percentile, millis) in [(50.0, 50.0), (95.0, 95.0), (99.0, 99.0)] {
            let found = latencies.quantile(percentile).expect("enough").as_secs_f64() * 1e3;
            assert!((millis..=millis * 1.1).contains(&found), "{percentile}: {found}");
        }
    }

    #[test]
    fn what_is_old_is_forgotten_by_and_by() {
        let latencies = Latencies::default();
        (0..4000).for_each(|_| latencies.count(Duration::from_secs(1)));
        (0..4000).for_each(|_| latencies.count(Duration::from_millis(1)));
        let median = latencies.quantile(50.0).expect("enough");
        assert!(median < Duration::from_millis(2), "{median:?}");
        (0..2).for_each(|_| latencies.count(Duration::MAX));
        assert!(latencies.quantile(100.0).expect("enough") > Duration::from_secs(16));
    }

    #[test]
    fn no_count_is_lost_for_good_whichever_threads_count() {
        let latencies = Latencies::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50_000).for_each(|_| latencies.count(Duration::from_millis(10))));
            }
        });
        let found = latencies.quantile(99.0).expect("enough").as_secs_f64();
        assert!((0.01..0.011).contains(&found), "{found}");
    }
}
