//! How long the measured instances take, and how many requests one of them computes at once.
//!
//! Owns the figures of one GPU and one CPU instance and the distribution fitted to them. Never waits and draws no
//! chance: uniform numbers are arguments.

use std::time::Duration;

use crate::domain::Tier;

/// What was measured of one instance, a T4 with 8 cores: the operators' own figures, in both modes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Profile {
    /// The median time of an answer.
    pub(super) p50: Duration,
    /// The 99th percentile of it.
    pub(super) p99: Duration,
    /// Requests a second when the instance is saturated.
    pub(super) rate: f64,
    /// Requests inside the instance, computing and waiting together, above which it answers 503.
    pub(super) limit: usize,
}

const GPU: Profile =
    Profile { p50: Duration::from_millis(12), p99: Duration::from_millis(28), rate: 850.0, limit: 200 };
/// At 8 requests per core of the 8.
const CPU: Profile = Profile { p50: Duration::from_millis(45), p99: Duration::from_millis(85), rate: 120.0, limit: 64 };

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874;

impl Profile {
    /// The instance that serves `tier`; the local tier has none, since it is not emulated.
    pub(super) const fn of(tier: Tier) -> Option<Self> {
        match tier {
            Tier::Gpu => Some(GPU),
            Tier::Cpu => Some(CPU),
            Tier::Local => None,
        }
    }

    /// The distribution of its service time.
    pub(super) fn service_time(&self) -> ServiceTime {
        ServiceTime::fit(self.p50, self.p99)
    }

    /// Requests computed at once: by Little's law, what the rate and the mean service time need, rounded up.
    pub(super) fn concurrency(&self) -> u32 {
        let needed = self.rate * self.service_time().mean().as_secs_f64();
        (1..=1024).find(|places| f64::from(*places) >= needed).unwrap_or(1024)
    }
}

/// A log-normal distribution: service times are positive and skewed, and two percentiles fix both its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ServiceTime {
    median: f64,
    sigma: f64,
}

impl ServiceTime {
    /// The distribution with this median and this 99th percentile.
    pub(super) fn fit(p50: Duration, p99: Duration) -> Self {
        let (p50, p99) = (p50.as_secs_f64(), p99.as_secs_f64());
        Self { median: p50, sigma: (p99 / p50).ln() / Z99 }
    }

    /// The mean: over the median, since the tail is long.
    pub(super) fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.median * (self.sigma * self.sigma / 2.0).exp())
    }

    /// One service time, from two numbers uniform in `0..1` (the Box-Muller transform).
    pub(super) fn draw(&self, one: f64, two: f64) -> Duration {
        let radius = (-2.0 * (1.0 - one).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * two).cos();
        Duration::from_secs_f64(self.median * (self.sigma * normal).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_times_have_the_measured_percentiles() {
        let mut random = fastrand::Rng::with_seed(11);
        for profile in [GPU, CPU] {
            let service = profile.service_time();
            let mut times: Vec<_> = (0..100_000).map(|_| service.draw(random.f64(), random.f64())).collect();
            times.sort_unstable();
            let close =
                |drawn: Duration, meant: Duration| (drawn.as_secs_f64() / meant.as_secs_f64() - 1.0).abs() < 0.02;
            assert!(close(times[50_000], profile.p50), "{:?}", times[50_000]);
            assert!(close(times[99_000], profile.p99), "{:?}", times[99_000]);
            assert!(close(times.iter().sum::<Duration>() / 100_000, service.mean()));
        }
    }

    #[test]
    fn the_extremes_of_chance_stay_finite() {
        for (one, two) in [(0.0, 0.0), (0.0, 0.5), (1.0 - f64::EPSILON, 0.5)] {
            assert!(GPU.service_time().draw(one, two) < Duration::from_secs(1), "{one} {two}");
        }
    }

    #[test]
    fn concurrency_follows_from_rate_and_service_time() {
        assert_eq!([GPU, CPU].map(|profile| profile.concurrency()), [11, 6]);
    }
}
