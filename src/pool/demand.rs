//! What is asked of one pool: arrivals, answers and their latencies, refusals, and what is served elsewhere for want of room.
//!
//! A handful of atomic additions a request; whoever looks makes figures of them.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Buckets to a doubling of the latency, so that each is 9 % wide.
const PER_OCTAVE: u64 = 8;
/// Doublings from 2^[`SHORTEST`] microseconds on: from 64 us to over an hour.
const OCTAVES: u64 = 26;
const SHORTEST: u32 = 6;

/// Latencies are counted in so many buckets.
pub const LATENCY_BUCKETS: usize = 208;
const _: () = assert!(LATENCY_BUCKETS as u64 == PER_OCTAVE * OCTAVES, "a bucket for each part of each octave");

/// The demand for one pool, counted over every worker and every snapshot.
#[derive(Debug, Default)]
pub struct DemandState {
    arrived: AtomicU64,
    refused: AtomicU64,
    met: AtomicU64,
    missed: AtomicU64,
    elsewhere: AtomicU32,
    /// Whether anything was asked of it lately.
    active: AtomicBool,
    /// Nothing until the first answer: most pools of a large configuration never have one.
    latencies: OnceLock<Box<[AtomicU32; LATENCY_BUCKETS]>>,
}

/// Whether a request is the first after a time without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// Nothing was asked of the pool before it.
    First,
    /// Others came lately.
    Another,
}

/// Everything counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that a route sent to the pool.
    pub arrived: u64,
    /// Those among them that nothing served.
    pub refused: u64,
    /// The pool's own answers within the objective.
    pub met: u64,
    /// The pool's own answers beyond the objective.
    pub missed: u64,
}

impl DemandState {
    /// A route has sent a request to this pool.
    pub fn arrived(&self) -> Arrived {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        if self.active.load(Ordering::Relaxed) || self.active.swap(true, Ordering::AcqRel) {
            return Arrived::Another;
        }
        Arrived::First
    }

    /// A request that a route had sent to this pool was served by nothing.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// The pool has answered after `took`; `objective` is what its users expect.
    pub fn answered(&self, took: Duration, objective: Duration) {
        let verdict = if took <= objective { &self.met } else { &self.missed };
        verdict.fetch_add(1, Ordering::Relaxed);
        let latencies = self.latencies.get_or_init(|| Box::new([const { AtomicU32::new(0) }; LATENCY_BUCKETS]));
        latencies[bucket(took)].fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted since the start.
    pub fn counts(&self) -> Counts {
        Counts {
            arrived: self.arrived.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            met: self.met.load(Ordering::Relaxed),
            missed: self.missed.load(Ordering::Relaxed),
        }
    }

    /// Answers in each bucket of latency since the start, modulo 2^32; see [`latency_edge`].
    pub fn latencies(&self) -> Option<[u32; LATENCY_BUCKETS]> {
        let counted = self.latencies.get()?;
        Some(std::array::from_fn(|at| counted[at].load(Ordering::Relaxed)))
    }

    /// Requests that left this pool for want of room, and are served elsewhere now.
    pub fn elsewhere(&self) -> u32 {
        self.elsewhere.load(Ordering::Relaxed)
    }

    /// Nothing is asked of the pool any more: the next arrival is a first one.
    pub fn rests(&self) {
        self.active.store(false, Ordering::Release);
    }
}

/// One request that left a pool for want of room, until it is answered. Given back by being dropped.
#[derive(Debug)]
pub struct Elsewhere(Arc<DemandState>);

impl Elsewhere {
    /// Counts a request that leaves the pool of `demand`.
    pub fn count(demand: &Arc<DemandState>) -> Self {
        demand.elsewhere.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(demand))
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.0.elsewhere.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The bucket of a latency: the doubling that it is in, and which of the equal parts of that.
fn bucket(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1 << SHORTEST);
    let octave = micros.ilog2();
    let part = (micros >> (octave - PER_OCTAVE.ilog2())) & (PER_OCTAVE - 1);
    let at = u64::from(octave - SHORTEST) * PER_OCTAVE + part;
    usize::try_from(at).unwrap_or(usize::MAX).min(LATENCY_BUCKETS - 1)
}

/// The least latency of a bucket; the first holds what is shorter too, the last what is longer.
pub fn latency_edge(bucket: usize) -> Duration {
    let (octave, part) = (bucket as u64 / PER_OCTAVE, bucket as u64 % PER_OCTAVE);
    Duration::from_micros((PER_OCTAVE + part) << (octave + u64::from(SHORTEST - PER_OCTAVE.ilog2())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_in_the_bucket_whose_edges_are_around_it() {
        for micros in (64..5_000).chain((5_000..4_000_000_000).step_by(9_999_991)) {
            let took = Duration::from_micros(micros);
            let at = bucket(took);
            assert!(latency_edge(at) <= took, "{took:?} in {at}");
            assert!(at + 1 == LATENCY_BUCKETS || took < latency_edge(at + 1), "{took:?} in {at}");
        }
        assert_eq!(bucket(Duration::ZERO), 0);
        assert_eq!(bucket(Duration::MAX), LATENCY_BUCKETS - 1);
    }

    #[test]
    fn the_first_request_after_a_rest_is_told_apart() {
        let demand = DemandState::default();
        assert_eq!([demand.arrived(), demand.arrived()], [Arrived::First, Arrived::Another]);
        demand.rests();
        assert_eq!(demand.arrived(), Arrived::First);
        assert_eq!(demand.counts().arrived, 3);
    }

    #[test]
    fn an_answer_on_the_objective_meets_it() {
        let demand = DemandState::default();
        assert_eq!(demand.latencies(), None);
        for millis in [499, 500, 501] {
            demand.answered(Duration::from_millis(millis), Duration::from_millis(500));
        }
        assert_eq!(demand.counts(), Counts { met: 2, missed: 1, ..Counts::default() });
        assert_eq!(demand.latencies().map(|counts| counts.iter().sum::<u32>()), Some(3));
    }

    #[test]
    fn what_is_served_elsewhere_is_counted_until_it_is_over() {
        let demand = Arc::default();
        let one = Elsewhere::count(&demand);
        let other = Elsewhere::count(&demand);
        assert_eq!(demand.elsewhere(), 2);
        drop(one);
        assert_eq!(demand.elsewhere(), 1);
        drop(other);
        assert_eq!(demand.elsewhere(), 0);
    }
}
