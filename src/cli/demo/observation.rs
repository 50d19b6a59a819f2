//! What the router says of itself on its admin address, gathered by tier.
//!
//! Reads the text of `/metrics` as any user could, and nothing else: the demonstration has no view into the router that
//! an operator lacks.

use std::collections::BTreeMap;

use crate::cli::exposition::{Sample, samples};
use crate::cli::quantile::Buckets;
use crate::domain::Tier;

/// One reading of `/metrics`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Observation {
    tiers: BTreeMap<Tier, TierCounts>,
    /// The weights in force, by route and pool.
    pub(super) weights: BTreeMap<(String, String), f64>,
    /// Requests that a pool left to a later one so far, by pool and reason.
    pub(super) spilled: BTreeMap<(String, String), f64>,
    /// Requests that the router refused so far, by reason.
    pub(super) refused: BTreeMap<String, f64>,
    /// Which configuration is in force.
    pub(super) generation: f64,
}

/// What one tier did since the router started, and does now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TierCounts {
    /// Requests that it answered.
    pub(super) answered: f64,
    /// Requests meant for it that nothing could answer.
    pub(super) refused: f64,
    /// Requests that it left to a later tier.
    pub(super) spilled: f64,
    /// Requests in it now.
    pub(super) in_flight: f64,
    /// How long its answers took.
    pub(super) latency: Buckets,
}

impl Observation {
    /// Reads the text of `/metrics`.
    pub(super) fn read(text: &str) -> Self {
        let mut seen = Self::default();
        let pool_tiers: BTreeMap<String, Tier> =
            samples(text).filter_map(|sample| Some((sample.label("pool").to_owned(), own_tier(&sample)?))).collect();
        samples(text).for_each(|sample| seen.add(&sample, &pool_tiers));
        seen
    }

    /// The counts of one tier.
    pub(super) fn tier(&self, tier: Tier) -> TierCounts {
        self.tiers.get(&tier).cloned().unwrap_or_default()
    }

    /// Requests that the router refused so far.
    pub(super) fn refusals(&self) -> f64 {
        self.refused.values().sum()
    }

    fn add(&mut self, sample: &Sample<'_>, pool_tiers: &BTreeMap<String, Tier>) {
        let (pool, value) = (sample.label("pool"), sample.value);
        let pair = |label: &str| (pool.to_owned(), sample.label(label).to_owned());
        let tier = own_tier(sample).or_else(|| pool_tiers.get(pool).copied());
        match sample.name {
            "overspill_route_weight" => {
                self.weights.insert((sample.label("route").to_owned(), pool.to_owned()), value);
            }
            "overspill_config_generation" => self.generation = value,
            "overspill_refused_requests_total" => {
                *self.refused.entry(sample.label("reason").to_owned()).or_default() += value;
            }
            "overspill_spilled_requests_total" => *self.spilled.entry(pair("reason")).or_default() += value,
            _ => {}
        }
        let Some(tier) = tier else { return };
        let counts = self.tiers.entry(tier).or_default();
        match sample.name {
            "overspill_requests_total" if is_refusal(sample) => counts.refused += value,
            "overspill_requests_total" => counts.answered += value,
            "overspill_spilled_requests_total" => counts.spilled += value,
            "overspill_requests_in_flight" => counts.in_flight += value,
            "overspill_request_duration_seconds_bucket" if sample.label("response_class") == "2xx" => {
                // Prometheus writes the last bound `+Inf`, which Rust reads as infinity.
                counts.latency.add(sample.label("le").parse().unwrap_or(-1.0), value);
            }
            _ => {}
        }
    }
}

/// A request that a pool or the local model answered carries no reason.
fn is_refusal(sample: &Sample<'_>) -> bool {
    !matches!(sample.label("reason"), "" | "-" | "none")
}

fn own_tier(sample: &Sample<'_>) -> Option<Tier> {
    Tier::ALL.into_iter().find(|tier| tier.as_str() == sample.label("tier"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
overspill_config_generation 3
overspill_route_weight{route="r",pool="gpu/stable"} 66
overspill_requests_in_flight{pool="gpu/stable",tier="gpu"} 7
overspill_requests_in_flight{pool="gpu/canary",tier="gpu"} 2
overspill_requests_in_flight{pool="local",tier="local"} 1
overspill_requests_total{route="r",pool="gpu/stable",tier="gpu",response_code="200",reason=""} 90
overspill_requests_total{route="r",pool="gpu/stable",tier="",response_code="429",reason="queue_full"} 4
overspill_spilled_requests_total{pool="gpu/stable",tier="gpu",reason="slots_taken"} 5
overspill_refused_requests_total{route="r",reason="queue_full"} 4
overspill_request_duration_seconds_bucket{route="r",pool="gpu/stable",tier="gpu",response_class="2xx",le="0.01"} 45
overspill_request_duration_seconds_bucket{route="r",pool="gpu/stable",tier="gpu",response_class="2xx",le="+Inf"} 90
overspill_request_duration_seconds_bucket{route="r",pool="gpu/stable",tier="gpu",response_class="4xx",le="+Inf"} 4
"#;

    #[test]
    fn a_reading_is_gathered_by_tier() {
        let seen = Observation::read(TEXT);
        let gpu = seen.tier(Tier::Gpu);
        assert_eq!((gpu.answered, gpu.refused, gpu.spilled, gpu.in_flight), (90.0, 4.0, 5.0, 9.0));
        assert_eq!(gpu.latency.quantile(0.5), Some(0.01));
        assert_eq!((seen.tier(Tier::Local).in_flight, seen.tier(Tier::Local).answered), (1.0, 0.0));
        assert_eq!(seen.tier(Tier::Cpu), TierCounts::default());
        assert_eq!((seen.generation, seen.refusals()), (3.0, 4.0));
        assert_eq!(seen.weights.into_iter().collect::<Vec<_>>(), [(("r".to_owned(), "gpu/stable".to_owned()), 66.0)]);
        let spilled: Vec<_> = seen.spilled.into_iter().collect();
        assert_eq!(spilled, [(("gpu/stable".to_owned(), "slots_taken".to_owned()), 5.0)]);
    }
}
