//! How many replicas a pool should have: the rule.
//!
//! `needed = demand / carried`, where `demand` is the concurrency of the pool, as it will be once a replica that is asked for
//! now has started, and `carried` what one replica carries (see `capacity`). `desired` is that in whole replicas, within the
//! bounds of the pool's document.

use std::time::Duration;

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

/// What is planned beyond the arrivals where requests wait, so that what waits is served soon too.
const CATCHING_UP: f64 = 2.0;

/// The concurrency to have replicas for: the greater of the last minute's and the last quarter's, with what was refused as if
/// it had been served, and what growth adds by the time that a replica asked for now answers. Growth at most doubles it.
///
/// Replicas that have too much are slow, and slowness alone makes requests pile up: by Little's law no more than the arrivals
/// times `pace`, the seconds that an answer takes where replicas have what they carry, is demand, and as much again to catch
/// up. A `pace` of zero is unknown, and bounds nothing.
pub fn demand(load: &Load, pace: f64, cold_start: Duration) -> f64 {
    let taken = if pace > 0.0 { pace } else { load.latencies.mean().map_or(0.0, |mean| mean.as_secs_f64()) };
    let piled = load.concurrency.max(load.recent_concurrency) + load.refusals_per_second * taken;
    let arrivals = load.arrivals_per_second.max(load.recent_arrivals_per_second);
    let now = if pace > 0.0 { piled.min(arrivals * pace * CATCHING_UP) } else { piled };
    let growth = load.growth.max(0.0) / load.recent_concurrency.max(f64::MIN_POSITIVE);
    now * (1.0 + (growth * (cold_start + AUTOSCALER_PERIOD).as_secs_f64()).min(1.0))
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

    #[test]
    fn growth_is_counted_in_for_as_long_as_a_replica_takes_to_start() {
        let load = Load { growth: 0.5, ..steady(40.0) };
        assert!((demand(&load, 0.0, Duration::from_secs(45)) - 70.0).abs() < 1e-9);
        assert!((demand(&load, 0.0, Duration::from_secs(5)) - 50.0).abs() < 1e-9);
        assert!((demand(&Load { growth: 50.0, ..steady(40.0) }, 0.0, Duration::from_secs(45)) - 80.0).abs() < 1e-9);
        assert!((demand(&Load { growth: -0.5, ..steady(40.0) }, 0.0, Duration::from_secs(45)) - 40.0).abs() < 1e-9);
    }

    #[test]
    fn requests_that_pile_up_because_answers_are_slow_are_no_demand() {
        let arrivals = Load { arrivals_per_second: 300.0, recent_arrivals_per_second: 100.0, ..steady(900.0) };
        assert!((demand(&arrivals, 0.2, Duration::ZERO) - 120.0).abs() < 1e-9);
        assert!((demand(&arrivals, 0.0, Duration::ZERO) - 900.0).abs() < 1e-9);
        assert!(
            (demand(&Load { concurrency: 10.0, recent_concurrency: 10.0, ..arrivals }, 0.2, Duration::ZERO) - 10.0)
                .abs()
                < 1e-9
        );
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
