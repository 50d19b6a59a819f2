//! What happens, told from one reading to the next: weights that changed, pools that fill, requests that spill or are
//! refused.
//!
//! Owns which of them go on now, so that each is told when it begins and when it ends, and not every second.

use std::collections::{BTreeMap, BTreeSet};

use super::observation::Observation;

/// Readings without a single case after which something counts as over.
const QUIET: u32 = 3;

/// Tells what is new.
#[derive(Debug, Default)]
pub(super) struct Events {
    episodes: BTreeMap<Subject, u32>,
    /// How often weights were changed so far.
    pub(super) weight_changes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Full(String),
    Spilling(String, String),
    Refusing(String),
}

impl Events {
    /// What happened between two readings, one line each.
    pub(super) fn between(&mut self, before: &Observation, now: &Observation) -> Vec<String> {
        let mut lines = self.weights(before, now);
        if lines.is_empty() && now.generation > before.generation && before.generation > 0.0 {
            lines.push(format!("configuration {} is in force", now.generation));
        }
        let happening = happening(before, now);
        for (subject, more) in &happening {
            if self.episodes.insert(subject.clone(), 0).is_none() {
                lines.push(subject.began(*more));
            }
        }
        let subjects: BTreeSet<_> = happening.into_iter().map(|(subject, _)| subject).collect();
        self.episodes.retain(|subject, quiet| {
            *quiet = if subjects.contains(subject) { 0 } else { *quiet + 1 };
            if *quiet == QUIET {
                lines.push(subject.ended());
            }
            *quiet < QUIET
        });
        lines
    }

    fn weights(&mut self, before: &Observation, now: &Observation) -> Vec<String> {
        let mut routes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        // A destination without weight has no series.
        let keys: BTreeSet<_> = before.weights.keys().chain(now.weights.keys()).collect();
        for key in keys {
            let [old, new] = [before, now].map(|reading| reading.weights.get(key).copied().unwrap_or_default());
            if !before.weights.is_empty() && (old - new).abs() > f64::EPSILON {
                routes.entry(&key.0).or_default().push(format!("{} {old} -> {new}", short(&key.1)));
            }
        }
        self.weight_changes += u32::try_from(routes.len()).unwrap_or(u32::MAX);
        routes.into_iter().map(|(route, changes)| format!("weights of {route}: {}", changes.join(", "))).collect()
    }
}

/// What goes on, each with how many requests it met.
fn happening(before: &Observation, now: &Observation) -> Vec<(Subject, f64)> {
    let spilled = now.spilled.iter().map(|(key, total)| (key, total - before.spilled.get(key).unwrap_or(&0.0)));
    let refused = now.refused.iter().map(|(key, total)| (key, total - before.refused.get(key).unwrap_or(&0.0)));
    let spilling = spilled.map(|((pool, reason), more)| match reason.as_str() {
        "slots_taken" => (Subject::Full(pool.clone()), more),
        _ => (Subject::Spilling(pool.clone(), reason.clone()), more),
    });
    let refusing = refused.map(|(reason, more)| (Subject::Refusing(reason.clone()), more));
    spilling.chain(refusing).filter(|(_, more)| *more > 0.0).collect()
}

impl Subject {
    fn began(&self, more: f64) -> String {
        match self {
            Self::Full(pool) => format!("{} is full: {more} spilled to the next tier", short(pool)),
            Self::Spilling(pool, reason) => format!("{} spills: {more} for {reason}", short(pool)),
            Self::Refusing(reason) => format!("refusing begins: {more} for {reason}"),
        }
    }

    fn ended(&self) -> String {
        match self {
            Self::Full(pool) => format!("{} has free slots again, spilling has ended", short(pool)),
            Self::Spilling(pool, reason) => format!("{} spills no more for {reason}", short(pool)),
            Self::Refusing(reason) => format!("refusing for {reason} has ended"),
        }
    }
}

/// `embeddings-gpu/canary` of `embeddings-gpu.inference.svc.cluster.local:80/canary`: enough to tell pools apart here.
fn short(pool: &str) -> String {
    let (address, subset) = pool.split_once('/').unwrap_or((pool, ""));
    let host = address.split(['.', ':']).next().unwrap_or(address);
    if subset.is_empty() { host.to_owned() } else { format!("{host}/{subset}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool that spilled, refusals, and a weight.
    fn reading(spilled: f64, refused: f64, weight: f64) -> Observation {
        let pool = "embeddings-gpu.inference.svc.cluster.local:80/canary".to_owned();
        let mut reading = Observation::read("overspill_config_generation 1");
        reading.weights.insert(("route".to_owned(), pool.clone()), weight);
        reading.spilled.insert((pool, "slots_taken".to_owned()), spilled);
        reading.refused.insert("queue_full".to_owned(), refused);
        reading
    }

    #[test]
    fn spilling_is_told_when_it_begins_and_when_it_ends() {
        let mut events = Events::default();
        let calm = reading(0.0, 0.0, 4.0);
        let full = reading(3.0, 0.0, 4.0);
        assert_eq!(events.between(&calm, &calm), Vec::<String>::new());
        assert_eq!(events.between(&calm, &full), ["embeddings-gpu/canary is full: 3 spilled to the next tier"]);
        assert_eq!(events.between(&full, &reading(9.0, 2.0, 4.0)), ["refusing begins: 2 for queue_full"]);
        let after = reading(9.0, 2.0, 4.0);
        assert_eq!(events.between(&after, &after), Vec::<String>::new());
        assert_eq!(events.between(&after, &after), Vec::<String>::new());
        assert_eq!(
            events.between(&after, &after),
            ["embeddings-gpu/canary has free slots again, spilling has ended", "refusing for queue_full has ended"]
        );
        assert_eq!(events.between(&after, &after), Vec::<String>::new());
    }

    #[test]
    fn weights_are_told_as_old_and_new() {
        let mut events = Events::default();
        let lines = events.between(&reading(0.0, 0.0, 4.0), &reading(0.0, 0.0, 20.0));
        assert_eq!(lines, ["weights of route: embeddings-gpu/canary 4 -> 20"]);
        assert_eq!(events.weight_changes, 1);
        let mut later = reading(0.0, 0.0, 20.0);
        later.generation = 2.0;
        assert_eq!(events.between(&reading(0.0, 0.0, 20.0), &later), ["configuration 2 is in force"]);
    }

    #[test]
    fn a_pool_is_named_briefly() {
        for (pool, name) in [("a.b.c:80/s", "a/s"), ("a.b:80", "a"), ("local", "local"), ("", "")] {
            assert_eq!(short(pool), name);
        }
    }
}
