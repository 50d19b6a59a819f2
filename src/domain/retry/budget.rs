//! How many retries a pool's load allows.

/// Istio's `RetryBudget`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// Retries in percent of the requests that are in flight or wait.
    pub percent: f64,
    /// So many are always allowed.
    pub min_concurrency: u32,
}

impl RetryBudget {
    /// Istio's defaults, and what holds where nothing is written.
    pub const DEFAULT: Self = Self { percent: 20.0, min_concurrency: 3 };

    /// The retries allowed while `active` requests are in flight or wait.
    pub fn retries(self, active: u32) -> u32 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most `active`, since a share is at most all of it; what is cut off is no whole retry"
        )]
        let share = (self.percent / 100.0 * f64::from(active)) as u32;
        share.max(self.min_concurrency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_share_of_what_is_active_and_never_less_than_its_minimum() {
        let budget = RetryBudget { percent: 20.0, min_concurrency: 3 };
        for (active, retries) in [(0, 3), (15, 3), (19, 3), (20, 4), (1000, 200), (u32::MAX, 858_993_459)] {
            assert_eq!(budget.retries(active), retries, "{active}");
        }
        assert_eq!(RetryBudget { percent: 0.0, min_concurrency: 1 }.retries(1000), 1);
    }
}
