//! The tries of a request at endpoints.

use std::net::SocketAddr;

use super::Exchange;
use crate::domain::RetryEnd;
use crate::snapshot::PoolId;

impl Exchange {
    pub(in crate::proxy) fn attempted(&mut self, pool: PoolId, endpoint: usize, destination: Option<SocketAddr>) {
        self.0.record.pool = Some(pool);
        self.0.record.endpoint = Some(endpoint);
        self.0.record.destination = destination;
        self.0.record.attempts += 1;
        self.0.record.retry_end = None;
        self.0.trying = Some((pool, endpoint));
    }

    /// Notes that the request was sent a second time, and that what came of it came from `endpoint`.
    pub(in crate::proxy) fn hedged(&mut self, endpoint: usize) {
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

    /// The try is over: it has an answer, or will have none.
    pub(in crate::proxy) fn settled(&mut self) {
        self.0.trying = None;
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
    }

    /// Notes why a try that failed is not repeated.
    pub(in crate::proxy) fn retry_ended(&mut self, end: RetryEnd) {
        self.0.record.retry_end = Some(end);
    }
}
