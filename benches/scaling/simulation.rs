//! A day of load on a pool that an autoscaler follows.
//!
//! Requests are single ones: they arrive by chance, wait for a slot, are slower the more a replica has at once, and are late or
//! refused. Replicas start cold. What is measured of them feeds the autoscaler, as late as it would be in a cluster.

mod autoscaler;
mod days;
mod fleet;
mod hpa;

use overspill::domain::Preset;

pub(crate) use autoscaler::Kind;
pub(crate) use days::Day;

use autoscaler::Autoscaler;
use fleet::Fleet;
use hpa::Hpa;

/// Ticks of the clock in a second.
const TICKS: u32 = 10;
/// The `HorizontalPodAutoscaler`'s sync period, and the interval at which clusters scrape, in seconds.
const PERIOD: u32 = 15;

/// What came of a day.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Requests.
    pub requests: u64,
    /// Those that were answered beyond the objective.
    pub late: u64,
    /// Those that were not served.
    pub refused: u64,
    /// Hours of replicas, cold ones among them.
    pub replica_hours: f64,
    /// Once a minute: requests a second, replicas, and requests late or refused.
    pub course: Vec<(f64, f64, f64)>,
}

impl Outcome {
    /// The share of requests that were late or refused.
    #[allow(clippy::cast_precision_loss, reason = "requests of a day are far below 2^53")]
    pub(crate) fn failed(&self) -> f64 {
        (self.late + self.refused) as f64 / self.requests.max(1) as f64
    }

    /// Adds another day; the course stays that of the first.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.late += other.late;
        self.refused += other.refused;
        self.replica_hours += other.replica_hours;
        if self.course.is_empty() {
            self.course.clone_from(&other.course);
        }
    }
}

/// Plays `seconds` of `day` before an autoscaler, by the bounds, the CPU target and the policies of the preset `online`; the
/// same seed is the same day.
pub(crate) fn play(day: &Day, kind: Kind, seconds: u32, seed: u64) -> Outcome {
    let recipe = Preset::Online.recipe();
    let mut fleet = Fleet::new(8, seed);
    let mut hpa = Hpa::new(recipe);
    let mut autoscaler = Autoscaler::new(kind, &recipe);
    let mut outcome = Outcome::default();
    for second in 0..seconds {
        let rate = day.rate(second, seconds);
        for _ in 0..TICKS {
            fleet.tick(rate / f64::from(TICKS), &mut outcome);
        }
        autoscaler.observe(&mut fleet);
        if second % PERIOD == PERIOD - 1 {
            let wanted = autoscaler.recommend(&fleet);
            fleet.scale(hpa.decide(f64::from(second), fleet.replicas(), wanted));
        }
        outcome.replica_hours += f64::from(fleet.replicas()) / 3600.0;
        if second % 60 == 0 {
            let failed = outcome.course.iter().map(|(_, _, failed)| failed).sum::<f64>();
            #[allow(clippy::cast_precision_loss, reason = "requests of a day are far below 2^53")]
            let now = (outcome.late + outcome.refused) as f64;
            outcome.course.push((rate, f64::from(fleet.replicas()), now - failed));
        }
    }
    outcome
}
