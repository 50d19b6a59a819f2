//! What an endpoint that is new gets of its share, as in Envoy's slow start.

use std::time::Duration;

use crate::domain::Warmup;

/// Whether an endpoint that has been known for `age` takes the request that `draw`, a number uniform over all of `u64`,
/// stands for.
pub(super) fn takes(warmup: &Warmup, age: Duration, draw: u64) -> bool {
    age >= warmup.duration || unit(draw) < factor(warmup, age)
}

/// The part of its share that an endpoint gets, from its least at first to the whole.
fn factor(warmup: &Warmup, age: Duration) -> f64 {
    let time = age.as_secs_f64() / warmup.duration.as_secs_f64();
    time.powf(warmup.aggression.recip()).clamp(warmup.minimum_percent / 100.0, 1.0)
}

/// `draw` as a fraction, from 0 to below 1.
#[expect(clippy::cast_precision_loss, reason = "what is cast has 53 bits, as many as a float holds")]
fn unit(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_grows_from_its_least_to_the_whole() {
        // Seconds of a hundred, least percent, aggression; the part.
        let cases = [
            (0, 10.0, 1.0, 0.1),
            (5, 10.0, 1.0, 0.1),
            (50, 10.0, 1.0, 0.5),
            (25, 10.0, 2.0, 0.5),
            (50, 80.0, 1.0, 0.8),
            (0, 0.0, 1.0, 0.0),
            (100, 10.0, 1.0, 1.0),
        ];
        for (age, minimum_percent, aggression, expected) in cases {
            let warmup = Warmup { duration: Duration::from_secs(100), minimum_percent, aggression };
            let part = factor(&warmup, Duration::from_secs(age));
            assert!((part - expected).abs() < 1e-9, "{age} s: {part}");
        }
    }

    #[test]
    fn an_endpoint_takes_its_part_of_the_draws_and_then_all() {
        let warmup = Warmup { duration: Duration::from_secs(10), minimum_percent: 10.0, aggression: 1.0 };
        let draws = [0, u64::MAX / 4, u64::MAX / 2, u64::MAX];
        let taken = |seconds| draws.map(|draw| takes(&warmup, Duration::from_secs(seconds), draw));
        assert_eq!(taken(0), [true, false, false, false]);
        assert_eq!(taken(3), [true, true, false, false]);
        assert_eq!(taken(10), [true; 4]);
    }
}
