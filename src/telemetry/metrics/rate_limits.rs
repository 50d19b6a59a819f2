//! What rate limits count, beside their buckets.

use prometheus::proto::MetricFamily;

use super::scrape::whole;
use crate::telemetry::family::{counters, gauges};
use crate::telemetry::names;

/// What one rate limit has refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitCount {
    /// The document, as `RoutePolicy namespace/name`.
    pub policy: Box<str>,
    /// The limit's name in it.
    pub limit: Box<str>,
    /// Requests refused since the limit began.
    pub refused: u64,
}

/// What the rate limits in force have counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimitCounts {
    /// By limit.
    pub refused: Vec<RateLimitCount>,
    /// The keys that have a bucket now.
    pub tracked_keys: u64,
    /// The keys that were forgotten before their buckets were full again.
    pub evicted_keys: u64,
}

impl RateLimitCounts {
    /// Its series; none where there are no rate limits.
    pub(super) fn collect(&self) -> Vec<MetricFamily> {
        if self.refused.is_empty() {
            return Vec::new();
        }
        let refused = self.refused.iter().map(|count| {
            let policy = count.policy.strip_prefix("RoutePolicy ").unwrap_or(&count.policy);
            ([policy, &*count.limit], whole(count.refused))
        });
        vec![
            counters(&names::RATE_LIMITED, refused),
            gauges(&names::RATE_LIMIT_KEYS, [([], whole(self.tracked_keys))]),
            counters(&names::RATE_LIMIT_KEYS_EVICTED, [([], whole(self.evicted_keys))]),
        ]
    }
}
