//! Which endpoint is asked first, and which next where it cannot take the request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Endpoint, Table};
use crate::domain::Moment;

/// The longest schedule of a round robin. Weights that need more turns than this are brought down to it, each to at
/// least one turn.
const MAX_TURNS: u64 = 4096;

/// A way to choose among the endpoints of one pool, made for their weights.
#[derive(Debug)]
pub enum Balancer {
    /// The less loaded of two endpoints drawn by weight.
    LeastRequest(Shares),
    /// That of two drawn by weight which is to serve a further request sooner, by [`super::Load`]; latency counts where it is
    /// remembered, for so long.
    LeastLoad(Shares, Option<Duration>),
    /// One drawn by weight.
    Random(Shares),
    /// One after the other, each as often as its weight says.
    RoundRobin(Turns),
    /// The one that the request's hash falls on, then those behind it in the table.
    Hash(Table),
}

/// The schedule of a round robin, and the turn that it has come to over all workers.
#[derive(Debug)]
pub struct Turns {
    schedule: Box<[u32]>,
    next: AtomicUsize,
}

/// The parts of a draw that fall on endpoints. Found without a look at each, since a pool may have a thousand.
#[derive(Debug)]
pub enum Shares {
    /// As much on each of them.
    Even,
    /// By weight: for each endpoint the sum of the weights up to its own.
    Weighted(Box<[u64]>),
}

impl Shares {
    fn new(endpoints: &[Endpoint]) -> Self {
        if endpoints.windows(2).all(|pair| pair[0].weight == pair[1].weight) {
            return Self::Even;
        }
        let upto = endpoints.iter().scan(0, |sum, endpoint| {
            *sum += u64::from(endpoint.weight.get());
            Some(*sum)
        });
        Self::Weighted(upto.collect())
    }

    /// The one of `count` endpoints that the upper half of `draw` falls on.
    fn place(&self, count: usize, draw: u64) -> Option<usize> {
        let total = match self {
            Self::Even => count as u64,
            Self::Weighted(upto) => *upto.last()?,
        };
        let point = u64::try_from((u128::from(draw >> 32) * u128::from(total)) >> 32).unwrap_or(u64::MAX);
        match self {
            Self::Even => usize::try_from(point).ok().filter(|place| *place < count),
            Self::Weighted(upto) => Some(upto.partition_point(|upto| *upto <= point)),
        }
    }
}

impl Balancer {
    /// The less loaded of two of `endpoints`.
    pub fn least_request(endpoints: &[Endpoint]) -> Self {
        Self::LeastRequest(Shares::new(endpoints))
    }

    /// The less loaded of two of `endpoints`, by more than requests in flight; see [`Balancer::LeastLoad`].
    pub fn least_load(endpoints: &[Endpoint], decay: Option<Duration>) -> Self {
        Self::LeastLoad(Shares::new(endpoints), decay)
    }

    /// Any of `endpoints`.
    pub fn random(endpoints: &[Endpoint]) -> Self {
        Self::Random(Shares::new(endpoints))
    }

    /// A round robin among `endpoints`. Turns of one endpoint are spread out (smooth weighted round robin): of weights 2
    /// and 1 it makes a, b, a.
    pub fn round_robin(endpoints: &[Endpoint]) -> Self {
        let turns = turns(endpoints);
        let total: i64 = turns.iter().sum();
        let mut credits = vec![0_i64; turns.len()];
        let schedule = (0..total).filter_map(|_| {
            credits.iter_mut().zip(&turns).for_each(|(credit, turns)| *credit += turns);
            // The first of the richest, so that equal weights go in the order of the documents.
            let place = (0..credits.len()).rev().max_by_key(|place| credits[*place])?;
            credits[place] -= total;
            u32::try_from(place).ok()
        });
        Self::RoundRobin(Turns { schedule: schedule.collect(), next: AtomicUsize::new(0) })
    }

    /// The places of `endpoints` in the order in which they are to be asked; places may come again. `draw` is a number
    /// uniform over all of `u64`, for [`Balancer::Hash`] the request's hash.
    pub(super) fn order<'p>(&'p self, endpoints: &'p [Endpoint], draw: u64, now: Moment) -> Order<'p> {
        let walk = match self {
            Self::LeastLoad(shares, decay) => Walk::Weighed(draw, shares, (now, *decay)),
            Self::LeastRequest(shares) => Walk::Drawn(draw, shares, less_loaded),
            Self::Random(shares) => Walk::Drawn(draw, shares, any),
            Self::RoundRobin(turns) => {
                let turn = turns.next.fetch_add(1, Ordering::Relaxed) % turns.schedule.len().max(1);
                Walk::Table(&turns.schedule, turn)
            }
            Self::Hash(table) => Walk::Table(table.places(), table.entry(draw)),
        };
        Order { endpoints, walk, steps: 0 }
    }
}

/// How many turns each endpoint has: its weight in lowest terms, or its share of [`MAX_TURNS`].
fn turns(endpoints: &[Endpoint]) -> Vec<i64> {
    let weights = || endpoints.iter().map(|endpoint| u64::from(endpoint.weight.get()));
    let divisor = weights().fold(0, greatest_common_divisor).max(1);
    let total: u64 = weights().map(|weight| weight / divisor).sum();
    let turn = |weight: u64| {
        let turns = if total <= MAX_TURNS { weight / divisor } else { weight / divisor * MAX_TURNS / total };
        i64::try_from(turns).unwrap_or(1).max(1)
    };
    weights().map(turn).collect()
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

enum Walk<'p> {
    /// Every place from this one on.
    Places(usize),
    /// A few draws, of which this is the first; then every place from the last one drawn on.
    Drawn(u64, &'p Shares, fn(&[Endpoint], &Shares, u64) -> Option<usize>),
    /// As `Drawn`, by load at a moment.
    Weighed(u64, &'p Shares, (Moment, Option<Duration>)),
    /// The table's places from this entry on.
    Table(&'p [u32], usize),
}

/// The places of one choice; see [`Balancer::order`].
pub(super) struct Order<'p> {
    endpoints: &'p [Endpoint],
    walk: Walk<'p>,
    steps: usize,
}

impl Order<'_> {
    /// Draws again, or goes over to the places in order.
    fn step_on(&mut self, step: usize, place: usize, next: u64) -> usize {
        /// Draws before the places in order: an endpoint that takes nothing leaves its share to all others, not to the
        /// one behind it.
        const DRAWS: usize = 4;
        match &mut self.walk {
            Walk::Drawn(draw, ..) | Walk::Weighed(draw, ..) if step < DRAWS => *draw = next,
            _ => {
                self.walk = Walk::Places(place);
                self.steps = 1;
            }
        }
        place
    }
}

impl Iterator for Order<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let count = self.endpoints.len();
        let step = self.steps;
        self.steps += 1;
        match &mut self.walk {
            Walk::Places(first) => (step < count).then(|| (*first + step) % count),
            Walk::Drawn(draw, shares, choose) => {
                let place = choose(self.endpoints, shares, *draw)?;
                let next = mix(*draw);
                Some(self.step_on(step, place, next))
            }
            Walk::Weighed(draw, shares, by) => {
                let place = sooner(self.endpoints, shares, *draw, *by)?;
                let next = mix(*draw);
                Some(self.step_on(step, place, next))
            }
            Walk::Table(table, first) => (step < table.len()).then(|| table[(*first + step) % table.len()] as usize),
        }
    }
}

/// The places asked for one choice, so that an order which names places again ends once it has named them all.
/// Without an allocation: of a pool so large that it has no bits for a place, not every endpoint may be asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    places: [u64; 16],
    count: usize,
}

impl Asked {
    /// How many places were asked.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Notes that `place` is asked; false where it was before.
    pub(super) fn note(&mut self, place: usize) -> bool {
        let bit = 1 << (place % 64);
        let first = self.places.get_mut(place / 64).is_none_or(|places| {
            let first = *places & bit == 0;
            *places |= bit;
            first
        });
        self.count += usize::from(first);
        first
    }
}

/// Of two endpoints drawn by weight, the one with fewer requests in flight for its weight.
fn less_loaded(endpoints: &[Endpoint], shares: &Shares, draw: u64) -> Option<usize> {
    let [one, two] = [any(endpoints, shares, draw)?, any(endpoints, shares, draw << 32)?];
    let load = |place: usize, other: usize| {
        let in_flight = u64::from(endpoints[place].state.in_flight());
        in_flight * u64::from(endpoints[other].weight.get())
    };
    Some(if load(two, one) < load(one, two) { two } else { one })
}

/// Of two endpoints drawn by weight, the one that is to serve a further request sooner for its weight.
fn sooner(
    endpoints: &[Endpoint],
    shares: &Shares,
    draw: u64,
    (now, decay): (Moment, Option<Duration>),
) -> Option<usize> {
    let [one, two] = [any(endpoints, shares, draw)?, any(endpoints, shares, draw << 32)?];
    let score = |place: usize| {
        let endpoint = &endpoints[place];
        endpoint.state.load.score(endpoint.state.in_flight(), now, decay) / f64::from(endpoint.weight.get())
    };
    Some(if score(two) < score(one) { two } else { one })
}

/// The endpoint that `draw` falls on.
fn any(endpoints: &[Endpoint], shares: &Shares, draw: u64) -> Option<usize> {
    shares.place(endpoints.len(), draw)
}

/// Another number as evenly spread as `draw`: the finaliser of Steele and Vigna's `SplitMix64`.
pub(super) fn mix(draw: u64) -> u64 {
    let z = draw.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
