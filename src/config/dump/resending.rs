//! Retries and mirrors as JSON.

use serde_json::{Value, json};

use crate::config::checked::{Mirror, Pool};
use crate::domain::{RetryCondition, RetryPolicy, format_duration};

pub(super) fn retries(policy: &RetryPolicy) -> Value {
    let statuses: Vec<u16> = policy.statuses.iter().map(http::StatusCode::as_u16).collect();
    json!({
        "attempts": policy.retries,
        "perTryTimeout": policy.per_try_timeout.map(format_duration),
        "retryOn": policy.on.iter().map(RetryCondition::as_str).collect::<Vec<_>>(),
        "statusCodes": statuses,
        "backoff": format_duration(policy.backoff),
        "retryRemoteLocalities": policy.remote_localities,
        "retryIgnorePreviousHosts": policy.avoid_tried,
    })
}

pub(super) fn mirror(mirror: &Mirror, pools: &[Pool]) -> Value {
    json!({
        "pool": pools.get(mirror.pool.0).map(|pool| pool.key.to_string()),
        "percentage": mirror.share.percent(),
    })
}
