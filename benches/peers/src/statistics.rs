//! Figures of several rounds as one figure with its spread.

use serde::Serialize;

/// What the rounds of one figure say.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    /// A quarter of the rounds are below, and a quarter above.
    pub(crate) quartiles: [f64; 2],
    /// In the order in which they were measured.
    pub(crate) rounds: Vec<f64>,
}

impl Summary {
    /// `None` without a round: there is no figure then.
    pub(crate) fn of(rounds: Vec<f64>) -> Option<Self> {
        let mut sorted = rounds.clone();
        sorted.sort_by(f64::total_cmp);
        let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(&sorted, share));
        Some(Self { median: median?, quartiles: [low?, high?], rounds })
    }

    /// Half the distance between the quartiles: what is written after a `±`.
    pub(crate) fn spread(&self) -> f64 {
        (self.quartiles[1] - self.quartiles[0]) / 2.0
    }

    /// This figure as a share of another that was measured in the same rounds: the median of the rounds' ratios, so
    /// that what slowed a round down for both does not count.
    pub(crate) fn ratio(&self, other: &Self) -> Option<f64> {
        let ratios = self.rounds.iter().zip(&other.rounds).map(|(own, other)| own / other);
        Self::of(ratios.filter(|ratio| ratio.is_finite()).collect()).map(|ratios| ratios.median)
    }
}

/// Between the two neighbours of the place, in proportion.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a list of a few rounds"
)]
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let below = place as usize;
    let above = (below + 1).min(sorted.len() - 1);
    Some(sorted[below] + (sorted[above] - sorted[below]) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_quartiles_of_rounds() {
        let summary = Summary::of(vec![5.0, 1.0, 4.0, 2.0, 3.0]).expect("rounds");
        assert_eq!((summary.median, summary.quartiles), (3.0, [2.0, 4.0]));
        assert!(Summary::of(Vec::new()).is_none());
    }

    #[test]
    fn a_ratio_compares_within_rounds() {
        let [own, other] =
            [vec![1.0, 10.0, 3.0], vec![2.0, 20.0, 6.0]].map(|rounds| Summary::of(rounds).expect("rounds"));
        assert_eq!(own.ratio(&other), Some(0.5));
    }
}
