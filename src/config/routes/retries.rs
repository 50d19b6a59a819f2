//! Retries, as Istio turns them into Envoy's policy.

use http::StatusCode;

use crate::config::finding::remark;
use crate::config::path::Path;
use crate::config::unexecuted::HTTP3;
use crate::config::written::HttpRetry;
use crate::domain::{RetryCondition, RetryConditions, RetryPolicy, parse_duration};

use super::Reader;

impl Reader<'_, '_> {
    pub(super) fn retries(&mut self, written: &HttpRetry, path: &Path) -> RetryPolicy {
        let (on, statuses) = retry_on(&written.retry_on);
        let default = written.retry_on.is_empty();
        if on.has(RetryCondition::Http3PostConnectFailure) {
            let said = remark(
                "`http3-post-connect-failure` never holds: HTTP/3 is not spoken here.",
                "Take it out, or leave it in knowing that it has no effect here.",
            );
            self.findings.not_executed(&HTTP3, self.source.document.place(&path.key("retryOn")), said);
        }
        let duration = |text: &Option<String>| text.as_deref().and_then(|text| parse_duration(text).ok());
        RetryPolicy {
            retries: u32::try_from(written.attempts).unwrap_or_default(),
            per_try_timeout: duration(&written.per_try_timeout),
            written: if default { RetryPolicy::DEFAULT.written } else { written.retry_on.clone().into() },
            on,
            statuses,
            backoff: duration(&written.backoff).unwrap_or(RetryPolicy::DEFAULT.backoff),
            remote_localities: written.retry_remote_localities,
            avoid_tried: written.retry_ignore_previous_hosts,
        }
    }
}

/// Reads `retryOn`, a list with commas: a number is a status to retry. Empty is Istio's default.
fn retry_on(written: &str) -> (RetryConditions, Vec<StatusCode>) {
    let (mut on, mut statuses) = (RetryConditions::NONE, Vec::new());
    if written.is_empty() {
        return (RetryPolicy::DEFAULT.on, statuses);
    }
    for token in written.split(',') {
        if let Some(condition) = RetryCondition::parse(token) {
            on = on.with(condition);
        } else if let Some(status) = token.parse().ok().and_then(|code| StatusCode::from_u16(code).ok()) {
            on = on.with(RetryCondition::RetriableStatusCodes);
            statuses.push(status);
        }
    }
    (on, statuses)
}
