//! What is counted of a request once it is over.

use std::sync::{Mutex, PoisonError};

use prometheus::proto::MetricFamily;
use prometheus::{Histogram, IntCounter};

use super::edges::Edges;
use super::istio::IstioSeries;
use crate::domain::{HedgeEnd, MirrorEnd, Reason, RetryEnd, Tier};
use crate::snapshot::{PoolId, RouteId, Snapshot};
use crate::telemetry::Record;
use crate::telemetry::family::{Counters, Histograms, Labels};
use crate::telemetry::names;

/// What makes two requests count in the same series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::telemetry) struct RequestKey {
    pub(super) route: Option<RouteId>,
    /// The pool that answered or was tried last; for the local model's answers, the one that the split chose.
    pub(super) pool: Option<PoolId>,
    pub(super) tier: Option<Tier>,
    pub(super) status: u16,
    pub(super) reason: Option<Reason>,
    pub(super) retry_end: Option<RetryEnd>,
}

impl RequestKey {
    pub(in crate::telemetry) fn of(record: &Record) -> Self {
        let local = record.tier == Some(Tier::Local);
        let pool = if local { record.chosen.or(record.pool) } else { record.pool };
        Self {
            route: record.route,
            pool,
            tier: record.tier,
            status: record.status,
            reason: record.reason,
            retry_end: record.retry_end,
        }
    }

    /// A refusal is an answer that the router makes itself. One that broke off has the endpoint's status, and a client
    /// that went away was refused nothing. An injected fault has whatever status its rule gives it.
    pub(in crate::telemetry) fn refusal(self) -> Option<Reason> {
        self.reason.filter(|reason| match reason {
            Reason::ClientDisconnected => false,
            Reason::FaultInjected => true,
            reason => reason.status() == self.status,
        })
    }

    const fn response_class(self) -> &'static str {
        match self.status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "other",
        }
    }
}

/// Handles to every series that one kind of request counts in.
#[derive(Clone, Debug)]
pub(in crate::telemetry) struct RequestSeries {
    duration: Histogram,
    requests: IntCounter,
    request_bytes: IntCounter,
    response_bytes: IntCounter,
    refused: Option<IntCounter>,
    attempts: Option<IntCounter>,
    retries: Option<IntCounter>,
    retry_ended: Option<IntCounter>,
    queue_wait: Option<Histogram>,
    istio: IstioSeries,
}

impl RequestSeries {
    /// Counts one request. Atomics alone: no lock, no look-up, no allocation.
    pub(in crate::telemetry) fn count(&self, record: &Record) {
        self.duration.observe(record.duration.as_secs_f64());
        self.requests.inc();
        self.request_bytes.inc_by(record.request_bytes);
        self.response_bytes.inc_by(record.response_bytes);
        if let Some(refused) = &self.refused {
            refused.inc();
        }
        if let Some(attempts) = &self.attempts {
            attempts.inc_by(u64::from(record.attempts));
        }
        if let Some(retries) = self.retries.as_ref().filter(|_| record.retries > 0) {
            retries.inc_by(u64::from(record.retries));
        }
        if let Some(ended) = &self.retry_ended {
            ended.inc();
        }
        if let Some(queue_wait) = self.queue_wait.as_ref().filter(|_| !record.queued.is_zero()) {
            queue_wait.observe(record.queued.as_secs_f64());
        }
        self.istio.count(record.duration);
    }
}

#[derive(Debug)]
pub(super) struct RequestFamilies {
    duration: Histograms<4>,
    edges: Mutex<Edges>,
    requests: Counters<5>,
    request_bytes: Counters<2>,
    response_bytes: Counters<2>,
    spilled: Counters<3>,
    refused: Counters<2>,
    attempts: Counters<1>,
    retries: Counters<1>,
    retries_ended: Counters<2>,
    queue_wait: Histograms<1>,
    mirrored: Counters<2>,
    hedged: Counters<2>,
}

impl RequestFamilies {
    pub(super) fn new() -> Self {
        Self {
            duration: Histograms::new(&names::REQUEST_DURATION, names::DURATION_EDGES),
            edges: Mutex::default(),
            requests: Counters::new(&names::REQUESTS, ()),
            request_bytes: Counters::new(&names::REQUEST_BYTES, ()),
            response_bytes: Counters::new(&names::RESPONSE_BYTES, ()),
            spilled: Counters::new(&names::SPILLED, ()),
            refused: Counters::new(&names::REFUSED, ()),
            attempts: Counters::new(&names::ATTEMPTS, ()),
            retries: Counters::new(&names::RETRIES, ()),
            retries_ended: Counters::new(&names::RETRIES_ENDED, ()),
            queue_wait: Histograms::new(&names::QUEUE_WAIT, names::WAIT_EDGES),
            mirrored: Counters::new(&names::MIRRORED, ()),
            hedged: Counters::new(&names::HEDGED, ()),
        }
    }

    pub(super) fn series(&self, snapshot: &Snapshot, key: RequestKey, istio: IstioSeries) -> RequestSeries {
        if let Some(edges) = self.edges.lock().unwrap_or_else(PoisonError::into_inner).follow(snapshot) {
            self.duration.reshape(edges);
        }
        let route = key.route.map_or("", |route| &snapshot.route(route).name);
        let sent_to = key.pool.map(|pool| &*snapshot.pool(pool).name);
        let pool = if key.tier == Some(Tier::Local) { names::LOCAL } else { sent_to.unwrap_or_default() };
        let tier = key.tier.map_or("", Tier::as_str);
        let status = key.status.to_string();
        RequestSeries {
            duration: self.duration.with([route, pool, tier, key.response_class()]),
            requests: self.requests.with([route, pool, tier, &status, key.reason.map_or("", Reason::code)]),
            request_bytes: self.request_bytes.with([pool, tier]),
            response_bytes: self.response_bytes.with([pool, tier]),
            refused: key.refusal().map(|reason| self.refused.with([route, reason.code()])),
            attempts: sent_to.map(|pool| self.attempts.with([pool])),
            retries: sent_to.map(|pool| self.retries.with([pool])),
            retry_ended: sent_to.zip(key.retry_end).map(|(pool, end)| self.retries_ended.with([pool, end.as_str()])),
            queue_wait: sent_to.map(|pool| self.queue_wait.with([pool])),
            istio,
        }
    }

    pub(super) fn spilled(&self, snapshot: &Snapshot, pool: PoolId, reason: Reason) -> IntCounter {
        let pool = snapshot.pool(pool);
        self.spilled.with([&pool.name, pool.tier.map_or("", Tier::as_str), reason.code()])
    }

    pub(super) fn mirrored(&self, snapshot: &Snapshot, pool: PoolId, end: MirrorEnd) -> IntCounter {
        self.mirrored.with([&snapshot.pool(pool).name, end.as_str()])
    }

    pub(super) fn hedged(&self, snapshot: &Snapshot, pool: PoolId, end: HedgeEnd) -> IntCounter {
        self.hedged.with([&snapshot.pool(pool).name, end.as_str()])
    }

    pub(super) fn retain(&self, keep: &impl Fn(&Labels<'_>) -> bool) {
        self.duration.retain(keep);
        self.requests.retain(keep);
        self.request_bytes.retain(keep);
        self.response_bytes.retain(keep);
        self.spilled.retain(keep);
        self.refused.retain(keep);
        self.attempts.retain(keep);
        self.retries.retain(keep);
        self.retries_ended.retain(keep);
        self.queue_wait.retain(keep);
        self.mirrored.retain(keep);
        self.hedged.retain(keep);
    }

    pub(super) fn collect(&self) -> [MetricFamily; 12] {
        [
            self.duration.collect(),
            self.requests.collect(),
            self.request_bytes.collect(),
            self.response_bytes.collect(),
            self.spilled.collect(),
            self.refused.collect(),
            self.attempts.collect(),
            self.retries.collect(),
            self.retries_ended.collect(),
            self.queue_wait.collect(),
            self.mirrored.collect(),
            self.hedged.collect(),
        ]
    }
}
