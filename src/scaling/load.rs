//! What is asked of a pool, in figures that add up over routers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::window::number;
use crate::pool::{LATENCY_BUCKETS, latency_edge};

/// The figures of one pool over the last minute. All of them add up; quantiles do not, and come of the sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Load {
    /// Whether anything is asked of the pool, or was within the minute.
    pub active: bool,
    /// How many seconds are known of.
    pub seconds: f64,
    /// Requests that hold a slot now.
    pub in_flight: u32,
    /// Requests that wait for one now.
    pub queued: u32,
    /// Requests that left for want of room, and are served elsewhere now.
    pub spilled: u32,
    /// In flight, queued and spilled together, weighted by time.
    pub concurrency: f64,
    /// The same over the newest quarter of the minute.
    pub recent_concurrency: f64,
    /// In flight and queued alone, over the newest quarter.
    pub served_concurrency: f64,
    /// By how much the concurrency grows in a second.
    pub growth: f64,
    /// The most by which arrivals a second rose within a minute; a half of it is forgotten in some hours.
    pub surge: f64,
    /// By how much they have risen within the last minute.
    pub rise: f64,
    /// Requests a second that routes sent to the pool.
    pub arrivals_per_second: f64,
    /// The same over the newest quarter.
    pub recent_arrivals_per_second: f64,
    /// Those among them that nothing served.
    pub refusals_per_second: f64,
    /// The pool's own answers within the objective.
    pub met: u64,
    /// The pool's own answers beyond it.
    pub missed: u64,
    /// How long the pool's own answers took.
    pub latencies: Latencies,
}

impl Load {
    /// Adds what another router counted.
    pub fn add(&mut self, other: &Self) {
        self.active |= other.active;
        self.seconds = self.seconds.max(other.seconds);
        self.in_flight = self.in_flight.saturating_add(other.in_flight);
        self.queued = self.queued.saturating_add(other.queued);
        self.spilled = self.spilled.saturating_add(other.spilled);
        self.concurrency += other.concurrency;
        self.recent_concurrency += other.recent_concurrency;
        self.served_concurrency += other.served_concurrency;
        self.growth += other.growth;
        self.surge += other.surge;
        self.rise += other.rise;
        self.arrivals_per_second += other.arrivals_per_second;
        self.recent_arrivals_per_second += other.recent_arrivals_per_second;
        self.refusals_per_second += other.refusals_per_second;
        self.met = self.met.saturating_add(other.met);
        self.missed = self.missed.saturating_add(other.missed);
        self.latencies.add(&other.latencies);
    }

    /// The share of answers within the objective; `None` without an answer.
    pub fn share_under_objective(&self) -> Option<f64> {
        let answers = self.met.saturating_add(self.missed);
        (answers > 0).then(|| number(self.met) / number(answers))
    }
}

/// Answers by latency: bucket and count, in the order of the buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies(BTreeMap<u16, u64>);

impl Latencies {
    /// What was counted from one look to the next; the counts may have wrapped.
    pub(super) fn between(before: Option<&[u32; LATENCY_BUCKETS]>, now: Option<&[u32; LATENCY_BUCKETS]>) -> Self {
        let Some(now) = now else { return Self::default() };
        let counted = |(at, count): (u16, &u32)| {
            let more = count.wrapping_sub(before.map_or(0, |before| before[usize::from(at)]));
            (more > 0).then_some((at, u64::from(more)))
        };
        Self((0..).zip(now).filter_map(counted).collect())
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            let sum = self.0.entry(*bucket).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// Each bucket that holds answers, and how many.
    pub(super) fn counts(&self) -> impl Iterator<Item = (u16, f64)> + Clone {
        self.0.iter().map(|(bucket, count)| (*bucket, number(*count)))
    }

    /// The latency that `share` of the answers do not exceed, within the 9 % that a bucket is wide; `None` without one.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        quantile(self.counts(), share)
    }

    /// The mean, from the middles of the buckets; `None` without an answer.
    pub fn mean(&self) -> Option<Duration> {
        let all: f64 = self.0.values().map(|count| number(*count)).sum();
        let middle = |bucket: u16| {
            let bucket = usize::from(bucket).min(LATENCY_BUCKETS - 1);
            latency_edge(bucket).as_secs_f64().midpoint(latency_edge(bucket + 1).as_secs_f64())
        };
        let sum: f64 = self.0.iter().map(|(bucket, count)| middle(*bucket) * number(*count)).sum();
        (all > 0.0).then(|| Duration::from_secs_f64(sum / all))
    }
}

/// The latency that `share` of the answers do not exceed, which are counted by their buckets, in their order.
pub(super) fn quantile(counts: impl Iterator<Item = (u16, f64)> + Clone, share: f64) -> Option<Duration> {
    let rank = share * counts.clone().map(|(_, count)| count).sum::<f64>();
    let mut below = 0.0;
    let mut last = None;
    for (bucket, count) in counts {
        let bucket = usize::from(bucket).min(LATENCY_BUCKETS - 1);
        let (from, to) = (latency_edge(bucket), latency_edge(bucket + 1));
        last = Some(to);
        if count > 0.0 && below + count >= rank {
            let part = ((rank - below) / count).clamp(0.0, 1.0);
            return Some(from + to.saturating_sub(from).mul_f64(part));
        }
        below += count;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::DemandState;

    fn latencies(millis: impl Iterator<Item = u64>) -> Latencies {
        let demand = DemandState::default();
        millis.for_each(|took| demand.answered(Duration::from_millis(took), Duration::ZERO));
        Latencies::between(None, demand.latencies().as_ref())
    }

    #[test]
    fn quantiles_are_right_to_within_a_bucket() {
        let even = latencies(1..=1000);
        for (share, expected) in [(0.5, 0.5), (0.95, 0.95), (0.99, 0.99)] {
            let found = even.quantile(share).expect("answers").as_secs_f64();
            assert!((found / expected - 1.0).abs() < 0.05, "{share}: {found}");
        }
        assert!((even.mean().expect("answers").as_secs_f64() / 0.5 - 1.0).abs() < 0.05);
        assert_eq!(Latencies::default().quantile(0.5), None);
    }

    #[test]
    fn quantiles_of_a_sum_are_those_of_all_answers() {
        let (mut fast, slow) = (latencies((1..=99).map(|_| 10)), latencies((1..=1).map(|_| 1000)));
        fast.add(&slow);
        assert!(fast.quantile(0.98).expect("answers") < Duration::from_millis(12));
        assert!(fast.quantile(0.999).expect("answers") > Duration::from_millis(900));
    }

    #[test]
    fn figures_travel_as_json() {
        let load = Load { met: 3, concurrency: 1.5, latencies: latencies([5, 9].into_iter()), ..Load::default() };
        let text = serde_json::to_string(&load).expect("it is JSON");
        assert_eq!(serde_json::from_str::<Load>(&text).expect("it is read back"), load);
        assert_eq!(serde_json::from_str::<Load>("{}").expect("what is missing is nothing"), Load::default());
    }
}
