//! What the `RoutePolicy` of a rule says.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::answer::milliseconds;
use crate::domain::{Priority, RateLimit, RateLimitKey, RoutePolicy, format_duration};
use crate::snapshot::{PoolId, RouteId, Snapshot};

/// The policy, as JSON.
pub(super) fn described(policy: &RoutePolicy) -> Value {
    json!({
        "document": policy.document,
        "priority": policy.priority.as_str(),
        "latency_objective_ms": policy.latency_objective.map(milliseconds),
        "rate_limits": policy.rate_limits.iter().map(rate_limit).collect::<Vec<_>>(),
    })
}

/// What becomes of a request that finds `pool`, the choice of `route`, full, where a latency objective decides that.
pub(super) fn print_wait(
    snapshot: &Snapshot,
    (route, pool): (RouteId, PoolId),
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(objective) = snapshot.objective(Some(route), pool) else { return Ok(()) };
    let objective = format_duration(objective);
    match snapshot.overflow(pool).len() {
        1 => Ok(()),
        _ => writeln!(out, "    when full: spills, unless waiting alone keeps the latency objective of {objective}"),
    }
}

fn rate_limit(limit: &RateLimit) -> Value {
    let (header, source_ip) = match &limit.key {
        Some(RateLimitKey::Header(name)) => (Some(name.as_str()), false),
        Some(RateLimitKey::SourceIp) => (None, true),
        None => (None, false),
    };
    json!({
        "name": limit.name,
        "requests": limit.requests,
        "window_ms": milliseconds(limit.window),
        "burst": limit.burst,
        "key": limit.key.as_ref().map(|_| json!({ "http_header_name": header, "use_source_ip": source_ip })),
    })
}

/// One line for each thing that it says.
pub(super) fn print(policy: &RoutePolicy, out: &mut impl Write) -> io::Result<()> {
    if policy.priority != Priority::default() {
        writeln!(out, "  priority {} where requests wait ({})", policy.priority, policy.document)?;
    }
    for limit in &policy.rate_limits {
        let counted = match &limit.key {
            Some(RateLimitKey::Header(name)) => format!(" for each value of {name}"),
            Some(RateLimitKey::SourceIp) => " for each client address".to_owned(),
            None => String::new(),
        };
        let RateLimit { name, requests, window, burst, .. } = limit;
        let window = format_duration(*window);
        writeln!(out, "  rate limit {name}: {requests} in {window}, {burst} at once{counted} ({})", policy.document)?;
    }
    Ok(())
}
