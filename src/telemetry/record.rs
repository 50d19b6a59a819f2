//! One request, as data, once it is over.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Version};

use super::Trace;
use super::trace::TraceId;
use crate::domain::{Reason, RetryEnd, Tier};
use crate::routing::Asked;
use crate::snapshot::{PoolId, RouteId};

/// Everything that the histograms, the counters and the access log say of one request. Its ids belong to the snapshot
/// that decided it.
#[derive(Clone, Debug)]
pub struct Record {
    /// The client's address.
    pub client: SocketAddr,
    /// The method.
    pub method: Method,
    /// The Host header or `:authority`.
    pub authority: Asked,
    /// The path with its query; `None` where the target has none.
    pub path: Option<PathAndQuery>,
    /// The version that the client spoke.
    pub version: Version,
    /// `x-request-id`, the client's or made here.
    pub request_id: HeaderValue,
    /// The trace id of `traceparent` or B3, if the request carries one, or of the trace that begins here.
    pub trace_id: Option<TraceId>,
    /// What is traced of it, where it is sampled.
    pub trace: Option<Rc<Trace>>,
    /// The rule that matched.
    pub route: Option<RouteId>,
    /// The pool that the split chose.
    pub chosen: Option<PoolId>,
    /// The pool that answered; the chosen one where none did.
    pub pool: Option<PoolId>,
    /// The endpoint that answered, or was tried last, by its place in `pool`.
    pub endpoint: Option<usize>,
    /// Where the attempt went that brought its destination along.
    pub destination: Option<SocketAddr>,
    /// The tier that answered.
    pub tier: Option<Tier>,
    /// The status that the client was sent; 499 where it went away before.
    pub status: u16,
    /// Why the router refused or broke off, or `None` where the answer is an endpoint's or the local model's, whole.
    pub reason: Option<Reason>,
    /// Each pool that the request left unserved, and why, in order.
    pub spills: Vec<(PoolId, Reason)>,
    /// Connections that the request was sent on or that were opened for it in vain.
    pub attempts: u32,
    /// Tries among these that repeated one which had failed.
    pub retries: u32,
    /// Why the last try that failed was not repeated, where it was worth it.
    pub retry_end: Option<RetryEnd>,
    /// Bytes of the request's body that were read.
    pub request_bytes: u64,
    /// Bytes of the answer's body that were sent.
    pub response_bytes: u64,
    /// From the head's arrival to the end of the answer's body.
    pub duration: Duration,
    /// From the head's arrival to the answer's head.
    pub to_first_byte: Option<Duration>,
    /// Time spent in a pool's queue.
    pub queued: Duration,
}
