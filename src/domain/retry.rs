//! When a request is sent again, how often and how soon: Istio's `HTTPRetry`, with Envoy's meaning of each condition.
//!
//! Owns the decisions as pure functions of a policy and of how a try went. Which endpoint is tried next, and whether the
//! request can be repeated at all, is decided where it is sent.

mod budget;

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode};

pub use budget::RetryBudget;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const RATE_LIMITED: HeaderName = HeaderName::from_static("x-envoy-ratelimited");
const RETRIABLE_HEADER_NAMES: HeaderName = HeaderName::from_static("x-envoy-retriable-header-names");
const RETRIABLE_STATUS_CODES: HeaderName = HeaderName::from_static("x-envoy-retriable-status-codes");

/// How many times its base the interval of a back-off grows to: Envoy's default `max_interval`.
const LARGEST_BACKOFF: u32 = 10;

/// One rule's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most times that a request is sent again; zero sends it once.
    pub retries: u32,
    /// How long one try may take until its answer begins; `None` leaves it to the request's own deadline.
    pub per_try_timeout: Option<Duration>,
    /// What is retried, as Istio writes it: tokens parted by commas, of which `on` and `statuses` are the meaning.
    pub written: Cow<'static, str>,
    /// What is retried.
    pub on: RetryConditions,
    /// The status codes of `retriable-status-codes`.
    pub statuses: Vec<StatusCode>,
    /// What the wait before a retry is drawn from; it doubles with each.
    pub backoff: Duration,
    /// Whether a retry goes to endpoints of another priority than those that have failed.
    pub remote_localities: bool,
    /// Whether endpoints that were tried are avoided; `None` avoids them, but for a pool that chooses by hash.
    pub avoid_tried: Option<bool>,
}

impl RetryPolicy {
    /// What Istio does on a rule without `retries`: two retries of what no endpoint has processed.
    pub const DEFAULT: Self = Self {
        retries: 2,
        per_try_timeout: None,
        written: Cow::Borrowed("connect-failure,refused-stream,unavailable,cancelled"),
        on: RetryConditions::NONE
            .with(RetryCondition::ConnectFailure)
            .with(RetryCondition::RefusedStream)
            .with(RetryCondition::Unavailable)
            .with(RetryCondition::Cancelled),
        statuses: Vec::new(),
        backoff: Duration::from_millis(25),
        remote_localities: false,
        avoid_tried: None,
    };

    /// Whether an answer of this `status` and these `headers` is retried. `request` is what was asked with: as in Envoy, it
    /// may name the headers of `retriable-headers` and further codes for `retriable-status-codes`.
    pub fn retries_answer(&self, status: StatusCode, headers: &HeaderMap, request: &HeaderMap) -> bool {
        let on = |condition| self.on.has(condition);
        // What the status alone tells comes first: an answer that is not retried costs one look at its headers at most.
        let told = (on(RetryCondition::ServerError) && status.is_server_error())
            || (on(RetryCondition::GatewayError) && matches!(status.as_u16(), 502..=504))
            || (on(RetryCondition::Retriable4xx) && status == StatusCode::CONFLICT)
            || (on(RetryCondition::RetriableStatusCodes) && self.names_status(status, request))
            || (on(RetryCondition::RetriableHeaders) && names_header(headers, request))
            || (self.on.any(RetryConditions::GRPC) && grpc(headers).is_some_and(on));
        let limited = on(RetryCondition::EnvoyRatelimited);
        self.retries > 0 && (told || limited) && if headers.contains_key(&RATE_LIMITED) { limited } else { told }
    }

    /// Whether a try that brought no answer is retried.
    pub fn retries_failure(&self, failure: Failure) -> bool {
        let on = |condition| self.on.has(condition);
        let unwritten = on(RetryCondition::ResetBeforeRequest);
        // Envoy counts a reset as the 5xx that would come of it.
        let reset = on(RetryCondition::Reset) || on(RetryCondition::ServerError) || on(RetryCondition::GatewayError);
        self.retries > 0
            && match failure {
                Failure::Connect => on(RetryCondition::ConnectFailure) || unwritten || reset,
                Failure::RefusedStream => on(RetryCondition::RefusedStream) || reset,
                Failure::Reset | Failure::PerTryTimeout => reset,
            }
    }

    /// Whether a request that was sent, at least in part, may be sent again, so that its body must be kept.
    pub fn needs_body(&self, request: Sent) -> bool {
        let always = RetryConditions::NONE
            .with(RetryCondition::ServerError)
            .with(RetryCondition::GatewayError)
            .with(RetryCondition::Reset)
            .with(RetryCondition::Retriable4xx)
            .with(RetryCondition::RetriableStatusCodes)
            .with(RetryCondition::RetriableHeaders)
            .with(RetryCondition::EnvoyRatelimited);
        self.retries > 0
            && (self.on.any(always)
                || (request.grpc && self.on.any(RetryConditions::GRPC))
                || (request.http2 && self.on.has(RetryCondition::RefusedStream)))
    }

    /// How long the retry after `retries` others waits: full jitter below an interval that doubles from its base to ten
    /// times that (Envoy's `JitteredExponentialBackOffStrategy`). `draw` is a number uniform over all of `u64`.
    pub fn backoff(&self, retries: u32, draw: u64) -> Duration {
        let factor = 1_u32.checked_shl(retries).map_or(LARGEST_BACKOFF, |factor| factor.min(LARGEST_BACKOFF));
        let interval = u64::try_from(self.backoff.saturating_mul(factor).as_nanos()).unwrap_or(u64::MAX);
        let drawn = (u128::from(interval) * u128::from(draw)) >> 64;
        Duration::from_nanos(u64::try_from(drawn).unwrap_or(interval))
    }

    fn names_status(&self, status: StatusCode, request: &HeaderMap) -> bool {
        let named = || tokens(request, &RETRIABLE_STATUS_CODES).any(|code| code.parse() == Ok(status.as_u16()));
        self.statuses.contains(&status) || named()
    }
}

/// Whether the answer has one of the headers that the request names.
fn names_header(answer: &HeaderMap, request: &HeaderMap) -> bool {
    tokens(request, &RETRIABLE_HEADER_NAMES).any(|name| answer.contains_key(name))
}

fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// The condition of the gRPC status that an answer's head tells: that of a call which ended before it had a message.
fn grpc(headers: &HeaderMap) -> Option<RetryCondition> {
    match headers.get(&GRPC_STATUS)?.as_bytes() {
        b"1" => Some(RetryCondition::Cancelled),
        b"4" => Some(RetryCondition::DeadlineExceeded),
        b"8" => Some(RetryCondition::ResourceExhausted),
        b"13" => Some(RetryCondition::Internal),
        b"14" => Some(RetryCondition::Unavailable),
        _ => None,
    }
}

/// How a try ended that brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection could be opened, or it broke before anything of the request was written to it.
    Connect,
    /// The endpoint says that it has not processed the request (RFC 9113, section 8.7).
    RefusedStream,
    /// The connection or the stream broke, or what came over it was not HTTP.
    Reset,
    /// The try took longer than [`RetryPolicy::per_try_timeout`].
    PerTryTimeout,
}

/// Why a request was not sent again although its policy would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RetryEnd {
    /// It had been sent again as often as its policy allows.
    LimitExceeded,
    /// As many retries were under way as its pool allows.
    Overflow,
    /// Its body was too large to be kept.
    BodyTooLarge,
}

impl RetryEnd {
    /// The word for it in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LimitExceeded => "limit_exceeded",
            Self::Overflow => "overflow",
            Self::BodyTooLarge => "body_too_large",
        }
    }

    /// Envoy's short response flag; Envoy has none for a body that is not kept.
    pub const fn flag(self) -> Option<&'static str> {
        match self {
            Self::LimitExceeded => Some("URX"),
            Self::Overflow => Some("UO"),
            Self::BodyTooLarge => None,
        }
    }

    /// Envoy's long response flag.
    pub const fn long_flag(self) -> Option<&'static str> {
        match self {
            Self::LimitExceeded => Some("UpstreamRetryLimitExceeded"),
            Self::Overflow => Some("UpstreamOverflow"),
            Self::BodyTooLarge => None,
        }
    }
}

/// What of a request decides whether it is worth keeping for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// It is a call of gRPC.
    pub grpc: bool,
    /// An endpoint that it may go to speaks HTTP/2.
    pub http2: bool,
}

/// A token of `retryOn`: Envoy's `x-envoy-retry-on` and `x-envoy-retry-grpc-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RetryCondition {
    /// Any status of 500 or more, and whatever brings no answer.
    ServerError,
    /// 502, 503 or 504, and whatever brings no answer.
    GatewayError,
    /// Whatever brings no answer.
    Reset,
    /// Whatever brings no answer before the request was written.
    ResetBeforeRequest,
    /// A connection that cannot be opened.
    ConnectFailure,
    /// 409.
    Retriable4xx,
    /// A stream that the endpoint says it has not processed.
    RefusedStream,
    /// One of the policy's own status codes.
    RetriableStatusCodes,
    /// An answer with a header that the request names.
    RetriableHeaders,
    /// An answer of an Envoy that limits the rate.
    EnvoyRatelimited,
    /// A failure over HTTP/3, which the router does not speak.
    Http3PostConnectFailure,
    /// gRPC's `CANCELLED` in the answer's head.
    Cancelled,
    /// gRPC's `DEADLINE_EXCEEDED` in the answer's head.
    DeadlineExceeded,
    /// gRPC's `INTERNAL` in the answer's head.
    Internal,
    /// gRPC's `RESOURCE_EXHAUSTED` in the answer's head.
    ResourceExhausted,
    /// gRPC's `UNAVAILABLE` in the answer's head.
    Unavailable,
}

impl RetryCondition {
    /// Every condition, in the order of Istio's own list.
    pub const ALL: [Self; 16] = [
        Self::ServerError,
        Self::GatewayError,
        Self::Reset,
        Self::ResetBeforeRequest,
        Self::ConnectFailure,
        Self::Retriable4xx,
        Self::RefusedStream,
        Self::RetriableStatusCodes,
        Self::RetriableHeaders,
        Self::EnvoyRatelimited,
        Self::Http3PostConnectFailure,
        Self::Cancelled,
        Self::DeadlineExceeded,
        Self::Internal,
        Self::ResourceExhausted,
        Self::Unavailable,
    ];

    /// The condition that `token` names.
    pub fn parse(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|condition| condition.as_str() == token)
    }

    /// Its token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerError => "5xx",
            Self::GatewayError => "gateway-error",
            Self::Reset => "reset",
            Self::ResetBeforeRequest => "reset-before-request",
            Self::ConnectFailure => "connect-failure",
            Self::Retriable4xx => "retriable-4xx",
            Self::RefusedStream => "refused-stream",
            Self::RetriableStatusCodes => "retriable-status-codes",
            Self::RetriableHeaders => "retriable-headers",
            Self::EnvoyRatelimited => "envoy-ratelimited",
            Self::Http3PostConnectFailure => "http3-post-connect-failure",
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::Internal => "internal",
            Self::ResourceExhausted => "resource-exhausted",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A set of conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryConditions(u16);

impl RetryConditions {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// The statuses of gRPC.
    const GRPC: Self = Self::NONE
        .with(RetryCondition::Cancelled)
        .with(RetryCondition::DeadlineExceeded)
        .with(RetryCondition::Internal)
        .with(RetryCondition::ResourceExhausted)
        .with(RetryCondition::Unavailable);

    /// The same set with `condition`.
    #[must_use]
    pub const fn with(self, condition: RetryCondition) -> Self {
        Self(self.0 | 1 << condition as u16)
    }

    /// Whether `condition` is among them.
    pub const fn has(self, condition: RetryCondition) -> bool {
        self.any(Self::NONE.with(condition))
    }

    /// Whether one of `others` is.
    pub const fn any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Each condition.
    pub fn iter(self) -> impl Iterator<Item = RetryCondition> {
        RetryCondition::ALL.into_iter().filter(move |condition| self.has(*condition))
    }
}

#[cfg(test)]
mod tests;
