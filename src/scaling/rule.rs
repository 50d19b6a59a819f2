//! How many replicas a pool should have: the rule.
//!
//! `needed = demand / carried`, where `demand` is the concurrency of the pool, as it will be once a replica that is asked for
//! now has started, and `carried` what one replica carries (see `capacity`). `desired` is that in whole replicas, within the
//! bounds of the pool's document.

use std::time::Duration;

use super::capacity::HEADROOM;
use super::load::Load;
use crate::domain::{Preset, Recipe, Scaling};

/// How long an autoscaler takes to look again: the sync period of the `HorizontalPodAutoscaler`.
const AUTOSCALER_PERIOD: Duration = Duration::from_secs(15);

/// KEDA's own bounds where a pool has no document.
const UNBOUND: (u32, u32) = (1, 100);

/// What the rule goes by beside the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// The fewest replicas.
    pub min_replicas: u32,
    /// The most.
    pub max_replicas: u32,
    /// How long a replica takes from being asked for to its first answer.
    pub cold_start: Duration,
}

impl Terms {
    /// Those of a pool; without a document, one replica to KEDA's default of a hundred.
    pub fn of(scaling: Option<&Scaling>) -> Self {
        let cold_start = scaling.map_or(crate::domain::COLD_START, Scaling::cold_start);
        let (min_replicas, max_replicas) = scaling.map_or(UNBOUND, |scaling| {
            let Recipe { min_replicas, max_replicas, .. } = scaling.recipe(Preset::Online);
            (min_replicas, max_replicas)
        });
        Self { min_replicas, max_replicas, cold_start }
    }
}

/// A slope is followed so far at most, as a share of what is there: what grows faster is a surge, and ends as one.
const MOST_GROWTH: f64 = 0.5;

/// What may come before a replica that is asked for now answers may take this share of what replicas carry: it is borne for a
/// while, where what goes on is planned with [`HEADROOM`].
const BORNE: f64 = 0.8;

/// The concurrency to have replicas for: the greatest of what is there, of what will be there by the time that a replica
/// asked for now answers, and of what may be, this by the share of what replicas carry that may be taken for so long.
///
/// What is there is the greater of the last minute's and the last quarter's, with what was refused as if it had been served.
/// Replicas that have too much are slow, and slowness alone makes requests pile up: by Little's law no more than the arrivals
/// times `pace`, the seconds that an answer takes where replicas have what they carry, is demand. A `pace` of zero is unknown,
/// and bounds nothing.
///
/// What will come is what the slope of the arrivals adds (at most half as much again). What may come is what is left of the
/// greatest surge that is remembered: no autoscaler is faster than a cold start, so that what rises within one must find its
/// replicas there.
pub fn demand(load: &Load, pace: f64, cold_start: Duration) -> f64 {
    let taken = if pace > 0.0 { pace } else { load.latencies.mean().map_or(0.0, |mean| mean.as_secs_f64()) };
    let at_most = |arrivals: f64| if pace > 0.0 { arrivals * pace } else { f64::INFINITY };
    let piled = load.concurrency.max(load.recent_concurrency) + load.refusals_per_second * taken;
    let now = piled.min(at_most(load.arrivals_per_second.max(load.recent_arrivals_per_second)));
    let base = load.recent_concurrency.min(at_most(load.recent_arrivals_per_second));
    let slope = load.growth.max(0.0) / load.recent_concurrency.max(f64::MIN_POSITIVE);
    let grown = base * (slope * (cold_start + AUTOSCALER_PERIOD).as_secs_f64()).min(MOST_GROWTH);
    let surge = (load.surge - load.rise).max(0.0) * taken;
    now.max(base + grown).max((base + surge) * HEADROOM / BORNE)
}

/// The replicas that `demand` needs, where one carries `carried`; not whole, and within no bounds.
pub fn needed(demand: f64, carried: f64) -> f64 {
    demand / carried.max(f64::MIN_POSITIVE)
}

/// The replicas to have: as many as are needed, within the bounds; at least one where anything is asked of the pool.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is brought within the bounds first")]
pub fn desired(needed: f64, load: &Load, terms: Terms) -> u32 {
    // What is a hair over a whole number by the rounding of floats is that number.
    let whole = (needed - 1e-6).ceil().clamp(0.0, f64::from(terms.max_replicas)) as u32;
    whole.max(u32::from(load.active)).clamp(terms.min_replicas.min(terms.max_replicas), terms.max_replicas)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { min_replicas: 0, max_replicas: 20, cold_start: Duration::from_secs(45) };

    fn steady(concurrency: f64) -> Load {
        Load { active: concurrency > 0.0, concurrency, recent_concurrency: concurrency, ..Load::default() }
    }

    fn replicas(load: &Load, carried: f64, terms: Terms) -> u32 {
        desired(needed(demand(load, 0.0, terms.cold_start), carried), load, terms)
    }

    #[test]
    fn as_many_as_carry_the_demand_within_the_bounds() {
        let cases = [(0.0, 0, 0), (0.0, 2, 2), (0.5, 0, 1), (10.0, 0, 1), (10.1, 0, 2), (100.0, 0, 10), (999.0, 0, 20)];
        for (concurrency, min_replicas, expected) in cases {
            let terms = Terms { min_replicas, ..TERMS };
            assert_eq!(replicas(&steady(concurrency), 10.0, terms), expected, "{concurrency}");
        }
    }

    fn of(load: &Load, pace: f64, cold_start: u64) -> f64 {
        demand(load, pace, Duration::from_secs(cold_start))
    }

    #[test]
    fn growth_is_counted_in_for_as_long_as_a_replica_takes_to_start() {
        let cases = [(0.1, 45, 46.0), (0.2, 45, 52.0), (0.2, 35, 50.0), (50.0, 45, 60.0)];
        for (growth, cold_start, ahead) in cases {
            let load = Load { growth, ..steady(40.0) };
            assert!((of(&load, 0.0, cold_start) - ahead).abs() < 1e-9, "{growth} over {cold_start} s");
        }
        assert!((of(&Load { growth: -0.5, ..steady(40.0) }, 0.0, 45) - 40.0).abs() < 1e-9);
    }

    #[test]
    fn what_surges_as_it_did_before_finds_its_replicas_there() {
        let calm = Load { recent_arrivals_per_second: 100.0, arrivals_per_second: 100.0, surge: 200.0, ..steady(20.0) };
        assert!((of(&calm, 0.2, 45) - f64::max(20.0, 60.0 * HEADROOM / BORNE)).abs() < 1e-9);
        // Half of it has come within the minute, then all: no more is to be expected of it.
        let rising = Load { rise: 100.0, recent_arrivals_per_second: 200.0, recent_concurrency: 40.0, ..calm.clone() };
        assert!((of(&rising, 0.2, 45) - 40.0).abs() < 1e-9);
        let risen = Load { rise: 220.0, recent_arrivals_per_second: 320.0, recent_concurrency: 64.0, ..calm };
        assert!((of(&risen, 0.2, 45) - 64.0).abs() < 1e-9);
    }

    #[test]
    fn requests_that_pile_up_because_answers_are_slow_are_no_demand() {
        let arrivals = Load { arrivals_per_second: 300.0, recent_arrivals_per_second: 100.0, ..steady(900.0) };
        assert!((of(&arrivals, 0.2, 0) - 60.0).abs() < 1e-9);
        assert!((of(&arrivals, 0.0, 0) - 900.0).abs() < 1e-9);
        let few = Load { concurrency: 10.0, recent_concurrency: 10.0, ..arrivals };
        assert!((of(&few, 0.2, 0) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn the_newest_demand_counts_on_the_way_up_and_the_minute_on_the_way_down() {
        let up = Load { recent_concurrency: 60.0, ..steady(20.0) };
        let down = Load { recent_concurrency: 20.0, ..steady(60.0) };
        assert_eq!([replicas(&up, 10.0, TERMS), replicas(&down, 10.0, TERMS)], [6, 6]);
    }

    #[test]
    fn a_pool_without_a_document_has_bounds_all_the_same() {
        let terms = Terms::of(None);
        assert_eq!((terms.min_replicas, terms.max_replicas), UNBOUND);
        let scaling = Scaling { max_replicas: Some(3), ..Scaling::default() };
        assert_eq!((Terms::of(Some(&scaling)).min_replicas, Terms::of(Some(&scaling)).max_replicas), (3, 3));
    }
}
