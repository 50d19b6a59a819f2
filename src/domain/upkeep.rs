//! What the router asks of a pool's endpoints on its own account: health checks, warm-up requests and reports of load.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};

/// What a `PoolPolicy` has the router ask of each endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Whether an endpoint works is asked now and then; `None` goes by requests alone.
    pub health_check: Option<HealthCheck>,
    /// What a new endpoint must have answered before it takes requests.
    pub warmup_request: Option<WarmupRequest>,
    /// Where endpoints tell their load.
    pub load: LoadSources,
}

impl Upkeep {
    /// Whether anything is asked at all.
    pub fn is_any(&self) -> bool {
        self.holds_back() || self.load.metrics.is_some()
    }

    /// Whether a new endpoint has to prove itself before it takes requests.
    pub fn holds_back(&self) -> bool {
        self.health_check.is_some() || self.warmup_request.is_some()
    }
}

/// A request of the router's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRequest {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: PathAndQuery,
    /// Its Host or `:authority`; `None` is the pool's host.
    pub host: Option<String>,
    /// Further fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// An active health check, with the meaning of Envoy's `HealthCheck`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked.
    pub kind: CheckKind,
    /// From the end of a check to the next.
    pub interval: Duration,
    /// The same while the endpoint is unhealthy.
    pub unhealthy_interval: Duration,
    /// The same, of either, while the pool has had no request.
    pub no_traffic_interval: Option<Duration>,
    /// How long an endpoint may take to answer.
    pub timeout: Duration,
    /// Checks in a row that bring no answer, or a retriable one, before an endpoint is unhealthy.
    pub unhealthy_threshold: NonZeroU32,
    /// Checks in a row that are passed before it is healthy again.
    pub healthy_threshold: NonZeroU32,
}

/// What a health check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckKind {
    /// A request, and which answers are good.
    Http {
        /// The request.
        request: Box<OwnRequest>,
        /// Statuses that pass.
        expected: Vec<StatusCode>,
        /// Statuses that fail as a lost connection does: only several in a row make an endpoint unhealthy.
        retriable: Vec<StatusCode>,
    },
    /// `grpc.health.v1.Health/Check`, over HTTP/2.
    Grpc {
        /// The service that is asked for; empty is the server as a whole.
        service: String,
        /// Its `:authority`; `None` is the pool's host.
        authority: Option<String>,
    },
}

/// What a new endpoint is asked before it takes requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmupRequest {
    /// The request.
    pub request: OwnRequest,
    /// Statuses that are good; none written are those from 200 to 299.
    pub expected: Vec<StatusCode>,
    /// How long an endpoint may take to answer.
    pub timeout: Duration,
    /// After so many in vain it takes requests all the same; `None` asks until one is answered.
    pub attempts: Option<NonZeroU32>,
    /// The wait after the first that fails; it doubles with each, to [`WarmupRequest::LONGEST_BACKOFF`].
    pub backoff: Duration,
}

impl WarmupRequest {
    /// The longest wait between two attempts.
    pub const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

    /// Whether an answer of this status is good.
    pub fn accepts(&self, status: StatusCode) -> bool {
        if self.expected.is_empty() { status.is_success() } else { self.expected.contains(&status) }
    }

    /// The wait after so many attempts in vain.
    pub fn wait_after(&self, attempts: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        self.backoff.saturating_mul(factor).min(Self::LONGEST_BACKOFF.max(self.backoff))
    }
}

/// Where endpoints tell their load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadSources {
    /// Whether answers are asked for ORCA load reports.
    pub orca: Reports,
    /// A page of Prometheus series that is read now and then.
    pub metrics: Option<MetricsPage>,
}

/// Whether reports in answers are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reports {
    /// They are, and taken out of answers to clients that did not ask.
    Read,
    /// What endpoints and clients tell each other is left as it is.
    #[default]
    PassedOn,
}

/// A page of an endpoint's own metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsPage {
    /// Where it is.
    pub path: PathAndQuery,
    /// Its port, where that is not the endpoint's own.
    pub port: Option<u16>,
    /// From one reading to the next. After [`MetricsPage::STALE`] of them without a good one, figures count no longer.
    pub interval: Duration,
}

impl MetricsPage {
    /// Intervals for which figures count.
    pub const STALE: u32 = 3;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut warmup = WarmupRequest {
            request: OwnRequest {
                method: Method::GET,
                path: PathAndQuery::from_static("/"),
                host: None,
                headers: HeaderMap::new(),
                body: Bytes::new(),
            },
            expected: Vec::new(),
            timeout: Duration::from_secs(1),
            attempts: None,
            backoff: Duration::from_secs(1),
        };
        let waits = |warmup: &WarmupRequest| [1, 2, 3, 6, 40].map(|attempts| warmup.wait_after(attempts).as_secs());
        assert_eq!(waits(&warmup), [1, 2, 4, 30, 30]);
        warmup.backoff = Duration::from_mins(1);
        assert_eq!(waits(&warmup), [60; 5]);
        assert!(warmup.accepts(StatusCode::NO_CONTENT) && !warmup.accepts(StatusCode::FOUND));
        warmup.expected = vec![StatusCode::FOUND];
        assert!(!warmup.accepts(StatusCode::OK) && warmup.accepts(StatusCode::FOUND));
    }
}
