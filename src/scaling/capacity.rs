//! The concurrency that one replica carries while its p99 still meets the objective, learned from what was measured.
//!
//! Answers are sorted by the concurrency per replica under which they were made. A level is good while at most one answer in
//! a hundred misses the objective there; as more load is never faster, the levels are first made to agree on that.

use std::time::Duration;

use crate::domain::Scaling;

/// Levels to a doubling: each is 19 % wide.
const PER_OCTAVE: f64 = 4.0;
/// From 1 to 16384 requests at once.
const LEVELS: usize = 56;
/// The 99th percentile meets the objective while no more than this share misses it.
const ALLOWED: f64 = 0.01;
/// Fewer answers say nothing of a 99th percentile.
const EVIDENCE: f64 = 100.0;
/// A level remembers so many: what a replica carries may change with the model that it serves.
const MEMORY: f64 = 1000.0;
/// Misses beyond what is allowed that show that what is known of higher levels no longer holds.
const REFUTING: f64 = 20.0;
/// A bad level that is not seen again is forgotten, half of it in this time, so that it is tried again.
const HALF_LIFE: Duration = Duration::from_hours(1);
/// What one replica is taken to carry until something is known of it.
const UNKNOWN: f64 = 16.0;
/// A replica is planned with this share of what it carries: at the limit itself one answer in a hundred is late, and half of
/// it is also what lets a backlog be served beside what goes on arriving.
pub(super) const HEADROOM: f64 = 0.5;
/// A pool with every slot taken spills, so that no more than this share of them is planned with.
const OF_SLOTS: f64 = 0.8;

#[derive(Clone, Copy, Debug, Default)]
struct Level {
    met: f64,
    missed: f64,
    /// Seconds that these answers took.
    busy: f64,
}

impl Level {
    /// Forgets all but a share.
    fn keep(&mut self, share: f64) {
        self.met *= share;
        self.missed *= share;
        self.busy *= share;
    }
}

/// What is known of one pool's replicas.
#[derive(Clone, Debug)]
pub struct Capacity {
    levels: Box<[Level; LEVELS]>,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { levels: Box::new([Level::default(); LEVELS]) }
    }
}

/// Answers of some seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Answers {
    /// Those within the objective.
    pub met: f64,
    /// Those beyond it.
    pub missed: f64,
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
}

impl Bounds {
    /// Those of a pool.
    pub fn of(scaling: Option<&Scaling>, slots: u32) -> Self {
        Self { set: scaling.and_then(|scaling| scaling.target_concurrency), slots }
    }
}

impl Capacity {
    /// Notes the answers of `seconds` in which each replica had `concurrency` requests at once, `answers` of it.
    pub fn observe(&mut self, concurrency: f64, answers: Answers, seconds: f64) {
        let Answers { met, missed, busy } = answers;
        let place = place(concurrency);
        let kept = 0.5_f64.powf(seconds / HALF_LIFE.as_secs_f64());
        self.levels.iter_mut().filter(|level| share(**level) > ALLOWED).for_each(|level| level.keep(kept));
        // More load is never faster: what is late here is late above too, whatever was seen there before.
        let excess = (missed - ALLOWED * (met + missed)).max(0.0);
        self.levels[place + 1..].iter_mut().for_each(|level| level.keep((1.0 - excess / REFUTING).max(0.0)));
        let level = &mut self.levels[place];
        level.met += met;
        level.missed += missed;
        level.busy += busy;
        let excess = (level.met + level.missed) / MEMORY;
        if excess > 1.0 {
            level.keep(excess.recip());
        }
    }

    /// The answers that are remembered.
    pub fn evidence(&self) -> f64 {
        self.levels.iter().map(|level| level.met + level.missed).sum()
    }

    /// The concurrency that one replica carries: as much as is set, or else as was seen to be good and a level more, so that
    /// the limit is found; never as much as was seen to be bad, and never less than one request.
    pub fn carried(&self, bounds: Bounds) -> f64 {
        let limit = f64::from(bounds.slots) * OF_SLOTS;
        let (good, bad) = self.frontier();
        let learned = match (bounds.set, good) {
            (Some(set), _) => set,
            (None, Some(good)) => HEADROOM * edge(good + 2).max(UNKNOWN).min(limit),
            (None, None) => HEADROOM * UNKNOWN.min(limit),
        };
        let bounded = bad.map_or(learned, |bad| learned.min(HEADROOM * edge(bad)));
        bounded.max(bounds.set.map_or(1.0, |set| set.min(1.0)))
    }

    /// How long an answer takes where replicas have no more than is planned, in seconds; `None` until that is known.
    pub fn pace(&self) -> Option<f64> {
        let good = self.frontier().0?;
        let planned = place(HEADROOM * edge(good + 1)).min(good);
        let nearest = self.levels[..=planned].iter().rev().chain(&self.levels[planned + 1..=good]);
        let level = nearest.into_iter().find(|level| level.met + level.missed >= EVIDENCE / 2.0)?;
        Some(level.busy / (level.met + level.missed))
    }

    /// The highest level that is good and the lowest that is bad, where there is enough to judge by.
    fn frontier(&self) -> (Option<usize>, Option<usize>) {
        // Pool adjacent violators: neighbours whose shares fall where they should rise are judged together.
        let mut blocks: Vec<(Level, usize, usize)> = Vec::new();
        for (at, level) in self.levels.iter().enumerate().filter(|(_, level)| level.met + level.missed >= 1.0) {
            blocks.push((*level, at, at));
            while let [.., (one, first, _), (other, _, last)] = blocks.as_slice()
                && share(*one) > share(*other)
            {
                let both =
                    Level { met: one.met + other.met, missed: one.missed + other.missed, busy: one.busy + other.busy };
                let joined = (both, *first, *last);
                blocks.truncate(blocks.len() - 2);
                blocks.push(joined);
            }
        }
        let judged = || blocks.iter().filter(|(level, ..)| level.met + level.missed >= EVIDENCE);
        let good = judged().filter(|(level, ..)| share(*level) <= ALLOWED).map(|(_, _, last)| *last).next_back();
        let bad = judged().find(|(level, ..)| share(*level) > ALLOWED).map(|(_, first, _)| *first);
        (good, bad)
    }
}

fn share(level: Level) -> f64 {
    level.missed / (level.met + level.missed).max(f64::MIN_POSITIVE)
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

    const FREE: Bounds = Bounds { set: None, slots: 1024 };

    fn answers(met: f64, missed: f64) -> Answers {
        Answers { met, missed, busy: 0.1 * (met + missed) }
    }

    /// A replica whose answers are late above a concurrency.
    fn learn(capacity: &mut Capacity, from_to: (u32, u32), limit: f64) {
        for concurrency in from_to.0..=from_to.1 {
            let missed = if f64::from(concurrency) > limit { 20.0 } else { 0.0 };
            for _ in 0..10 {
                capacity.observe(f64::from(concurrency), answers(50.0 - missed, missed), 1.0);
            }
        }
    }

    #[test]
    fn it_is_as_high_as_the_objective_is_met() {
        let mut capacity = Capacity::default();
        learn(&mut capacity, (1, 60), 30.0);
        let carried = capacity.carried(FREE);
        assert!((21.0..=31.0).contains(&(carried / HEADROOM)), "{carried}");
    }

    #[test]
    fn what_is_met_raises_it_and_what_is_missed_lowers_it() {
        let mut capacity = Capacity::default();
        assert!((capacity.carried(FREE) - HEADROOM * UNKNOWN).abs() < 1e-9);
        learn(&mut capacity, (40, 50), 100.0);
        let raised = capacity.carried(FREE);
        assert!((32.0..52.0).contains(&raised), "{raised}");
        // The model grew: the same concurrency is late now.
        learn(&mut capacity, (40, 50), 20.0);
        let lowered = capacity.carried(FREE);
        assert!(lowered < 27.0, "{lowered}");
    }

    #[test]
    fn one_miss_in_a_hundred_is_what_the_objective_allows() {
        for (missed, good) in [(1.0, true), (2.0, false)] {
            let mut capacity = Capacity::default();
            (0..5).for_each(|_| capacity.observe(20.0, answers(100.0 - missed, missed), 1.0));
            assert_eq!(capacity.carried(FREE) > HEADROOM * 22.0, good);
        }
    }

    #[test]
    fn what_is_set_is_lowered_by_misses_alone() {
        let mut capacity = Capacity::default();
        let set = Bounds { set: Some(25.0), slots: 1024 };
        learn(&mut capacity, (1, 60), 100.0);
        assert!((capacity.carried(set) - 25.0).abs() < 1e-9);
        learn(&mut capacity, (1, 60), 10.0);
        let lowered = capacity.carried(set);
        assert!((7.7..=10.0).contains(&(lowered / HEADROOM)), "{lowered}");
    }

    #[test]
    fn slots_bound_it_and_one_request_is_the_least() {
        let mut capacity = Capacity::default();
        assert!((capacity.carried(Bounds { set: None, slots: 10 }) - HEADROOM * 8.0).abs() < 1e-9);
        learn(&mut capacity, (1, 3), 0.0);
        assert!((capacity.carried(FREE) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_bad_level_is_tried_again_once_it_is_forgotten() {
        let mut capacity = Capacity::default();
        learn(&mut capacity, (1, 40), 20.0);
        let before = capacity.carried(FREE);
        for _ in 0..8 {
            capacity.observe(10.0, answers(500.0, 0.0), 3600.0);
        }
        assert!(capacity.carried(FREE) >= before);
        assert_eq!(capacity.frontier().1, None);
    }
}
