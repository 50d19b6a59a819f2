//! The one factor by which the demonstration's rates are scaled to the machine.
//!
//! At a factor of 1 an instance computes what was measured of it, and the load's peak is somewhat more than the busiest
//! instance can take. Then the pools are full and some requests overflow to the local model, which is not emulated and
//! computes what this machine can. So the factor is the largest at which that overflow fits the local model and the rest
//! fits the cores. It scales the load and what every instance computes alike: service times and places stay as measured,
//! and a place rests after each answer for as long as makes up the difference. What the router sends meanwhile waits in the
//! instance, so that at a factor below 1 a full pool answers later than its service time.
//!
//! Pure: what the machine bears is measured elsewhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::curve::Curve;
use super::service::Profile;
use crate::domain::Tier;

/// Requests that the split sends to one pool first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flow {
    /// Their share of all requests, in `0..=1`.
    pub(super) share: f64,
    /// The emulated tiers that may serve them in spill order, each with its instances.
    pub(super) tiers: Vec<(Tier, Vec<SocketAddr>)>,
}

/// What was measured of the machine, in requests a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Machine {
    /// What the local model computes, with some left for everything else.
    pub(super) local: f64,
    /// What the cores forward, load and emulated pools included.
    pub(super) forwarded: f64,
}

/// How the demonstration is scaled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    /// The factor, in `0.01..=1`.
    pub(super) factor: f64,
    /// The highest rate of the load, scaled, in requests a second.
    pub(super) peak: f64,
}

/// The lowest rate of the load, as a share of its highest.
const TROUGH: f64 = 0.2;
/// From one lowest rate to the next.
const PERIOD: std::time::Duration = std::time::Duration::from_secs(40);

/// The load's peak over what the busiest instance takes.
const OVERLOAD: f64 = 1.2;

impl Plan {
    /// The plan for these flows on this machine. `None` where no flow meets an emulated instance.
    pub(super) fn new(flows: &[Flow], machine: Machine) -> Option<Self> {
        let full = OVERLOAD * saturating_rate(flows)?;
        let fits =
            |factor: f64| factor * full <= machine.forwarded && factor * overflow(flows, full, factor) <= machine.local;
        let factor = (1..=100_u32).rev().map(|hundredths| f64::from(hundredths) / 100.0).find(|factor| fits(*factor));
        // Where even that is too much, some requests are refused: that too is worth seeing.
        let factor = factor.unwrap_or(0.01);
        Some(Self { factor, peak: factor * full })
    }

    /// The load's rate over time.
    pub(super) fn curve(&self) -> Curve {
        Curve { trough: self.peak * TROUGH, peak: self.peak, period: PERIOD }
    }
}

/// The rate of all requests at which the instance with the largest share of them is offered just what it computes.
fn saturating_rate(flows: &[Flow]) -> Option<f64> {
    let mut shares: BTreeMap<SocketAddr, (f64, Tier)> = BTreeMap::new();
    for flow in flows {
        let Some((tier, instances)) = flow.tiers.first() else { continue };
        for instance in instances {
            shares.entry(*instance).or_insert((0.0, *tier)).0 += flow.share / count(instances);
        }
    }
    let (share, tier) = shares.into_values().max_by(|one, two| one.0.total_cmp(&two.0))?;
    let profile = Profile::of(tier)?;
    (share > 0.0).then(|| profile.rate / share)
}

/// Requests that find every emulated tier full, of `rate` offered a second where nothing is scaled, at a factor that is.
fn overflow(flows: &[Flow], rate: f64, factor: f64) -> f64 {
    let mut rest: Vec<f64> = flows.iter().map(|flow| flow.share * rate).collect();
    for tier in [Tier::Gpu, Tier::Cpu] {
        let of_tier = |flow: &Flow| flow.tiers.iter().find(|(other, _)| *other == tier).map(|(_, list)| list.clone());
        let mut offered: BTreeMap<SocketAddr, f64> = BTreeMap::new();
        for (flow, rest) in flows.iter().zip(&rest) {
            let instances = of_tier(flow).unwrap_or_default();
            for instance in &instances {
                *offered.entry(*instance).or_default() += rest / count(&instances);
            }
        }
        let Some(profile) = Profile::of(tier) else { continue };
        let full = |instance: &SocketAddr| {
            let rate = offered.get(instance).copied().unwrap_or_default();
            blocked(profile.concurrency(), factor, rate / profile.rate)
        };
        for (flow, rest) in flows.iter().zip(&mut rest) {
            let instances = of_tier(flow).unwrap_or_default();
            *rest *= instances.iter().map(full).product::<f64>();
        }
    }
    rest.iter().sum()
}

/// The share of requests that find an instance of `places` full, at `utilisation`, the offered over the possible rate: the
/// loss of a queue M/M/c/K. The router's slots are as many as the places, and those of resting places hold requests that
/// wait. At a factor of 1 nothing rests, and this is Erlang's loss formula.
fn blocked(places: u32, factor: f64, utilisation: f64) -> f64 {
    let servers = f64::from(places);
    let load = servers * utilisation;
    let room = (places..2 * places).take_while(|room| f64::from(*room) < servers * (2.0 - factor)).count();
    let room = places + u32::try_from(room).unwrap_or(u32::MAX);
    let (last, sum) = (1..=room).fold((1.0, 1.0), |(state, sum), inside| {
        let state = state * load / f64::from(inside.min(places));
        (state, sum + state)
    });
    last / sum
}

fn count(instances: &[SocketAddr]) -> f64 {
    f64::from(u32::try_from(instances.len()).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// 20 % on either GPU instance, and the rest 66 : 4 : 30 on the stable and the canary GPU and the CPU instance.
    fn flows() -> Vec<Flow> {
        let cpu = || (Tier::Cpu, vec![instance(3)]);
        let gpu = |instances| vec![(Tier::Gpu, instances), cpu()];
        vec![
            Flow { share: 0.2, tiers: gpu(vec![instance(1), instance(2)]) },
            Flow { share: 0.528, tiers: gpu(vec![instance(1)]) },
            Flow { share: 0.032, tiers: gpu(vec![instance(2)]) },
            Flow { share: 0.24, tiers: vec![cpu()] },
        ]
    }

    #[test]
    fn without_rest_this_is_erlangs_formula() {
        // From the published tables: 2 servers at 1 erlang block 1/5, 10 servers at 5 erlangs 1.84 %.
        for (places, load, share) in [(1, 1.0, 0.5), (2, 1.0, 0.2), (10, 5.0, 0.018_385), (3, 0.0, 0.0)] {
            assert!((blocked(places, 1.0, load / f64::from(places)) - share).abs() < 1e-5, "{places} {load}");
        }
    }

    #[test]
    fn resting_places_hold_requests_that_wait() {
        // M/M/1/2 at full utilisation is in each of its three states for a third of the time.
        assert!((blocked(1, 0.01, 1.0) - 1.0 / 3.0).abs() < 1e-9);
        assert!(blocked(11, 0.5, 1.2) < blocked(11, 1.0, 1.2));
        // No queue takes more than there is room to compute.
        assert!(blocked(11, 0.01, 1.2) > 0.2 / 1.2);
    }

    #[test]
    fn the_peak_overloads_the_busiest_instance() {
        let plenty = Machine { local: 1e6, forwarded: 1e6 };
        let plan = Plan::new(&flows(), plenty).expect("instances");
        assert!((plan.factor - 1.0).abs() < 1e-9);
        // The stable GPU instance has 0.528 + 0.2 / 2 of the requests and computes 850 a second.
        assert!((plan.peak - OVERLOAD * 850.0 / 0.628).abs() < 1e-6, "{}", plan.peak);
        assert!((plan.curve().trough - plan.peak / 5.0).abs() < 1e-6);
    }

    #[test]
    fn the_factor_is_the_largest_that_the_machine_bears() {
        let full = OVERLOAD * 850.0 / 0.628;
        let plan = Plan::new(&flows(), Machine { local: 100.0, forwarded: 1e6 }).expect("instances");
        let overflow_at = |factor: f64| factor * overflow(&flows(), full, factor);
        assert!(overflow_at(plan.factor) <= 100.0 && overflow_at(plan.factor + 0.01) > 100.0, "{plan:?}");
        let plan = Plan::new(&flows(), Machine { local: 1e6, forwarded: 500.0 }).expect("instances");
        assert!((480.0..=500.0).contains(&plan.peak), "{plan:?}");
        let plan = Plan::new(&flows(), Machine { local: 0.0, forwarded: 0.0 }).expect("instances");
        assert!((plan.factor - 0.01).abs() < 1e-9, "{plan:?}");
        assert_eq!(Plan::new(&[], Machine { local: 1.0, forwarded: 1.0 }), None);
    }
}
