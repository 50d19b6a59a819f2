//! What the autoscaler goes by: CPU, pending requests, or the router's own rule.

use std::time::Duration;

use overspill::domain::{Moment, Recipe};
use overspill::scaling::{Bounds, PoolLoad, PoolMeter, Reading, Replicas, demand, needed};

use super::PERIOD;
use super::fleet::{Fleet, OBJECTIVE, SLOTS};
use super::hpa::TOLERANCE;

/// Requests that each replica is to have pending: three quarters of what a load test finds a replica to carry.
const PENDING_EACH: f64 = 10.0;
const COLD_START: Duration = Duration::from_secs(45);

/// What is gone by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The use of the CPU, as the metrics server has it.
    Cpu,
    /// Pending requests, as Prometheus has scraped them.
    Pending,
    /// The replicas that the router says are needed.
    Own,
}

impl Kind {
    /// Each of them.
    pub(crate) const ALL: [Self; 3] = [Self::Cpu, Self::Pending, Self::Own];

    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Pending => "pending requests",
            Self::Own => "Overspill",
        }
    }
}

/// One kind, with what it has measured.
pub(super) struct Autoscaler {
    kind: Kind,
    cpu_target: f64,
    seconds: u32,
    /// The use of the CPU over the last whole interval, and pending requests at its end.
    scraped: (f64, f64),
    meter: PoolMeter,
    known: PoolLoad,
}

impl Autoscaler {
    pub(super) fn new(kind: Kind, recipe: &Recipe) -> Self {
        let cpu_target = f64::from(recipe.targets.cpu.unwrap_or(60)) / 100.0;
        Self {
            kind,
            cpu_target,
            seconds: 0,
            scraped: (0.0, 0.0),
            meter: PoolMeter::default(),
            known: PoolLoad::default(),
        }
    }

    /// Looks at the fleet once a second. Scrapes come half a period before the autoscaler looks.
    pub(super) fn observe(&mut self, fleet: &mut Fleet) {
        self.seconds += 1;
        let (in_flight, queued) = fleet.pending();
        if self.seconds % PERIOD == PERIOD / 2 {
            self.scraped = (fleet.cpu(), f64::from(in_flight) + f64::from(queued));
        }
        if self.kind == Kind::Own {
            let reading = Reading { in_flight, queued, elsewhere: 0, counts: fleet.demand.counts() };
            let bounds = Bounds { set: None, slots: SLOTS, objective: OBJECTIVE };
            let replicas = Replicas { ready: fleet.ready(), elsewhere: 0.0, bounds };
            let now = Moment::from_nanos(fleet.now * 1_000_000);
            self.known = self.meter.read(now, reading, replicas, || fleet.demand.latencies());
        }
    }

    /// The replicas that the metric asks for.
    pub(super) fn recommend(&self, fleet: &Fleet) -> u32 {
        let current = fleet.replicas();
        match self.kind {
            Kind::Cpu => utilization(self.scraped.0 / self.cpu_target, fleet.ready(), current),
            Kind::Pending => average_value(self.scraped.1, PENDING_EACH, current),
            Kind::Own => average_value(
                needed(demand(&self.known.load, self.known.pace, COLD_START), self.known.carried),
                1.0,
                current,
            ),
        }
    }
}

/// A resource metric: by the ready pods, and on the way up those that are not ready count as idle.
fn utilization(ratio: f64, ready: u32, all: u32) -> u32 {
    if ready == 0 || (ratio - 1.0).abs() <= TOLERANCE {
        return all;
    }
    if ratio < 1.0 || ready == all {
        return whole(ratio * f64::from(ready)).max(if ratio > 1.0 { all } else { 0 });
    }
    let damped = ratio * f64::from(ready) / f64::from(all);
    if damped < 1.0 + TOLERANCE { all } else { whole(damped * f64::from(all)) }
}

/// An external metric with a target for each pod.
fn average_value(total: f64, target: f64, current: u32) -> u32 {
    let ratio = total / (target * f64::from(current.max(1)));
    if (ratio - 1.0).abs() <= TOLERANCE { current } else { whole(total / target) }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "few replicas, not below zero")]
fn whole(replicas: f64) -> u32 {
    replicas.max(0.0).ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changes_within_a_tenth_of_the_target() {
        for (ratio, expected) in [(0.9, 10), (1.09, 10), (0.89, 9), (1.11, 12), (2.0, 20), (0.0, 0)] {
            assert_eq!(utilization(ratio, 10, 10), expected, "CPU at {ratio} of its target");
        }
        for (total, expected) in [(91.0, 10), (109.0, 10), (89.0, 9), (111.0, 12), (300.0, 30)] {
            assert_eq!(average_value(total, 10.0, 10), expected, "{total} pending");
        }
    }

    #[test]
    fn pods_that_are_not_ready_count_as_idle_on_the_way_up_and_not_at_all_on_the_way_down() {
        // Four of eight are ready, at 1.5 times the target: as all eight at three quarters of it.
        assert_eq!(utilization(1.5, 4, 8), 8);
        assert_eq!(utilization(3.0, 4, 8), 12);
        assert_eq!(utilization(0.5, 4, 8), 2);
        assert_eq!(utilization(5.0, 0, 8), 8);
    }
}
