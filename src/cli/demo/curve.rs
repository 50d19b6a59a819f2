//! How the offered rate rises and falls.

use std::f64::consts::TAU;
use std::time::Duration;

/// A rate that swings between two values as a cosine does, beginning at the lower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Curve {
    /// The lowest rate, in requests a second.
    pub(super) trough: f64,
    /// The highest.
    pub(super) peak: f64,
    /// From one trough to the next.
    pub(super) period: Duration,
}

impl Curve {
    /// Requests a second at `elapsed`.
    pub(super) fn rate_at(&self, elapsed: Duration) -> f64 {
        let turn = elapsed.as_secs_f64() / self.period.as_secs_f64();
        self.trough + (self.peak - self.trough) * (1.0 - (TAU * turn).cos()) / 2.0
    }

    /// When the next request comes after one at `elapsed`, for `uniform` in `0..1`: exponential gaps make a Poisson
    /// process, which is how independent clients arrive.
    pub(super) fn next_arrival(&self, elapsed: Duration, uniform: f64) -> Duration {
        // A trough of nothing would wait for ever, so that the later rise would be missed.
        let rate = self.rate_at(elapsed).max(0.1);
        elapsed + Duration::from_secs_f64(-(1.0 - uniform).ln() / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVE: Curve = Curve { trough: 100.0, peak: 500.0, period: Duration::from_secs(40) };

    #[test]
    fn the_rate_swings_between_trough_and_peak() {
        for (seconds, rate) in [(0, 100.0), (10, 300.0), (20, 500.0), (30, 300.0), (40, 100.0), (60, 500.0)] {
            let at = CURVE.rate_at(Duration::from_secs(seconds));
            assert!((at - rate).abs() < 1e-6, "{seconds} s: {at}");
        }
    }

    #[test]
    fn arrivals_come_at_the_rate_of_the_moment() {
        let mut random = fastrand::Rng::with_seed(3);
        let (mut elapsed, mut arrivals) = (Duration::ZERO, 0_u32);
        while elapsed < CURVE.period * 10 {
            elapsed = CURVE.next_arrival(elapsed, random.f64());
            arrivals += 1;
        }
        // The mean rate is 300: 120,000 in 400 s, and 5 standard deviations of a Poisson count are 1,732.
        assert!((118_268..121_732).contains(&arrivals), "{arrivals}");
    }
}
