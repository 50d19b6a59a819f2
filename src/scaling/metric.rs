//! The figures that an autoscaler can ask for by name, each with what one replica is to have of it.

use super::report::PoolReport;

/// Requests that a replica may have pending where its document does not say: the figure of the preset `custom`.
const PENDING_EACH: f64 = 50.0;

/// A figure of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// The replicas that the demand needs; one replica is one.
    DesiredReplicas,
    /// The concurrency to have replicas for; one carries what was learned or set.
    Concurrency,
    /// Requests a second; one takes what the document says, or else what it takes now.
    RequestsPerSecond,
    /// Requests accepted and not yet answered.
    PendingRequests,
}

impl Metric {
    /// Each of them.
    pub const ALL: [Self; 4] =
        [Self::DesiredReplicas, Self::Concurrency, Self::RequestsPerSecond, Self::PendingRequests];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DesiredReplicas => "desired_replicas",
            Self::Concurrency => "concurrency",
            Self::RequestsPerSecond => "requests_per_second",
            Self::PendingRequests => "pending_requests",
        }
    }

    /// The metric of this name. Kubernetes and KEDA write hyphens where a name would hold anything else.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == name.replace('-', "_"))
    }

    /// Its value for a pool, of all replicas together.
    pub fn value(self, pool: &PoolReport) -> f64 {
        match self {
            Self::DesiredReplicas => {
                pool.needed.max(f64::from(pool.terms.min_replicas)).min(f64::from(pool.terms.max_replicas))
            }
            Self::Concurrency => pool.demand,
            Self::RequestsPerSecond => pool.load.arrivals_per_second,
            Self::PendingRequests => f64::from(pool.pending()) + f64::from(pool.load.spilled),
        }
    }

    /// What one replica is to have of it; over zero.
    pub fn target(self, pool: &PoolReport) -> f64 {
        match self {
            Self::DesiredReplicas => 1.0,
            Self::Concurrency => rounded(pool.carried),
            Self::RequestsPerSecond => {
                let measured = pool.load.arrivals_per_second / pool.needed;
                let target = pool.targets.requests_per_second.unwrap_or(rounded(measured));
                if target.is_finite() && target > 0.0 { target } else { 1.0 }
            }
            Self::PendingRequests => pool.targets.pending_requests.map_or(PENDING_EACH, f64::from),
        }
    }
}

/// To two digits: a target that moved with every answer would have the autoscaler's object written again and again.
fn rounded(target: f64) -> f64 {
    if !target.is_finite() || target <= 0.0 {
        return 1.0;
    }
    let unit = 10_f64.powf(target.log10().floor() - 1.0);
    (target / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_as_kubernetes_writes_them() {
        for metric in Metric::ALL {
            assert_eq!(Metric::named(metric.as_str()), Some(metric));
            assert_eq!(Metric::named(&metric.as_str().replace('_', "-")), Some(metric));
        }
        assert_eq!(Metric::named("cpu"), None);
    }

    #[test]
    fn targets_have_two_digits() {
        for (target, expected) in [(13.37, 13.0), (8.76, 8.8), (0.0, 1.0), (f64::NAN, 1.0), (1234.0, 1200.0)] {
            assert!((rounded(target) - expected).abs() < 1e-9, "{target}");
        }
    }
}
