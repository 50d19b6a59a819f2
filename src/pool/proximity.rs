//! Which endpoints are asked before which, by where they are: Istio's locality load balancing.
//!
//! Computed when a snapshot is compiled, from what the documents say alone.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use crate::domain::{Distribution, Failover, Locality, LocalityBalancing};

/// The facts of one endpoint, or of the caller, that decide.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Where it runs.
    pub locality: &'a Locality,
    /// Its labels, those of its locality among them.
    pub labels: &'a BTreeMap<String, String>,
    /// Its weight.
    pub weight: NonZeroU32,
}

/// Endpoints that are chosen among by one balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// Zero is asked first; priorities follow each other without a gap.
    pub priority: u32,
    /// The share of the group among those of its priority.
    pub weight: u64,
}

/// Endpoints in groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrangement {
    /// The groups, by ascending priority.
    pub ranks: Vec<Rank>,
    /// The group of each endpoint; `None` for one that gets no request.
    pub groups: Vec<Option<usize>>,
}

/// Arranges `endpoints` as `balancing` has it for `caller`; `None` where that makes no difference.
pub fn arrange(endpoints: &[Member<'_>], caller: Member<'_>, balancing: &LocalityBalancing) -> Option<Arrangement> {
    let arrangement = match balancing {
        LocalityBalancing::Off => return None,
        LocalityBalancing::Distribute(rules) => distribute(endpoints, caller, rules),
        LocalityBalancing::Failover(failover) => fail_over(endpoints, caller, failover),
    };
    let whole = arrangement.ranks.len() == 1 && arrangement.groups.iter().all(Option::is_some);
    (!whole && !endpoints.is_empty()).then_some(arrangement)
}

/// One priority, with the localities that the caller's rule names and their percentages; where no rule is for the caller,
/// with every locality by the sum of its weights.
fn distribute(endpoints: &[Member<'_>], caller: Member<'_>, rules: &[Distribution]) -> Arrangement {
    let mut sums: BTreeMap<&Locality, u64> = BTreeMap::new();
    for endpoint in endpoints {
        *sums.entry(endpoint.locality).or_default() += u64::from(endpoint.weight.get());
    }
    let weights = match rules.iter().find(|rule| rule.from.matches(caller.locality)) {
        None => sums,
        Some(rule) => {
            let mut weights = BTreeMap::new();
            for (pattern, percent) in &rule.to {
                let is_meant = |locality: &Locality| pattern.matches(locality) && !weights.contains_key(locality);
                let meant: Vec<_> = sums.iter().filter(|(locality, _)| is_meant(locality)).collect();
                let total: u64 = meant.iter().map(|(_, sum)| **sum).sum();
                // Localities that share a percentage divide it by their weights, each rounded up as in Istio.
                weights.extend(meant.iter().map(|(at, sum)| (**at, (**sum * u64::from(*percent)).div_ceil(total))));
            }
            weights
        }
    };
    let place: BTreeMap<&Locality, usize> = weights.keys().copied().zip(0..).collect();
    Arrangement {
        ranks: weights.values().map(|weight| Rank { priority: 0, weight: *weight }).collect(),
        groups: endpoints.iter().map(|endpoint| place.get(endpoint.locality).copied()).collect(),
    }
}

/// A priority for each distance from the caller. With a rule of its own each priority is shared out by locality; the
/// mesh-wide default leaves that to the balancer.
fn fail_over(endpoints: &[Member<'_>], caller: Member<'_>, failover: &Failover) -> Arrangement {
    /// How many distances there are by locality; those by label come first.
    const DISTANCES: u32 = 5;
    let is_default = failover.labels.is_empty() && failover.regions.is_empty();
    let by_label: Vec<u32> = dense(endpoints.iter().map(|endpoint| label_distance(*endpoint, caller, failover)));
    let distances = endpoints.iter().zip(by_label).map(|(endpoint, by_label)| {
        let by_locality = failover.labels.is_empty() || !failover.regions.is_empty();
        by_label * DISTANCES + if by_locality { distance(endpoint.locality, caller.locality, failover) } else { 0 }
    });
    let priorities = dense(distances);
    let nowhere = Locality::default();
    let keys: Vec<(u32, &Locality)> = priorities
        .into_iter()
        .zip(endpoints)
        .map(|(priority, endpoint)| (priority, if is_default { &nowhere } else { endpoint.locality }))
        .collect();
    let mut weights: BTreeMap<(u32, &Locality), u64> = BTreeMap::new();
    for (key, endpoint) in keys.iter().zip(endpoints) {
        *weights.entry(*key).or_default() += u64::from(endpoint.weight.get());
    }
    Arrangement {
        ranks: weights.iter().map(|((priority, _), weight)| Rank { priority: *priority, weight: *weight }).collect(),
        groups: keys.iter().map(|key| weights.keys().position(|other| other == key)).collect(),
    }
}

/// How many of the labels, from the last one back, an endpoint has in vain: the first that differs decides.
fn label_distance(endpoint: Member<'_>, caller: Member<'_>, failover: &Failover) -> u32 {
    // A label that is missing is as good as an empty one. Without any label of the caller's there is nothing to compare.
    let value = |labels: &BTreeMap<String, String>, label: &str| labels.get(label).cloned().unwrap_or_default();
    let differs = |(label, given): &(Box<str>, Option<Box<str>>)| {
        let wanted = given.as_ref().map_or_else(|| value(caller.labels, label), ToString::to_string);
        wanted != value(endpoint.labels, label)
    };
    let first = failover.labels.iter().position(differs).filter(|_| !caller.labels.is_empty());
    first.map_or(0, |first| u32::try_from(failover.labels.len() - first).unwrap_or(u32::MAX))
}

/// From 0, where everything is the same, to 3 for another region, and 4 for a region that the caller's does not fail over
/// to.
fn distance(locality: &Locality, caller: &Locality, failover: &Failover) -> u32 {
    if locality.region != caller.region {
        let to = failover.regions.iter().find(|(from, _)| *from == caller.region);
        return if to.is_some_and(|(_, to)| *to != locality.region) { 4 } else { 3 };
    }
    match (locality.zone == caller.zone, locality.subzone == caller.subzone) {
        (true, true) => 0,
        (true, false) => 1,
        (false, _) => 2,
    }
}

/// The same order from zero without gaps.
fn dense(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
    let numbers: Vec<u32> = numbers.collect();
    let ranks: BTreeMap<u32, u32> = numbers.iter().copied().collect::<BTreeSet<_>>().into_iter().zip(0..).collect();
    numbers.iter().map(|number| ranks[number]).collect()
}

#[cfg(test)]
mod tests;
