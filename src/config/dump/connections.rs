//! What a pool's connections and retries are held to, as JSON.

use serde_json::{Value, json};

use crate::domain::{ConnectionPool, Keepalive, RetryBudget, TrafficPolicy, format_duration};

pub(super) fn connections(pool: &ConnectionPool) -> Value {
    let settings = &pool.settings;
    json!({
        "idleTimeout": settings.idle_timeout.map(format_duration),
        "maxConnectionDuration": settings.max_duration.map(format_duration),
        "maxConcurrentStreams": settings.max_streams,
        "tcpKeepalive": settings.keepalive.map(keepalive),
        "useClientProtocol": pool.uses_client_protocol,
    })
}

fn keepalive(keepalive: Keepalive) -> Value {
    json!({
        "probes": keepalive.probes,
        "time": keepalive.time.map(format_duration),
        "interval": keepalive.interval.map(format_duration),
    })
}

pub(super) fn retries(traffic: &TrafficPolicy) -> Value {
    let most = traffic.connection_pool.max_retries;
    let budget = traffic.retry_budget.or(most.is_none().then_some(RetryBudget::DEFAULT));
    json!({
        "maxRetries": most,
        "retryBudget": budget.map(|budget| json!({
            "percent": budget.percent,
            "minRetryConcurrency": budget.min_concurrency,
        })),
    })
}
