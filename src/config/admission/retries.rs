//! `HTTPRetry`.

use super::judge::Judge;
use super::spot::Spot;

/// Envoy's conditions for HTTP and gRPC.
const CONDITIONS: [&str; 16] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

pub(super) fn judge(judge: &mut Judge<'_>, retries: &Spot<'_>) {
    if !retries.is_set() {
        return;
    }
    let (attempts, retry_on) = (retries.at("attempts"), retries.at("retryOn"));
    if attempts.int() < 0 {
        judge.reject(&attempts, "The attempts cannot be negative.", "Write 0 or more.");
    }
    let configured = retries.at("perTryTimeout").is_set()
        || !retry_on.text().is_empty()
        || retries.at("retryRemoteLocalities").is_set();
    if attempts.int() == 0 && configured {
        let message = "Retries are configured although the attempts are 0, which disables them.";
        judge.miss(retries, message, "Add `attempts`, or leave it alone.");
    }
    judge.duration(&retries.at("perTryTimeout"));
    judge.duration(&retries.at("backoff"));
    // Istio parts the conditions at commas alone: a blank is part of a condition, and so wrong.
    for condition in retry_on.text().split(',').filter(|_| !retry_on.text().is_empty()) {
        if !CONDITIONS.contains(&condition) && !is_status(condition) {
            let message = format!("`{condition}` is not a valid retryOn policy.");
            let cure =
                format!("Write a status, or some of {}, parted by commas without blanks.", CONDITIONS.join(", "));
            judge.reject(&retry_on, message, cure);
        }
    }
}

/// A status that has a name (Go's `http.StatusText`).
fn is_status(condition: &str) -> bool {
    let named = |status: i64| {
        matches!(status, 100..=103 | 200..=208 | 226 | 300..=305 | 307 | 308 | 400..=418 | 421..=426)
            || matches!(status, 428 | 429 | 431 | 451 | 500..=508 | 510 | 511)
    };
    condition.parse().is_ok_and(named)
}
