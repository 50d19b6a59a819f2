//! A `RoutePolicy` as JSON.

use serde_json::{Value, json};

use crate::domain::{RateLimit, RateLimitKey, RoutePolicy, format_duration};

/// The whole policy.
pub(super) fn dump(policy: &RoutePolicy) -> Value {
    json!({
        "document": policy.document,
        "priority": policy.priority.as_str(),
        "latencyObjective": policy.latency_objective.map(format_duration),
        "rateLimits": policy.rate_limits.iter().map(rate_limit).collect::<Vec<_>>(),
    })
}

fn rate_limit(limit: &RateLimit) -> Value {
    json!({
        "name": limit.name,
        "requests": limit.requests,
        "window": format_duration(limit.window),
        "burst": limit.burst,
        "key": limit.key.as_ref().map(|key| match key {
            RateLimitKey::Header(name) => json!({ "httpHeaderName": name.as_str() }),
            RateLimitKey::SourceIp => json!({ "useSourceIp": true }),
        }),
    })
}
