//! The choice among groups of endpoints by their priority, weight and health, as Envoy makes it.
//!
//! Which group an endpoint belongs to is settled when a snapshot is compiled; how healthy a group is, at each choice.

use std::iter;
use std::ops::Range;

use super::balance::{Balancer, mix};
use super::{Endpoint, Rank};
use crate::domain::Moment;

/// What a group is taken to bear beyond its share, in percent: Envoy's default `overprovisioning_factor`. A group keeps
/// its whole share until fewer than 100 in 140 of its endpoints are healthy.
const OVERPROVISIONING: u64 = 140;

/// Endpoints that one balancer chooses among.
#[derive(Debug)]
pub struct Group {
    /// When it is asked, and its share among the groups that are asked then.
    pub rank: Rank,
    /// Where its endpoints stand among the pool's.
    pub places: Range<usize>,
    /// The choice among them.
    pub balancer: Balancer,
}

/// The groups of one pool, those of one priority together.
#[derive(Debug)]
pub struct Groups(Box<[Box<[Group]>]>);

/// A pool's endpoints at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'p> {
    pub(super) endpoints: &'p [Endpoint],
    pub(super) now: Moment,
    /// Fewer healthy endpoints than so many in a hundred are too few for health to be heeded.
    pub(super) least_percent: u32,
}

/// A group to ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'p> {
    pub(super) group: &'p Group,
    /// So few endpoints of its priority are healthy that all are asked.
    pub(super) panics: bool,
}

/// How many endpoints there are, and how many of them take requests.
#[derive(Clone, Copy, Debug, Default)]
struct Census {
    available: u64,
    total: u64,
}

impl Census {
    /// The part of its load that it can bear, of `whole`.
    fn health(self, whole: u64) -> u64 {
        (self.available * OVERPROVISIONING * whole).checked_div(self.total * 100).unwrap_or_default().min(whole)
    }
}

impl View<'_> {
    fn census(&self, groups: &[Group]) -> Census {
        let available = |endpoint: &&Endpoint| endpoint.state.health.admission(self.now).takes_any();
        let of = |group: &Group| &self.endpoints[group.places.clone()];
        Census {
            available: groups.iter().map(|group| of(group).iter().filter(available).count() as u64).sum(),
            total: groups.iter().map(|group| of(group).len() as u64).sum(),
        }
    }

    fn panics(&self, groups: &[Group]) -> bool {
        let Census { available, total } = self.census(groups);
        available * 100 < u64::from(self.least_percent) * total
    }
}

impl Groups {
    /// The groups in the order of their priorities.
    pub fn new(groups: Vec<Group>) -> Self {
        let mut priorities: Vec<Vec<Group>> = Vec::new();
        for group in groups {
            match priorities.last_mut().filter(|last| last[0].rank.priority == group.rank.priority) {
                Some(last) => last.push(group),
                None => priorities.push(vec![group]),
            }
        }
        Self(priorities.into_iter().map(Vec::into_boxed_slice).collect())
    }

    /// The places of the priority that the endpoint at `place` is of.
    pub(super) fn priority_of(&self, place: usize) -> Option<Range<usize>> {
        let places = |groups: &[Group]| Some(groups.first()?.places.start..groups.last()?.places.end);
        self.0.iter().filter_map(|groups| places(groups)).find(|places| places.contains(&place))
    }

    /// The groups in the order in which they are to be asked: those of the priority that `draw` falls on, then those of
    /// the others, the nearest first. Of one priority, the group that `draw` falls on comes first.
    pub(super) fn order<'p>(&'p self, view: View<'p>, draw: u64) -> impl Iterator<Item = Candidate<'p>> {
        let priorities = &*self.0;
        let health = priorities.iter().map(|groups| view.census(groups).health(100)).sum::<u64>().min(100);
        let panics = move |groups: &[Group]| health < 100 && view.panics(groups);
        let draw = mix(draw);
        let chosen = if priorities.iter().all(|groups| panics(groups)) {
            fall(priorities.iter().map(|groups| view.census(groups).total), draw)
        } else {
            let mut left = 100;
            let load = move |groups: &[Group]| {
                let part = view.census(groups).health(100) * 100;
                let load = part.checked_div(health).unwrap_or_default().min(left);
                left -= load;
                load
            };
            fall(priorities.iter().map(|groups| &**groups).map(load), draw)
        };
        let others = (0..priorities.len()).filter(move |other| *other != chosen);
        iter::once(chosen).chain(others).filter_map(|priority| priorities.get(priority)).flat_map(move |groups| {
            let panics = panics(groups);
            let part = move |group: &Group| if panics { size(group) } else { weight(group, view) };
            let first = fall(groups.iter().map(part), mix(draw));
            let others = (0..groups.len()).filter(move |other| *other != first);
            iter::once(first).chain(others).map(move |group| Candidate { group: &groups[group], panics })
        })
    }
}

/// The part of a priority's requests that a group gets in a panic: that of its endpoints.
fn size(group: &Group) -> u64 {
    group.places.len() as u64
}

/// The part of a priority's requests that a group gets otherwise.
fn weight(group: &Group, view: View<'_>) -> u64 {
    /// Fine enough that a locality's share is off by less than one in a thousand.
    const WHOLE: u64 = 1000;
    group.rank.weight * view.census(std::slice::from_ref(group)).health(WHOLE)
}

/// The place of the weight that `draw`, a number uniform over all of `u64`, falls on; the first where all are zero.
fn fall(weights: impl Iterator<Item = u64> + Clone, draw: u64) -> usize {
    let total: u64 = weights.clone().sum();
    let point = u64::try_from((u128::from(draw) * u128::from(total)) >> 64).unwrap_or(u64::MAX);
    let mut upto = 0;
    weights
        .into_iter()
        .position(|weight| {
            upto += weight;
            point < upto
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
