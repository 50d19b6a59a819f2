//! One request from its head to its record.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Version};

use super::Worker;
use super::body::Meter;
use super::connection::Client;
use crate::config;
use crate::domain::{Reason, RetryEnd, Tier};
use crate::live::Live;
use crate::routing::permit;
use crate::snapshot::{Affinity, PoolId, RouteId, Snapshot};
use crate::telemetry::{self, Record};
use crate::tls::Peer;

/// A request under way. It travels with the request and then with the answer's body; however it ends, exactly one
/// [`Record`] comes of it.
pub(super) struct Exchange {
    worker: Rc<Worker>,
    live: Arc<Live>,
    client: Client,
    meter: Rc<Meter>,
    record: Record,
    affinities: Vec<Affinity>,
    /// Which of its rule's destinations the request goes to.
    share: Option<usize>,
    /// The other origin that the answer is to permit.
    permitted: Option<HeaderValue>,
    begun: Instant,
    recorded: bool,
}

impl Exchange {
    /// Begins with a head that has just arrived.
    pub(super) fn begin(worker: Rc<Worker>, client: Client, parts: &Parts, authority: &str) -> Self {
        let live = worker.load();
        let request_id = request_id(&worker, &parts.headers);
        let record = Record {
            started: SystemTime::now(),
            client: client.address,
            method: parts.method.clone(),
            authority: authority.into(),
            path: parts.uri.path_and_query().map_or("", |path| path.as_str()).into(),
            version: parts.version,
            request_id,
            trace_id: telemetry::trace_id(&parts.headers).map(Into::into),
            route: None,
            chosen: None,
            pool: None,
            endpoint: None,
            destination: None,
            tier: None,
            status: 0,
            reason: None,
            spills: Vec::new(),
            attempts: 0,
            retries: 0,
            retry_end: None,
            request_bytes: 0,
            response_bytes: 0,
            duration: Duration::ZERO,
            to_first_byte: None,
            queued: Duration::ZERO,
        };
        Self {
            worker,
            live,
            client,
            meter: Rc::default(),
            record,
            affinities: Vec::new(),
            share: None,
            permitted: None,
            begun: Instant::now(),
            recorded: false,
        }
    }

    pub(super) fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    pub(super) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.live.snapshot
    }

    pub(super) fn limits(&self) -> &config::Limits {
        self.live.snapshot.limits()
    }

    pub(super) fn client(&self) -> SocketAddr {
        self.client.address
    }

    /// Who the client is, if it speaks TLS.
    pub(super) fn peer(&self) -> Option<&Peer> {
        self.client.tls.as_deref()
    }

    /// What the client speaks: `http` or `https`.
    pub(super) fn scheme(&self) -> &'static str {
        if self.client.tls.is_some() { "https" } else { "http" }
    }

    /// Where the client's connection was sent to before the system redirected it here.
    pub(super) fn redirected_from(&self) -> Option<SocketAddr> {
        self.client.redirected_from
    }

    /// The port that the client came to.
    pub(super) fn port(&self) -> u16 {
        self.client.port
    }

    pub(super) fn meter(&self) -> &Rc<Meter> {
        &self.meter
    }

    /// `x-request-id`, the client's or made here.
    pub(super) fn request_id(&self) -> &str {
        &self.record.request_id
    }

    /// When the request began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Each pool that left the request unserved so far, and why.
    pub(super) fn spills(&self) -> &[(PoolId, Reason)] {
        &self.record.spills
    }

    /// Keeps the request to its endpoints in the pools that choose by hash.
    pub(super) fn bind(&mut self, affinities: Vec<Affinity>) {
        self.affinities = affinities;
    }

    pub(super) fn affinity(&self, pool: PoolId) -> Option<&Affinity> {
        self.affinities.iter().find(|affinity| affinity.pool == pool)
    }

    /// What an endpoint of `pool` is chosen by: the request's hash, or a draw.
    pub(super) fn draw(&self, pool: PoolId) -> u64 {
        self.affinity(pool).map_or_else(|| self.worker.draw(), |affinity| affinity.hash)
    }

    pub(super) fn routed(&mut self, route: Option<RouteId>, chosen: Option<PoolId>) {
        self.record.route = route;
        self.record.chosen = chosen;
        self.record.pool = chosen;
    }

    /// Notes which of its rule's destinations the request goes to.
    pub(super) fn shared(&mut self, share: usize) {
        self.share = Some(share);
    }

    /// Notes that the answer is to permit `origin`.
    pub(super) fn permitted(&mut self, origin: HeaderValue) {
        self.permitted = Some(origin);
    }

    /// Carries out on an answer's headers what the rule and its destination say.
    pub(super) fn edit_answer(&self, headers: &mut HeaderMap) {
        let edits = self.record.route.and_then(|route| self.live.snapshot.route(route).edits.as_ref());
        if let Some(edits) = edits {
            edits.edit_response(self.share, headers);
        }
        if let Some(origin) = &self.permitted
            && let Some(policy) = self.record.route.and_then(|route| self.live.snapshot.route(route).cors.as_ref())
        {
            permit(policy, origin, headers);
        }
    }

    pub(super) fn spilled(&mut self, pool: PoolId, reason: Reason) {
        self.record.spills.push((pool, reason));
    }

    /// The request was served by `pool` after it had waited there: it spilled only from the pools before.
    pub(super) fn unspilled(&mut self, pool: PoolId) {
        let before = self.record.spills.iter().position(|(left, _)| *left == pool);
        self.record.spills.truncate(before.unwrap_or(self.record.spills.len()));
    }

    pub(super) fn attempted(&mut self, pool: PoolId, endpoint: usize, destination: Option<SocketAddr>) {
        self.record.pool = Some(pool);
        self.record.endpoint = Some(endpoint);
        self.record.destination = destination;
        self.record.attempts += 1;
        self.record.retry_end = None;
    }

    /// Tries so far, the current one among them.
    pub(super) fn attempts(&self) -> u32 {
        self.record.attempts
    }

    /// Notes that a try that failed is repeated.
    pub(super) fn retried(&mut self) {
        self.record.retries += 1;
    }

    /// Notes why a try that failed is not repeated.
    pub(super) fn retry_ended(&mut self, end: RetryEnd) {
        self.record.retry_end = Some(end);
    }

    /// The version that the client spoke.
    pub(super) fn version(&self) -> Version {
        self.record.version
    }

    /// The rule that matched.
    pub(super) fn route(&self) -> Option<RouteId> {
        self.record.route
    }

    pub(super) fn queued(&mut self, waited: Duration) {
        self.record.queued += waited;
    }

    /// Notes the answer's head.
    pub(super) fn answered(&mut self, status: u16, tier: Option<Tier>) {
        self.record.status = status;
        self.record.tier = tier;
        self.record.to_first_byte = Some(self.begun.elapsed());
        if tier == Some(Tier::Local) {
            self.record.endpoint = None;
            self.record.retry_end = None;
        }
    }

    /// Notes a refusal, which is an answer of the router's own.
    pub(super) fn refused(&mut self, reason: Reason, status: u16) {
        self.record.reason = Some(reason);
        self.answered(status, None);
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.record.response_bytes += bytes as u64;
    }

    /// The exchange is over: whole, or broken off for `reason`.
    pub(super) fn finish(mut self, reason: Option<Reason>) {
        self.record.reason = self.record.reason.or(reason);
        self.recorded = true;
        self.write_record();
    }

    fn write_record(&mut self) {
        self.record.duration = self.begun.elapsed();
        self.record.request_bytes = self.meter.bytes();
        self.worker.recorder.record(&self.live.snapshot, &self.record);
        self.client.activity.request_ends();
    }
}

impl Drop for Exchange {
    /// An exchange that nobody finished was given up by hyper, which does so when the client goes away.
    fn drop(&mut self) {
        if self.recorded {
            return;
        }
        self.record.reason = self.record.reason.or(Some(Reason::ClientDisconnected));
        if self.record.status == 0 {
            self.record.status = Reason::ClientDisconnected.status();
        }
        self.write_record();
    }
}

/// The client's own, or a new one.
fn request_id(worker: &Worker, headers: &HeaderMap) -> Box<str> {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty());
    given.map_or_else(|| telemetry::request_id(worker.random.borrow_mut().u128(..)), Into::into)
}
