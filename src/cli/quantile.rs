//! Quantiles of a histogram, as Prometheus' `histogram_quantile` estimates them.

use std::collections::BTreeMap;

/// A cumulative histogram: how many observations were at or below each upper bound, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Buckets(BTreeMap<u64, f64>);

impl Buckets {
    /// Adds `count` observations at or below `bound`. Bounds below zero are none of a latency's and are left out.
    pub(super) fn add(&mut self, bound: f64, count: f64) {
        if bound >= 0.0 {
            // The bits of positive floating-point numbers sort as the numbers do.
            *self.0.entry(bound.to_bits()).or_default() += count;
        }
    }

    /// What was observed after `before`, an earlier reading of the same histogram.
    pub(super) fn since(&self, before: &Self) -> Self {
        let earlier = |bound: &u64| before.0.get(bound).copied().unwrap_or_default();
        Self(self.0.iter().map(|(bound, count)| (*bound, (count - earlier(bound)).max(0.0))).collect())
    }

    /// Adds every observation of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(bound, count)| self.add(f64::from_bits(*bound), *count));
    }

    /// The value below which a share `q` of the observations lies, in seconds, taking them as spread evenly inside a
    /// bucket. `None` where nothing was observed. What lies above the last finite bound is given as that bound.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let total = *self.0.values().next_back()?;
        if total <= 0.0 {
            return None;
        }
        let rank = q * total;
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            let bound = f64::from_bits(*bound);
            if *count >= rank {
                let inside = count - below;
                let finite = bound.is_finite() && inside > 0.0;
                return Some(if finite { lower + (bound - lower) * (rank - below) / inside } else { lower });
            }
            (lower, below) = (bound, *count);
        }
        Some(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: &[(f64, f64)]) -> Buckets {
        let mut buckets = Buckets::default();
        for (bound, count) in pairs {
            buckets.add(*bound, *count);
        }
        buckets
    }

    #[test]
    fn a_quantile_is_interpolated_as_prometheus_does() {
        let latency = buckets(&[(0.01, 50.0), (0.02, 90.0), (0.05, 100.0), (f64::INFINITY, 100.0)]);
        // Each expectation is what histogram_quantile gives: lower + width * (rank - below) / inside.
        for (q, seconds) in [(0.25, 0.005), (0.5, 0.01), (0.7, 0.015), (0.99, 0.047), (1.0, 0.05)] {
            let found = latency.quantile(q).expect("observations");
            assert!((found - seconds).abs() < 1e-9, "{q}: {found}");
        }
    }

    #[test]
    fn the_edges_hold() {
        assert_eq!(Buckets::default().quantile(0.5), None);
        assert_eq!(buckets(&[(0.1, 0.0), (f64::INFINITY, 0.0)]).quantile(0.5), None);
        assert_eq!(buckets(&[(0.1, 1.0), (f64::INFINITY, 10.0)]).quantile(0.99), Some(0.1));
        assert_eq!(buckets(&[(-1.0, 1.0)]), Buckets::default());
    }

    #[test]
    fn a_difference_is_what_came_between() {
        let before = buckets(&[(0.1, 5.0), (f64::INFINITY, 6.0)]);
        let mut now = buckets(&[(0.1, 5.0), (f64::INFINITY, 6.0)]);
        now.merge(&buckets(&[(0.1, 0.0), (1.0, 4.0), (f64::INFINITY, 4.0)]));
        assert_eq!(now.since(&before), buckets(&[(0.1, 0.0), (1.0, 4.0), (f64::INFINITY, 4.0)]));
    }
}
