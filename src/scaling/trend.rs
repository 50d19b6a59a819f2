//! How fast arrivals grow, as far as its course bears it out.

/// Fewer slices say nothing of a course.
const LEAST: usize = 5;
/// Standard errors that a slope is off by where it is chance: one in twenty is more.
const CHANCE: f64 = 2.0;
/// By this share of them arrivals stray from second to second for other reasons than chance.
const STRAY: f64 = 0.05;

/// The slope of a course, in its unit a second: the least squares line through `slices`, each so many seconds and the events a
/// second in it, as far as it can be believed. Chance alone makes independent events differ by their own number (Poisson), and
/// [`STRAY`] is allowed for beside it. Of a slope that is within [`CHANCE`] of its own error nothing is left; what lies beyond
/// is believed in whole where no more than that is left beside the line, else by the square of its share of it. So a ramp is
/// believed, noise is not, and a step, which is no line, hardly: what has jumped once need not jump again.
pub(super) fn growth(slices: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let mut end = 0.0;
    let points: Vec<(f64, f64)> = slices
        .map(|(seconds, rate)| {
            end += seconds;
            (end - seconds / 2.0, rate)
        })
        .collect();
    if points.len() < LEAST {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "there are as many as seconds in a window")]
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (middle, level) = (mean(|point| point.0), mean(|point| point.1));
    let (mut times, mut both, mut values) = (0.0, 0.0, 0.0);
    for (time, value) in &points {
        times += (time - middle).powi(2);
        both += (time - middle) * (value - level);
        values += (value - level).powi(2);
    }
    if times <= 0.0 || values <= 0.0 {
        return 0.0;
    }
    let slope = both / times;
    let beside = (values - slope * both).max(0.0) / (count - 2.0);
    let chance = level.max(0.0) * count / end + (STRAY * level).powi(2);
    let error = beside.max(chance) / times;
    let certain = (1.0 - CHANCE.powi(2) * error / slope.powi(2)).max(0.0);
    slope * certain * (chance / beside.max(f64::MIN_POSITIVE)).min(1.0).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl Iterator<Item = f64> + Clone) -> f64 {
        growth(values.map(|value| (1.0, value)))
    }

    #[test]
    fn a_ramp_is_believed_and_noise_is_not() {
        let mut random = fastrand::Rng::with_seed(1);
        let noise: Vec<f64> = (0..60).map(|_| 100.0 + 20.0 * (random.f64() - 0.5)).collect();
        let ramp = |slope: f64| of((0..60).map(|second| 200.0 + slope * f64::from(second)));
        assert!((2.9..=3.0).contains(&ramp(3.0)) && (-3.0..-2.9).contains(&ramp(-3.0)), "{}", ramp(3.0));
        assert!(of(noise.iter().copied()).abs() < 0.05);
        assert!(of((0..60).map(|_| 5.0)).abs() < 1e-9);
    }

    #[test]
    fn a_step_is_hardly_believed_and_a_beginning_not_at_all() {
        let step = of((0..60).map(|second| if second < 45 { 100.0 } else { 200.0 }));
        assert!((0.0..0.3).contains(&step), "{step}");
        assert!(of((0..4).map(f64::from)).abs() < 1e-9);
    }
}
