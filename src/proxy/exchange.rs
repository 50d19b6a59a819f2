//! One request from its head to its record.

pub(super) mod traced;
mod tries;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::Worker;
use super::body::Meter;
use super::connection::Client;
use super::present::{Field, Present};
use super::rate_limit;
use super::retained::Allowance;
use crate::config;
use crate::domain::{Reason, Tier};
use crate::live::{Judged, Live};
use crate::pool::{Arrived, Elsewhere};
use crate::routing::Asked;
use crate::snapshot::{Affinity, PoolId, RouteId, Snapshot, Urgency};
use crate::telemetry::{self, Record};

/// `x-request-id`, by which a request is known on its whole way.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What was seen of a head as it came.
pub(super) struct Arrival {
    pub(super) asked: Asked,
    pub(super) present: Present,
}

/// A request under way. It travels with the request and then with the answer's body; however it ends, exactly one
/// [`Record`] comes of it.
pub(super) struct Exchange(Box<State>);

/// Boxed once, since an exchange changes hands often.
struct State {
    worker: Rc<Worker>,
    live: Arc<Live>,
    client: Rc<Client>,
    meter: Rc<Meter>,
    record: Record,
    affinities: Vec<Affinity>,
    /// The pools that the request left, until it is answered.
    elsewhere: Vec<(PoolId, Elsewhere)>,
    /// Which of its rule's destinations the request goes to.
    share: Option<usize>,
    /// The other origin that the answer is to permit.
    permitted: Option<HeaderValue>,
    /// What the rule's rate limits say.
    judged: Option<Box<Judged>>,
    /// Why the local model did not answer, where it was asked.
    declined: Option<Reason>,
    /// Whether the endpoint is asked for a load report, and the client did not ask.
    asked_for_load: bool,
    /// The endpoint that the request is under way to, until an answer begins.
    trying: Option<(PoolId, usize)>,
    /// How long the local model would have taken, where that is why it did not answer.
    needed: Option<Duration>,
    /// The pool that the request waited for although others could have taken it.
    preferred: Option<PoolId>,
    begun: Instant,
    recorded: bool,
}

impl Exchange {
    /// Begins with a head that has just arrived.
    pub(super) fn begin(worker: Rc<Worker>, client: Rc<Client>, parts: &Parts, head: Arrival) -> Self {
        let live = worker.load();
        let request_id = request_id(&worker, &parts.headers, head.present);
        let begun = Instant::now();
        let trace = worker
            .recorder
            .tracer()
            .and_then(|tracer| traced::begin(tracer, (&worker, &live, &client), (parts, head.present), begun));
        let trace_id = match &trace {
            Some(trace) => Some(trace.id()),
            None if head.present.has(Field::Trace) => telemetry::trace_id(&parts.headers),
            None => None,
        };
        let record = Record {
            client: client.address,
            method: parts.method.clone(),
            authority: head.asked,
            path: parts.uri.path_and_query().cloned(),
            version: parts.version,
            request_id,
            trace_id,
            trace,
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
        Self(Box::new(State {
            worker,
            live,
            client,
            meter: Rc::default(),
            record,
            affinities: Vec::new(),
            elsewhere: Vec::new(),
            share: None,
            permitted: None,
            judged: None,
            declined: None,
            asked_for_load: false,
            trying: None,
            needed: None,
            preferred: None,
            begun,
            recorded: false,
        }))
    }

    pub(super) fn worker(&self) -> &Rc<Worker> {
        &self.0.worker
    }

    pub(super) fn live(&self) -> &Arc<Live> {
        &self.0.live
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.0.live.snapshot
    }

    pub(super) fn limits(&self) -> &config::Limits {
        self.0.live.snapshot.limits()
    }

    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }

    /// An allowance of memory for the request's body.
    pub(super) fn retain(&self) -> Allowance {
        let worker = &self.0.worker;
        worker.retained.allow(self.limits().max_retry_buffer_bytes, worker.limit_counters.clone())
    }

    pub(super) fn meter(&self) -> &Rc<Meter> {
        &self.0.meter
    }

    /// `x-request-id`, the client's or made here.
    pub(super) fn request_id(&self) -> &HeaderValue {
        &self.0.record.request_id
    }

    /// When the request began.
    pub(super) fn begun(&self) -> Instant {
        self.0.begun
    }

    /// Each pool that left the request unserved so far, and why.
    pub(super) fn spills(&self) -> &[(PoolId, Reason)] {
        &self.0.record.spills
    }

    /// Keeps the request to its endpoints in the pools that choose by hash.
    pub(super) fn bind(&mut self, affinities: Vec<Affinity>) {
        self.0.affinities = affinities;
    }

    pub(super) fn affinity(&self, pool: PoolId) -> Option<&Affinity> {
        self.0.affinities.iter().find(|affinity| affinity.pool == pool)
    }

    /// What an endpoint of `pool` is chosen by: the request's hash, or a draw.
    pub(super) fn draw(&self, pool: PoolId) -> u64 {
        self.affinity(pool).map_or_else(|| self.0.worker.draw(), |affinity| affinity.hash)
    }

    pub(super) fn routed(&mut self, route: Option<RouteId>, chosen: Option<PoolId>) {
        self.0.record.route = route;
        self.0.record.chosen = chosen;
        self.0.record.pool = chosen;
        if let Some(pool) = chosen
            && self.0.live.snapshot.pool(pool).demand.arrived() == Arrived::First
        {
            self.0.live.wake();
        }
    }

    /// Notes which of its rule's destinations the request goes to.
    pub(super) fn shared(&mut self, share: usize) {
        self.0.share = Some(share);
    }

    /// Notes that the answer is to permit `origin`.
    pub(super) fn permitted(&mut self, origin: HeaderValue) {
        self.0.permitted = Some(origin);
    }

    /// Notes what the rule's rate limits say.
    pub(super) fn judged(&mut self, judged: Judged) {
        self.0.judged = Some(Box::new(judged));
    }

    /// Carries out on an answer's headers what the rule and its destination say, and tells how its rate limits stand.
    pub(super) fn edit_answer(&self, headers: &mut HeaderMap) {
        if let Some(route) = self.0.record.route {
            self.0.live.snapshot.route(route).edit_answer(self.0.share, self.0.permitted.as_ref(), headers);
        }
        if let Some(judged) = &self.0.judged {
            rate_limit::tell(judged, headers);
        }
    }

    /// Notes why the local model did not answer.
    pub(super) fn declined(&mut self, reason: Reason) {
        self.0.declined = Some(reason);
    }

    /// Notes how long the local model would have taken, where that is why it did not answer.
    pub(super) fn would_take(&mut self, needed: Option<Duration>) {
        self.0.needed = needed;
    }

    /// Why the local model did not answer, where it was asked, and how long it would have taken where that is why.
    pub(super) fn declined_for(&self) -> Option<(Reason, Option<Duration>)> {
        self.0.declined.map(|reason| (reason, self.0.needed))
    }

    /// Notes that the request waits for `pool`, since the others would miss its latency objective.
    pub(super) fn preferred(&mut self, pool: PoolId) {
        self.0.preferred = Some(pool);
    }

    /// The pool that the request waited for although others could have taken it.
    pub(super) fn preference(&self) -> Option<PoolId> {
        self.0.preferred
    }

    /// How urgent the request is, and what is left of its latency objective; `None` where it has none.
    pub(super) fn urgency(&self) -> Option<Urgency> {
        let snapshot = self.snapshot();
        let objective = snapshot.objective(self.route(), self.0.record.chosen?)?;
        Some(Urgency { left: objective.saturating_sub(self.0.begun.elapsed()), ..self.patience() })
    }

    /// How urgent the request is where nothing says how soon it must be answered.
    pub(super) fn patience(&self) -> Urgency {
        let priority = self.snapshot().priority(self.route());
        Urgency { priority, left: Duration::ZERO, now: self.0.live.now() }
    }

    pub(super) fn spilled(&mut self, pool: PoolId, reason: Reason) {
        self.0.record.spills.push((pool, reason));
        self.0.elsewhere.push((pool, Elsewhere::count(&self.0.live.snapshot.pool(pool).demand)));
    }

    /// The request waits at `pool` from now on, and is no longer elsewhere.
    pub(super) fn waits_at(&mut self, pool: PoolId) {
        self.0.elsewhere.retain(|(left, _)| *left != pool);
    }

    /// Goes on by `live`, which is newer than what decided the request, once `pool` of that is to serve it. What the record
    /// and the counts say is of the same rule and pools there, where there still are such.
    pub(super) fn moves_to(&mut self, live: Arc<Live>) {
        let state = &mut *self.0;
        let before = std::mem::replace(&mut state.live, live);
        if before.snapshot.generation() == state.live.snapshot.generation() {
            return;
        }
        let (old, new) = (&before.snapshot, &state.live.snapshot);
        let pool = |id: PoolId| new.pool_of(&old.pool(id).key);
        let route = |id: RouteId| {
            let name = &old.route(id).name;
            new.routes().find(|(_, route)| route.name == *name).map(|(id, _)| id)
        };
        let same_share = |route: RouteId, share: usize| new.route(route).weights().nth(share).is_some();
        let record = &mut state.record;
        record.route = record.route.and_then(route);
        record.chosen = record.chosen.and_then(pool);
        record.pool = record.pool.and_then(pool);
        record.spills.retain_mut(|(left, _)| pool(*left).map(|id| *left = id).is_some());
        state.elsewhere.retain_mut(|(left, _)| pool(*left).map(|id| *left = id).is_some());
        state.affinities.retain_mut(|affinity| pool(affinity.pool).map(|id| affinity.pool = id).is_some());
        state.share = state.share.filter(|share| record.route.is_some_and(|route| same_share(route, *share)));
    }

    /// The request was served by `pool` after it had waited there: it spilled only from the pools before.
    pub(super) fn unspilled(&mut self, pool: PoolId) {
        let before = self.0.record.spills.iter().position(|(left, _)| *left == pool);
        self.0.record.spills.truncate(before.unwrap_or(self.0.record.spills.len()));
        let spills = &self.0.record.spills;
        self.0.elsewhere.retain(|(left, _)| spills.iter().any(|(pool, _)| pool == left));
    }

    /// The version that the client spoke.
    pub(super) fn version(&self) -> Version {
        self.0.record.version
    }

    /// The rule that matched.
    pub(super) fn route(&self) -> Option<RouteId> {
        self.0.record.route
    }

    pub(super) fn queued(&mut self, waited: Duration) {
        self.0.record.queued += waited;
    }

    /// Notes the answer's head.
    pub(super) fn answered(&mut self, status: u16, tier: Option<Tier>) {
        self.0.record.status = status;
        self.0.record.tier = tier;
        self.0.record.to_first_byte = Some(self.0.begun.elapsed());
        if tier == Some(Tier::Local) {
            self.0.record.endpoint = None;
            self.0.record.retry_end = None;
        }
    }

    /// Notes a refusal, which is an answer of the router's own.
    pub(super) fn refused(&mut self, reason: Reason, status: u16) {
        self.0.record.reason = Some(reason);
        self.trace_ends(Some(reason));
        self.answered(status, None);
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.0.record.response_bytes += bytes as u64;
    }

    /// The exchange is over: whole, or broken off for `reason`.
    pub(super) fn finish(mut self, reason: Option<Reason>) {
        self.0.record.reason = self.0.record.reason.or(reason);
        self.0.recorded = true;
        self.write_record();
    }

    fn write_record(&mut self) {
        let now = Instant::now();
        self.0.record.duration = now.duration_since(self.0.begun);
        self.0.record.request_bytes = self.0.meter.bytes();
        self.0.worker.recorder.record(&self.0.live.snapshot, &self.0.record);
        self.0.client.activity.request_ends(now);
    }
}

impl Drop for Exchange {
    /// An exchange that nobody finished was given up with its connection or stream: the client went away, or the drain's time is
    /// over.
    fn drop(&mut self) {
        if self.0.recorded {
            return;
        }
        let by_router = self.0.worker.supervisor.is_cutting();
        let given_up = if by_router { Reason::DrainTimeout } else { Reason::ClientDisconnected };
        self.0.record.reason = self.0.record.reason.or(Some(given_up));
        if self.0.record.status == 0 {
            self.0.record.status = given_up.status();
        }
        self.write_record();
    }
}

/// The client's own, or a new one.
fn request_id(worker: &Worker, headers: &HeaderMap, present: Present) -> HeaderValue {
    let new = || telemetry::request_id(worker.random.borrow_mut().u128(..));
    let given = if present.has(Field::RequestId) { headers.get(REQUEST_ID) } else { None };
    let mut id = given.filter(|id| !id.is_empty() && id.to_str().is_ok()).map_or_else(new, HeaderValue::clone);
    // No other request has it, so that HTTP/2's tables of fields that may come again (RFC 7541) have no use for it.
    id.set_sensitive(true);
    id
}
