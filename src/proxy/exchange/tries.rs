//! The tries of a request at endpoints.

use std::net::SocketAddr;

use http::HeaderMap;

use super::Exchange;
use crate::domain::{HedgeEnd, RetryEnd};
use crate::proxy::body::RequestBody;
use crate::proxy::fields;
use crate::snapshot::PoolId;
use crate::upstream::Answer;

impl Exchange {
    pub(in crate::proxy) fn attempted(&mut self, pool: PoolId, endpoint: usize, destination: Option<SocketAddr>) {
        self.0.record.pool = Some(pool);
        self.0.record.endpoint = Some(endpoint);
        self.0.record.destination = destination;
        self.0.record.attempts += 1;
        self.0.record.retry_end = None;
        self.0.trying = Some((pool, endpoint));
    }

    /// Says in `headers` which try this is, and in which span.
    pub(in crate::proxy) fn number(&self, headers: &mut HeaderMap) {
        fields::set_attempt(headers, self.attempts());
        if let Some(trace) = self.trace() {
            trace.name_try_in(headers);
        }
    }

    /// Notes that the request was sent a second time, how that ended, and that what came of it came from `endpoint`.
    pub(in crate::proxy) fn hedged(&mut self, endpoint: usize, end: HedgeEnd) {
        self.trace_decided(end);
        self.0.record.attempts += 1;
        self.0.record.endpoint = Some(endpoint);
        self.0.trying = None;
    }

    pub(in crate::proxy) fn asks_for_load(&mut self, asks: bool) {
        self.0.asked_for_load = asks;
    }

    pub(in crate::proxy) fn asked_for_load(&self) -> bool {
        self.0.asked_for_load
    }

    /// The try is over: it has this answer, or will have none.
    pub(in crate::proxy) fn settled(&mut self, answer: Option<&Answer<RequestBody>>) {
        self.0.trying = None;
        if let (Some(trace), Some(answer)) = (self.trace(), answer)
            && let Some(attempt) = trace.current()
        {
            trace.answered(attempt, answer.status().as_u16(), answer.version());
        }
    }

    /// The endpoint whose answer is awaited.
    pub(in crate::proxy) fn trying(&self) -> Option<(PoolId, usize)> {
        self.0.trying
    }

    /// The endpoint that was tried last.
    pub(in crate::proxy) fn tried(&self) -> Option<(PoolId, usize)> {
        self.0.record.pool.zip(self.0.record.endpoint)
    }

    /// Tries so far, the current one among them.
    pub(in crate::proxy) fn attempts(&self) -> u32 {
        self.0.record.attempts
    }

    /// Notes that a try that failed is repeated.
    pub(in crate::proxy) fn retried(&mut self) {
        self.0.record.retries += 1;
        self.trace_ends(None);
    }

    /// Notes why a try that failed is not repeated.
    pub(in crate::proxy) fn retry_ended(&mut self, end: RetryEnd) {
        self.0.record.retry_end = Some(end);
    }
}
