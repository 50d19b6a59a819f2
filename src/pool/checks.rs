//! From the results of health checks to whether an endpoint is healthy, as Envoy counts them.

use crate::domain::HealthCheck;

/// What one health check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CheckResult {
    /// The endpoint says that it is well.
    Passed,
    /// It says that it is not.
    Failed,
    /// It said nothing in time, or what counts as nothing.
    Lost,
}

impl CheckResult {
    /// Every result.
    pub const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::Lost];

    /// The word for it in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }
}

/// The health checks of one endpoint so far.
#[derive(Clone, Copy, Debug)]
pub struct CheckTally {
    healthy: bool,
    first: bool,
    passed: u32,
    lost: u32,
}

impl CheckTally {
    /// That of an endpoint which no check has reached yet: the first decides.
    pub const UNCHECKED: Self = Self { healthy: false, first: true, passed: 0, lost: 0 };
    /// That of one which has failed its checks.
    pub const UNHEALTHY: Self = Self { healthy: false, first: false, passed: 0, lost: 0 };
    /// That of one which took requests before it was checked.
    pub const HEALTHY: Self = Self { healthy: true, first: false, passed: 0, lost: 0 };

    /// Whether the endpoint is healthy.
    pub const fn is_healthy(&self) -> bool {
        self.healthy
    }

    /// Notes a result. An endpoint that says itself that it is not well is believed at once; one that says nothing is
    /// unhealthy after several such checks in a row. Several good ones in a row make it healthy, and the very first does
    /// so alone.
    pub fn note(&mut self, check: &HealthCheck, result: CheckResult) {
        match result {
            CheckResult::Passed => {
                self.lost = 0;
                self.passed = self.passed.saturating_add(1);
                self.healthy |= self.first || self.passed >= check.healthy_threshold.get();
            }
            CheckResult::Failed | CheckResult::Lost => {
                self.passed = 0;
                self.lost = self.lost.saturating_add(1);
                self.healthy &= result == CheckResult::Lost && self.lost < check.unhealthy_threshold.get();
            }
        }
        self.first = false;
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::CheckResult::{Failed, Lost, Passed};
    use super::*;
    use crate::domain::CheckKind;

    #[test]
    fn thresholds_decide_as_in_envoy() {
        let second = Duration::from_secs(1);
        let check = HealthCheck {
            kind: CheckKind::Grpc { service: String::new(), authority: None },
            interval: second,
            unhealthy_interval: second,
            no_traffic_interval: None,
            timeout: second,
            unhealthy_threshold: NonZeroU32::new(3).expect("not zero"),
            healthy_threshold: NonZeroU32::new(2).expect("not zero"),
        };
        let cases: [(CheckTally, &[CheckResult], &[bool]); 6] = [
            (CheckTally::UNCHECKED, &[Passed], &[true]),
            (CheckTally::UNCHECKED, &[Lost, Passed, Passed], &[false, false, true]),
            (CheckTally::UNCHECKED, &[Failed, Passed, Lost, Passed, Passed], &[false, false, false, false, true]),
            (CheckTally::HEALTHY, &[Lost, Lost, Lost, Passed, Passed], &[true, true, false, false, true]),
            (CheckTally::HEALTHY, &[Lost, Lost, Passed, Lost, Lost], &[true; 5]),
            (CheckTally::HEALTHY, &[Failed, Passed], &[false, false]),
        ];
        for (mut tally, results, expected) in cases {
            let healthy = results.iter().map(|result| {
                tally.note(&check, *result);
                tally.is_healthy()
            });
            assert_eq!(healthy.collect::<Vec<_>>(), expected, "{results:?}");
        }
    }
}
