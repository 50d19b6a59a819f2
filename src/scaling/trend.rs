//! How fast arrivals grow, as far as its course bears it out.

/// Fewer slices say nothing of a course.
const LEAST: usize = 5;

/// The slope of a course, in its unit a second: the least squares line through `slices`, each so many seconds and a mean,
/// times the square of the share of the variance that the line explains. A ramp is believed in whole, noise not at all, and
/// a step, which no line explains well, to a third: what has jumped once need not jump again.
pub(super) fn growth(slices: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    if slices.clone().count() < LEAST {
        return 0.0;
    }
    let mut end = 0.0;
    let points = slices.map(|(seconds, mean)| {
        end += seconds;
        (end - seconds / 2.0, mean)
    });
    let points: Vec<(f64, f64)> = points.collect();
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
    let explained = both * both / (times * values);
    both / times * explained.powi(2)
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
        assert!((of((0..60).map(|second| 3.0 * f64::from(second))) - 3.0).abs() < 1e-9);
        assert!((of((0..60).map(|second| -f64::from(second))) + 1.0).abs() < 1e-9);
        assert!(of(noise.iter().copied()).abs() < 0.05);
        assert!(of((0..60).map(|_| 5.0)).abs() < 1e-9);
    }

    #[test]
    fn a_step_is_believed_in_part_and_a_beginning_not_at_all() {
        let step = of((0..60).map(|second| if second < 45 { 0.0 } else { 100.0 }));
        assert!((0.1..1.0).contains(&step), "{step}");
        assert!(of((0..4).map(f64::from)).abs() < 1e-9);
    }
}
