//! The concurrency that one replica carries while its p99 still meets the objective, learned from what was measured.
//!
//! Answers are sorted by the concurrency per replica under which they were made. A replica that has more to do does no less in
//! a second; so, by Little's law, twice the requests at once take at most twice as long. From each level there follows what is
//! carried without having been tried: its concurrency, times how often its p99 fits into the objective. Levels at which the
//! objective was missed bound that; as more load is never faster, the levels are first made to agree on it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::load::{Latencies, quantile};
use crate::domain::Scaling;
use crate::pool::latency_edge;

/// Levels to a doubling: each is 19 % wide.
const PER_OCTAVE: f64 = 4.0;
/// From 1 to 16384 requests at once.
const LEVELS: usize = 56;
/// The 99th percentile meets the objective while no more than this share misses it.
const ALLOWED: f64 = 0.01;
/// Fewer answers say nothing of a 99th percentile.
const EVIDENCE: f64 = 300.0;
/// A level remembers so many: what a replica carries may change with the model that it serves.
const MEMORY: f64 = 3000.0;
/// Misses beyond what is allowed that show that what is known of higher levels no longer holds.
const REFUTING: f64 = 20.0;
/// A level that is not seen again is forgotten, half of it in this time.
const HALF_LIFE: Duration = Duration::from_hours(1);
/// What one replica is taken to carry until something is known of it.
const UNKNOWN: f64 = 16.0;
/// A replica is planned with this share of what it carries: at the limit itself one answer in a hundred is late, and about half
/// of it is also what lets a backlog be served beside what goes on arriving.
pub(super) const HEADROOM: f64 = 0.53;
/// A pool with every slot taken spills, so that no more than this share of them is planned with.
const OF_SLOTS: f64 = 0.8;

/// The answers that were made at about one concurrency.
#[derive(Clone, Debug, Default)]
struct Level {
    /// By the buckets of their latencies.
    latencies: BTreeMap<u16, f64>,
    answers: f64,
    /// Seconds that they took.
    busy: f64,
    /// The concurrency under which each was made, added up.
    concurrency: f64,
}

impl Level {
    /// Forgets all but a share.
    fn keep(&mut self, share: f64) {
        self.latencies.values_mut().for_each(|count| *count *= share);
        self.latencies.retain(|_, count| *count > 1e-3);
        self.answers *= share;
        self.busy *= share;
        self.concurrency *= share;
    }

    fn add(&mut self, other: &Self) {
        for (bucket, count) in &other.latencies {
            *self.latencies.entry(*bucket).or_default() += count;
        }
        self.answers += other.answers;
        self.busy += other.busy;
        self.concurrency += other.concurrency;
    }

    /// The share of the answers that took longer than the objective.
    fn missed(&self, objective: Duration) -> f64 {
        let late = |(bucket, count): (&u16, &f64)| {
            let (from, to) = (latency_edge(usize::from(*bucket)), latency_edge(usize::from(*bucket) + 1));
            let beyond = to.saturating_sub(objective.max(from)).as_secs_f64() / to.saturating_sub(from).as_secs_f64();
            beyond * count
        };
        self.latencies.iter().map(late).sum::<f64>() / self.answers.max(f64::MIN_POSITIVE)
    }

    /// The concurrency at which the p99 is at most the objective, by Little's law.
    fn carries(&self, objective: Duration) -> Option<f64> {
        let p99 = quantile(self.latencies.iter().map(|(bucket, count)| (*bucket, *count)), 1.0 - ALLOWED)?;
        Some(self.concurrency / self.answers * objective.as_secs_f64() / p99.as_secs_f64())
    }
}

/// What is known of one pool's replicas.
#[derive(Clone, Debug, Default)]
pub struct Capacity {
    levels: BTreeMap<usize, Level>,
}

/// Answers of some seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// How long each took.
    pub latencies: Latencies,
    /// The seconds that they took together.
    pub busy: f64,
}

/// What bounds the concurrency of a replica, whatever is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The concurrency that is set.
    pub set: Option<f64>,
    /// Requests in flight that one replica is given.
    pub slots: u32,
    /// What answers are held against.
    pub objective: Duration,
}

impl Bounds {
    /// Those of a pool.
    pub fn of(scaling: Option<&Scaling>, slots: u32, objective: Duration) -> Self {
        Self { set: scaling.and_then(|scaling| scaling.target_concurrency), slots, objective }
    }
}

impl Capacity {
    /// Notes the answers of `seconds` in which each replica had `concurrency` requests at once, `answers` of it.
    pub fn observe(&mut self, concurrency: f64, answers: &Answers, (seconds, objective): (f64, Duration)) {
        let place = place(concurrency);
        let kept = 0.5_f64.powf(seconds / HALF_LIFE.as_secs_f64());
        let mut new = Level { busy: answers.busy, ..Level::default() };
        for (bucket, count) in answers.latencies.counts() {
            new.latencies.insert(bucket, count);
            new.answers += count;
        }
        new.concurrency = new.answers * concurrency;
        // More load is never faster: what is late here is late above too, whatever was seen there before.
        let excess = (new.missed(objective) - ALLOWED).max(0.0) * new.answers;
        for (at, level) in &mut self.levels {
            level.keep(if *at > place { kept * (1.0 - excess / REFUTING).max(0.0) } else { kept });
        }
        let level = self.levels.entry(place).or_default();
        level.add(&new);
        if level.answers > MEMORY {
            level.keep(MEMORY / level.answers);
        }
        self.levels.retain(|_, level| level.answers >= 1.0);
    }

    /// The answers that are remembered.
    pub fn evidence(&self) -> f64 {
        self.levels.values().map(|level| level.answers).sum()
    }

    /// The concurrency that one replica is planned with: what is set, or else a share of what it carries; never as much as was
    /// seen to be bad, and never less than one request.
    pub fn carried(&self, bounds: Bounds) -> f64 {
        let Bounds { set, slots, objective } = bounds;
        let limit = f64::from(slots) * OF_SLOTS;
        let learned =
            set.unwrap_or_else(|| HEADROOM * self.certain(objective).unwrap_or_default().max(UNKNOWN).min(limit));
        let bounded = self.bad(objective).map_or(learned, |bad| learned.min(HEADROOM * edge(bad)));
        bounded.max(set.map_or(1.0, |set| set.min(1.0)))
    }

    /// How long an answer takes at most where replicas have `concurrency`, in seconds; `None` until that is known.
    pub fn pace(&self, concurrency: f64) -> Option<f64> {
        let bound = |level: &Level| {
            let mean = level.busy / level.answers;
            mean * (concurrency * level.answers / level.concurrency.max(f64::MIN_POSITIVE)).max(1.0)
        };
        self.judged().map(|(_, level)| bound(level)).reduce(f64::min)
    }

    fn judged(&self) -> impl Iterator<Item = (usize, &Level)> {
        self.levels.iter().map(|(at, level)| (*at, level)).filter(|(_, level)| level.answers >= EVIDENCE)
    }

    fn certain(&self, objective: Duration) -> Option<f64> {
        self.judged().filter_map(|(_, level)| level.carries(objective)).reduce(f64::max)
    }

    /// The lowest level at which the objective is missed, where there is enough to judge by.
    fn bad(&self, objective: Duration) -> Option<usize> {
        // Pool adjacent violators: neighbours whose shares fall where they should rise are judged together.
        let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
        for (at, level) in &self.levels {
            blocks.push((level.missed(objective) * level.answers, level.answers, *at));
            while let [.., one, other] = blocks.as_slice()
                && one.0 / one.1 > other.0 / other.1
            {
                let joined = (one.0 + other.0, one.1 + other.1, one.2);
                blocks.truncate(blocks.len() - 2);
                blocks.push(joined);
            }
        }
        let late = |(missed, answers, _): &&(f64, f64, usize)| *answers >= EVIDENCE && missed / answers > ALLOWED;
        blocks.iter().find(late).map(|(_, _, first)| *first)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a logarithm of at least 1 is small and not negative"
)]
fn place(concurrency: f64) -> usize {
    ((concurrency.max(1.0).log2() * PER_OCTAVE) as usize).min(LEVELS - 1)
}

/// The least concurrency of a level.
#[expect(clippy::cast_precision_loss, reason = "there are few levels")]
fn edge(level: usize) -> f64 {
    (level as f64 / PER_OCTAVE).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::DemandState;

    const OBJECTIVE: Duration = Duration::from_millis(500);
    const FREE: Bounds = Bounds { set: None, slots: 1024, objective: OBJECTIVE };

    /// Answers that take 100 ms, and some that take a second.
    fn answers(met: u32, missed: u32) -> Answers {
        let demand = DemandState::default();
        (0..met).for_each(|_| demand.answered(Duration::from_millis(100), OBJECTIVE));
        (0..missed).for_each(|_| demand.answered(Duration::from_secs(1), OBJECTIVE));
        let latencies = Latencies::between(None, demand.latencies().as_ref());
        Answers { latencies, busy: 0.1 * f64::from(met) + f64::from(missed) }
    }

    /// A replica whose answers are late above a concurrency.
    fn learn(capacity: &mut Capacity, (from, to): (u32, u32), limit: u32) {
        for concurrency in from..=to {
            let missed = if concurrency > limit { 20 } else { 0 };
            for _ in 0..10 {
                capacity.observe(f64::from(concurrency), &answers(50 - missed, missed), (1.0, OBJECTIVE));
            }
        }
    }

    #[test]
    fn it_is_as_high_as_the_objective_is_met() {
        let mut capacity = Capacity::default();
        learn(&mut capacity, (1, 60), 30);
        let carried = capacity.carried(FREE);
        assert!((21.0..=31.0).contains(&(carried / HEADROOM)), "{carried}");
    }

    #[test]
    fn what_fits_into_the_objective_several_times_is_carried_untried() {
        // A fifth of the objective at 8 at once: no more than the objective at 40.
        let mut capacity = Capacity::default();
        learn(&mut capacity, (8, 8), 100);
        let carried = capacity.carried(FREE) / HEADROOM;
        assert!((36.0..=41.0).contains(&carried), "{carried}");
        let strict = Bounds { objective: Duration::from_millis(250), ..FREE };
        let carried = capacity.carried(strict) / HEADROOM;
        assert!((17.0..=21.0).contains(&carried), "another objective is judged by the same answers: {carried}");
    }

    #[test]
    fn what_is_met_raises_it_and_what_is_missed_lowers_it() {
        let mut capacity = Capacity::default();
        assert!((capacity.carried(FREE) - HEADROOM * UNKNOWN).abs() < 1e-9);
        learn(&mut capacity, (40, 50), 100);
        let raised = capacity.carried(FREE);
        assert!((90.0..140.0).contains(&raised), "{raised}");
        // The model grew: the same concurrency is late now.
        learn(&mut capacity, (40, 50), 20);
        let lowered = capacity.carried(FREE);
        assert!(lowered < 27.0, "{lowered}");
    }

    #[test]
    fn one_miss_in_a_hundred_is_what_the_objective_allows() {
        for (missed, good) in [(1, true), (2, false)] {
            let mut capacity = Capacity::default();
            (0..5).for_each(|_| capacity.observe(20.0, &answers(100 - missed, missed), (1.0, OBJECTIVE)));
            assert_eq!(capacity.carried(FREE) > HEADROOM * 22.0, good);
        }
    }

    #[test]
    fn what_is_set_is_lowered_by_misses_alone() {
        let mut capacity = Capacity::default();
        let set = Bounds { set: Some(25.0), ..FREE };
        learn(&mut capacity, (1, 60), 100);
        assert!((capacity.carried(set) - 25.0).abs() < 1e-9);
        learn(&mut capacity, (1, 60), 10);
        let lowered = capacity.carried(set);
        assert!((7.7..=10.0).contains(&(lowered / HEADROOM)), "{lowered}");
    }

    #[test]
    fn slots_bound_it_and_one_request_is_the_least() {
        let mut capacity = Capacity::default();
        assert!((capacity.carried(Bounds { slots: 10, ..FREE }) - HEADROOM * 8.0).abs() < 1e-9);
        learn(&mut capacity, (1, 3), 0);
        assert!((capacity.carried(FREE) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_bad_level_is_tried_again_once_it_is_forgotten() {
        let mut capacity = Capacity::default();
        learn(&mut capacity, (1, 40), 20);
        let before = capacity.carried(FREE);
        for _ in 0..12 {
            capacity.observe(10.0, &answers(500, 0), (3600.0, OBJECTIVE));
        }
        assert!(capacity.carried(FREE) > before);
        assert_eq!(capacity.bad(OBJECTIVE), None);
    }

    #[test]
    fn answers_take_longer_by_no_more_than_the_concurrency_grows() {
        let mut capacity = Capacity::default();
        assert_eq!(capacity.pace(10.0), None);
        learn(&mut capacity, (10, 10), 100);
        for (concurrency, expected) in [(5.0, 0.1), (10.0, 0.1), (20.0, 0.2)] {
            let pace = capacity.pace(concurrency).expect("answers");
            assert!((pace - expected).abs() < 1e-6, "{pace} at {concurrency}");
        }
    }
}
