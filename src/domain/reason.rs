//! Why the router did something other than forward a request to its first choice.

use std::fmt;

/// One code for each way a request is spilled, refused or broken off. The same code stands in `Proxy-Status`, the
/// access log, the metric label and `explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// No virtual host or no rule matches the request.
    RouteNotFound,
    /// The pool has no endpoint at all, or none that is admitting.
    NoEndpoint,
    /// The host that a request brings along as its destination has no address, or could not be looked up.
    NameNotResolved,
    /// The request's destination is this router itself.
    LoopDetected,
    /// Every slot of the pool is taken.
    SlotsTaken,
    /// Every slot is taken and so is every place in the queue.
    QueueFull,
    /// The request waited in the queue for as long as its pool allows.
    QueueTimeout,
    /// By the rate at which slots come free, the request would not get one before its deadline or latency objective.
    WaitTooLong,
    /// An endpoint refused the connection or could not be reached.
    ConnectFailed,
    /// An endpoint did not accept the connection within the connect timeout.
    ConnectTimeout,
    /// An endpoint and the router do not agree on TLS: on the certificate of either, a version or a protocol.
    UpstreamTlsFailed,
    /// The endpoint closed or reset the connection before its answer was complete.
    UpstreamReset,
    /// The endpoint answered with something that is not HTTP.
    UpstreamProtocolError,
    /// The request's deadline passed before an answer began.
    RequestTimeout,
    /// The answer's body stood still for longer than the stream idle timeout.
    StreamIdleTimeout,
    /// The client sent nothing of its request's body for longer than the stream idle timeout.
    BodyTimeout,
    /// A rate limit of the rule's policy has no token left for the request.
    RateLimited,
    /// The request's body is larger than the limit.
    BodyTooLarge,
    /// The request cannot be forwarded as it stands.
    MalformedRequest,
    /// The head of a request is larger than the limit, or has too many fields.
    HeadTooLarge,
    /// The target of a request is longer than any that is taken.
    TargetTooLong,
    /// The head of a request did not come whole in time.
    HeadTimeout,
    /// The local model is not loaded.
    LocalOff,
    /// The local model is being loaded.
    LocalLoading,
    /// The rule accepts no vectors of the local model's.
    LocalIdentityMismatch,
    /// The local model's queue is full.
    LocalQueueFull,
    /// By its measured pace, the local model would answer after the deadline.
    LocalTooLate,
    /// The local model cannot read this request; its first choice could have.
    LocalUnsupported,
    /// The local model failed while it computed.
    LocalFailed,
    /// The client went away before the answer was complete.
    ClientDisconnected,
    /// The drain's time was over before the answer was complete.
    DrainTimeout,
    /// A rule aborted the request on purpose; its status is the rule's.
    FaultInjected,
}

/// The fixed facts of one reason, one row each.
struct Facts {
    code: &'static str,
    status: u16,
    flag: &'static str,
    long_flag: &'static str,
    proxy_error: &'static str,
    detail: &'static str,
}

const fn facts(
    code: &'static str,
    status: u16,
    flags: (&'static str, &'static str),
    proxy_error: &'static str,
    detail: &'static str,
) -> Facts {
    Facts { code, status, flag: flags.0, long_flag: flags.1, proxy_error, detail }
}

// Envoy's response flags and their long names, as its access log prints them (`%RESPONSE_FLAGS%` and `%RESPONSE_FLAGS_LONG%`).
const NR: (&str, &str) = ("NR", "NoRouteFound");
const UH: (&str, &str) = ("UH", "NoHealthyUpstream");
const DF: (&str, &str) = ("DF", "DnsResolutionFailed");
const UO: (&str, &str) = ("UO", "UpstreamOverflow");
const UF: (&str, &str) = ("UF", "UpstreamConnectionFailure");
const UC: (&str, &str) = ("UC", "UpstreamConnectionTermination");
const UPE: (&str, &str) = ("UPE", "UpstreamProtocolError");
const UT: (&str, &str) = ("UT", "UpstreamRequestTimeout");
const SI: (&str, &str) = ("SI", "StreamIdleTimeout");
const RL: (&str, &str) = ("RL", "RateLimited");
const DPE: (&str, &str) = ("DPE", "DownstreamProtocolError");
const DC: (&str, &str) = ("DC", "DownstreamConnectionTermination");
const FI: (&str, &str) = ("FI", "FaultInjected");
const NONE: (&str, &str) = ("-", "-");
/// The `error`s of RFC 9209 that several reasons have.
const REQUEST: &str = "http_request_error";
const UNAVAILABLE: &str = "destination_unavailable";
/// What a lack of slots comes nearest to.
const FULL: &str = "connection_limit_reached";
const ENDED: &str = "connection_terminated";

impl Reason {
    /// Every reason, in the order of the README's table.
    pub const ALL: [Self; 32] = [
        Self::RouteNotFound,
        Self::NoEndpoint,
        Self::NameNotResolved,
        Self::LoopDetected,
        Self::SlotsTaken,
        Self::QueueFull,
        Self::QueueTimeout,
        Self::WaitTooLong,
        Self::ConnectFailed,
        Self::ConnectTimeout,
        Self::UpstreamTlsFailed,
        Self::UpstreamReset,
        Self::UpstreamProtocolError,
        Self::RequestTimeout,
        Self::StreamIdleTimeout,
        Self::BodyTimeout,
        Self::RateLimited,
        Self::BodyTooLarge,
        Self::MalformedRequest,
        Self::HeadTooLarge,
        Self::TargetTooLong,
        Self::HeadTimeout,
        Self::LocalOff,
        Self::LocalLoading,
        Self::LocalIdentityMismatch,
        Self::LocalQueueFull,
        Self::LocalTooLate,
        Self::LocalUnsupported,
        Self::LocalFailed,
        Self::ClientDisconnected,
        Self::DrainTimeout,
        Self::FaultInjected,
    ];

    const fn facts(self) -> Facts {
        match self {
            Self::FaultInjected => {
                facts("fault_injected", 500, FI, "proxy_internal_response", "a rule aborts this request on purpose")
            }
            Self::RouteNotFound => {
                facts("route_not_found", 404, NR, "destination_not_found", "no route matches this request")
            }
            Self::NoEndpoint => facts("no_endpoint", 503, UH, UNAVAILABLE, "the pool has no admitting endpoint"),
            Self::NameNotResolved => {
                facts("name_not_resolved", 503, DF, "dns_error", "the request's host has no address")
            }
            Self::LoopDetected => {
                facts("loop_detected", 502, NONE, "proxy_loop_detected", "the request would come back to this router")
            }
            Self::SlotsTaken => facts("slots_taken", 429, UO, FULL, "every slot of the pool is taken"),
            Self::QueueFull => facts("queue_full", 429, UO, FULL, "the pool and its queue are full"),
            Self::QueueTimeout => facts("queue_timeout", 429, UO, FULL, "no slot came free in time"),
            Self::WaitTooLong => facts("wait_too_long", 429, UO, FULL, "no slot would come free in time"),
            Self::ConnectFailed => {
                facts("connect_failed", 503, UF, "connection_refused", "no endpoint accepted the connection")
            }
            Self::ConnectTimeout => {
                facts("connect_timeout", 503, UF, "connection_timeout", "no endpoint accepted the connection in time")
            }
            Self::UpstreamTlsFailed => {
                facts("upstream_tls_failed", 503, UF, "tls_protocol_error", "no endpoint could be spoken to over TLS")
            }
            Self::UpstreamReset => facts("upstream_reset", 502, UC, ENDED, "the endpoint broke off the connection"),
            Self::UpstreamProtocolError => {
                facts("upstream_protocol_error", 502, UPE, "http_protocol_error", "the endpoint's answer is not HTTP")
            }
            Self::RequestTimeout => {
                facts("request_timeout", 504, UT, "http_response_timeout", "no answer began before the deadline")
            }
            Self::StreamIdleTimeout => {
                facts("stream_idle_timeout", 504, SI, "http_response_timeout", "the answer stood still for too long")
            }
            // RFC 9110, section 15.5.9, and what Envoy answers where the request is not complete.
            Self::BodyTimeout => facts("body_timeout", 408, SI, REQUEST, "the request's body stood still for too long"),
            Self::RateLimited => {
                facts("rate_limited", 429, RL, "http_request_denied", "a rate limit of the route is reached")
            }
            Self::BodyTooLarge => facts("body_too_large", 413, NONE, REQUEST, "the request body is over the limit"),
            Self::MalformedRequest => facts("malformed_request", 400, DPE, REQUEST, "the request cannot be forwarded"),
            Self::HeadTooLarge => facts("head_too_large", 431, DPE, REQUEST, "the request's head is over the limit"),
            Self::TargetTooLong => facts("target_too_long", 414, DPE, REQUEST, "the request's target is too long"),
            Self::HeadTimeout => facts("head_timeout", 408, NONE, REQUEST, "the request's head did not come in time"),
            Self::LocalOff => facts("local_off", 503, UH, UNAVAILABLE, "the local model is not loaded"),
            Self::LocalLoading => facts("local_loading", 503, UH, UNAVAILABLE, "the local model is being loaded"),
            Self::LocalIdentityMismatch => facts(
                "local_identity_mismatch",
                503,
                UH,
                UNAVAILABLE,
                "the route accepts no vectors of the local model's",
            ),
            Self::LocalQueueFull => facts("local_queue_full", 429, UO, FULL, "the local model's queue is full"),
            Self::LocalTooLate => {
                facts("local_too_late", 429, UO, FULL, "the local model could not answer before the deadline")
            }
            Self::LocalUnsupported => {
                facts("local_unsupported", 503, UH, UNAVAILABLE, "the local model cannot answer such a request")
            }
            Self::LocalFailed => facts("local_failed", 503, UH, "proxy_internal_error", "the local model failed"),
            Self::DrainTimeout => facts("drain_timeout", 503, NONE, ENDED, "the drain's time was over"),
            Self::ClientDisconnected => facts("client_disconnected", 499, DC, ENDED, "the client went away"),
        }
    }

    /// The code: lower case and underscores, stable over versions.
    pub const fn code(self) -> &'static str {
        self.facts().code
    }

    /// The HTTP status of a refusal for this reason. 499 (nginx's "client closed request") is only ever logged.
    pub const fn status(self) -> u16 {
        self.facts().status
    }

    /// Envoy's short response flag, `-` where Envoy has none.
    pub const fn flag(self) -> &'static str {
        self.facts().flag
    }

    /// Envoy's long response flag, `-` where Envoy has none.
    pub const fn long_flag(self) -> &'static str {
        self.facts().long_flag
    }

    /// The `error` parameter of Proxy-Status (RFC 9209, section 2.3).
    pub const fn proxy_error(self) -> &'static str {
        self.facts().proxy_error
    }

    /// One clause for people: the `details` parameter of Proxy-Status and the text of a refusal.
    pub const fn detail(self) -> &'static str {
        self.facts().detail
    }

    /// Whether a later try may succeed, so that a refusal carries `Retry-After` (RFC 9110, section 10.2.3).
    pub const fn is_passing(self) -> bool {
        matches!(self.status(), 429 | 503)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_fit_a_metric_label() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert!(codes.iter().all(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }
}
