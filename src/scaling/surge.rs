//! How much arrivals rise within a minute: what no autoscaler follows, since a replica takes as long to start.

use std::collections::VecDeque;
use std::time::Duration;

/// A surge is remembered for this long by half: it may come again within hours, as what is run by the clock does.
const HALF_LIFE: Duration = Duration::from_hours(4);

/// What arrivals did within the last minute, and the most that they ever did.
#[derive(Debug, Default)]
pub(super) struct Surge {
    /// Seconds, and arrivals a second, of which each is a mean already.
    rates: VecDeque<(f64, f64)>,
    rise: f64,
    most: f64,
}

impl Surge {
    /// Notes that requests came at `rate` a second, as the mean at the end of `seconds`; `window` is how long a rise may take.
    pub(super) fn observe(&mut self, seconds: f64, rate: f64, window: Duration) {
        self.rates.push_back((seconds, rate));
        let mut covered: f64 = self.rates.iter().map(|(seconds, _)| seconds).sum();
        while covered > window.as_secs_f64() + 0.5 {
            covered -= self.rates.pop_front().map_or(covered, |(seconds, _)| seconds);
        }
        let least = self.rates.iter().map(|(_, rate)| *rate).fold(rate, f64::min);
        self.rise = rate - least;
        self.most = (self.most * 0.5_f64.powf(seconds / HALF_LIFE.as_secs_f64())).max(self.rise);
    }

    /// By how much arrivals have risen within the window.
    pub(super) fn rise(&self) -> f64 {
        self.rise
    }

    /// The most that they rose within a window, as far as it is remembered.
    pub(super) fn most(&self) -> f64 {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn play(surge: &mut Surge, rates: impl Iterator<Item = f64>) {
        rates.for_each(|rate| surge.observe(1.0, rate, MINUTE));
    }

    #[test]
    fn what_rose_within_a_minute_is_a_surge_and_what_rose_slowly_is_a_small_one() {
        /// Arrivals a second, by the second.
        type Course = fn(f64) -> f64;
        let cases: [(Course, f64); 4] = [
            (|_| 100.0, 0.0),
            (|second| if second < 150.0 { 100.0 } else { 300.0 }, 200.0),
            (|second| 100.0 + second, 59.0),
            (|second| 500.0 - second, 0.0),
        ];
        for (course, expected) in cases {
            let mut surge = Surge::default();
            play(&mut surge, (0..300).map(|second| course(f64::from(second))));
            assert!((surge.most() - expected).abs() < 3.0, "{} for {expected}", surge.most());
        }
    }

    #[test]
    fn a_surge_is_over_after_a_minute_and_remembered_for_hours() {
        let mut surge = Surge::default();
        play(&mut surge, (0..200).map(|second| if second < 100 { 100.0 } else { 300.0 }));
        assert!(surge.rise().abs() < 1e-9 && surge.most() > 199.0, "{surge:?}");
        play(&mut surge, (0..4 * 3600).map(|_| 300.0));
        assert!((surge.most() - 100.0).abs() < 1.0, "{}", surge.most());
    }
}
