//! Tables that share hashes out among endpoints, so that few requests move when an endpoint comes or goes.
//!
//! Hashes are the same in every process and release: several routers send requests alike to one endpoint.

use super::Endpoint;
use super::balance::mix;
use crate::domain::HashTable;

/// The largest ring, whatever the weights ask for: 12 MiB.
const MAX_RING_SIZE: u64 = 1 << 20;

/// The hash of `bytes`: Fowler, Noll and Vo's FNV-1a, its bits mixed so that each of them depends on every byte.
pub fn stable_hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    mix(bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)))
}

/// A table of places, entered by hash.
#[derive(Debug)]
pub struct Table {
    /// The points of a ring in ascending order; none for a Maglev table, whose places are entered by remainder.
    points: Box<[u64]>,
    places: Box<[u32]>,
}

impl Table {
    /// The table of `kind` for `endpoints`.
    pub fn new(kind: HashTable, endpoints: &[Endpoint]) -> Self {
        match kind {
            HashTable::Ring(size) => ring(endpoints, u64::from(size)),
            HashTable::Maglev(size) => maglev(endpoints, u64::from(size)),
        }
    }

    /// The places, in the order in which they follow each other.
    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    /// Where `hash` enters it.
    pub(super) fn entry(&self, hash: u64) -> usize {
        if self.points.is_empty() {
            usize::try_from(hash % self.places.len().max(1) as u64).unwrap_or_default()
        } else {
            self.points.partition_point(|point| *point < hash) % self.points.len()
        }
    }
}

fn weights(endpoints: &[Endpoint]) -> impl Iterator<Item = u64> + Clone {
    endpoints.iter().map(|endpoint| u64::from(endpoint.weight.get()))
}

/// A ring: each endpoint has points by its weight, the lightest so many that the ring has at least `minimum`.
fn ring(endpoints: &[Endpoint], minimum: u64) -> Table {
    let total = weights(endpoints).sum::<u64>().max(1);
    let lightest = weights(endpoints).min().unwrap_or(1);
    let of_lightest = (lightest * minimum).div_ceil(total);
    let size = u128::from(of_lightest) * u128::from(total) / u128::from(lightest);
    let size = u64::try_from(size).unwrap_or(u64::MAX).clamp(minimum, MAX_RING_SIZE.max(minimum));
    let mut points: Vec<(u64, u32)> = Vec::new();
    for (place, endpoint) in (0..).zip(endpoints) {
        let share = (u64::from(endpoint.weight.get()) * size).div_ceil(total);
        let own = stable_hash(endpoint.name.bytes());
        points.extend((0..share).map(|nth| (mix(own ^ mix(nth)), place)));
    }
    points.sort_unstable();
    let (points, places): (Vec<_>, Vec<_>) = points.into_iter().unzip();
    Table { points: points.into(), places: places.into() }
}

/// A Maglev table of `size` places (Eisenbud and others, 2016, section 3.4): endpoints take turns, each taking the next
/// free place of an order of its own, heavier ones more often.
fn maglev(endpoints: &[Endpoint], size: u64) -> Table {
    struct Turn {
        at: u64,
        step: u64,
        weight: u64,
        taken: u64,
    }
    const FREE: u32 = u32::MAX;
    let heaviest = weights(endpoints).max().unwrap_or(1);
    let turn = |endpoint: &Endpoint| {
        let own = stable_hash(endpoint.name.bytes());
        let step = mix(own) % size.saturating_sub(1).max(1) + 1;
        Turn { at: own % size, step, weight: u64::from(endpoint.weight.get()), taken: 0 }
    };
    let mut turns: Vec<Turn> = endpoints.iter().map(turn).collect();
    let mut places = vec![FREE; if endpoints.is_empty() { 0 } else { usize::try_from(size).unwrap_or_default() }];
    let mut free = places.len();
    let mut round = 0;
    while free > 0 {
        round += 1;
        for (place, turn) in (0..).zip(&mut turns) {
            if free == 0 || round * turn.weight < turn.taken * heaviest {
                continue;
            }
            turn.taken += 1;
            let index = |at: u64| usize::try_from(at).unwrap_or_default();
            // The size is a prime, so that the steps come to every place, a free one among them.
            while places[index(turn.at)] != FREE {
                turn.at = (turn.at + turn.step) % size;
            }
            places[index(turn.at)] = place;
            free -= 1;
        }
    }
    Table { points: Box::default(), places: places.into() }
}

#[cfg(test)]
mod tests;
