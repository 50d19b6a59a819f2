//! Retries, checked as Istio's webhook checks them.

use http::StatusCode;

use crate::config::finding::{INERT, remark};
use crate::config::path::Path;
use crate::config::written::HttpRetry;
use crate::domain::{RetryCondition, RetryConditions, RetryPolicy, parse_duration};

use super::Reader;

impl Reader<'_, '_> {
    pub(super) fn retries(&mut self, written: &HttpRetry, path: &Path) -> RetryPolicy {
        let retries = u32::try_from(written.attempts);
        if retries.is_err() {
            let message = format!("{} attempts are less than none.", written.attempts);
            self.wrong(&path.key("attempts"), message, "Write 0 or more.");
        }
        let told =
            ["perTryTimeout", "retryRemoteLocalities"].iter().any(|field| self.source.document.has(&path.key(field)));
        if written.attempts == 0 && (told || !written.retry_on.is_empty()) && self.source.intact {
            let message = "There are no attempts, so that nothing else about retries can hold.";
            self.wrong(path, message, "Add `attempts`, or take the rest out.");
        }
        let (on, statuses) = self.retry_on(&written.retry_on, &path.key("retryOn"));
        let duration = |text: &Option<String>| text.as_deref().and_then(|text| parse_duration(text).ok());
        RetryPolicy {
            retries: retries.unwrap_or_default(),
            per_try_timeout: duration(&written.per_try_timeout),
            on,
            statuses,
            backoff: duration(&written.backoff).unwrap_or(RetryPolicy::DEFAULT.backoff),
            remote_localities: written.retry_remote_localities,
            avoid_tried: written.retry_ignore_previous_hosts,
        }
    }

    /// Reads `retryOn`, a list with commas; empty is Istio's default.
    fn retry_on(&mut self, written: &str, path: &Path) -> (RetryConditions, Vec<StatusCode>) {
        if written.is_empty() {
            return (RetryPolicy::DEFAULT.on, Vec::new());
        }
        let (mut on, mut statuses) = (RetryConditions::NONE, Vec::new());
        for token in written.split(',') {
            if let Some(status) = status(token) {
                on = on.with(RetryCondition::RetriableStatusCodes);
                statuses.push(status);
            } else if let Some(condition) = RetryCondition::parse(token) {
                on = on.with(condition);
            } else {
                let known = RetryCondition::ALL.map(RetryCondition::as_str).join(", ");
                let cure = format!("Write status codes and {known}, with commas and without spaces.");
                self.wrong(path, format!("`{token}` is no condition of a retry."), cure);
            }
        }
        if on.has(RetryCondition::Http3PostConnectFailure) {
            let said = remark(
                "`http3-post-connect-failure` never holds: HTTP/3 is not spoken here.",
                "Take it out, or leave it in knowing that it has no effect here.",
            );
            self.findings.warning(INERT, self.source.document.place(path), said);
        }
        (on, statuses)
    }
}

/// The status code that `token` is, of those that Go's `http.StatusText` knows: Istio takes no other number.
fn status(token: &str) -> Option<StatusCode> {
    let code: u16 = token.parse().ok()?;
    let known = matches!(code, 100..=103 | 200..=208 | 226 | 300..=305 | 307 | 308 | 400..=418 | 421..=426 | 428 | 429)
        || matches!(code, 431 | 451 | 500..=508 | 510 | 511);
    StatusCode::from_u16(code).ok().filter(|_| known)
}
