//! What is traced of a request that is sampled; all others pass by one branch.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use http::request::Parts;
use http::uri::PathAndQuery;

use super::Exchange;
use crate::domain::{HedgeEnd, Reason};
use crate::live::Live;
use crate::proxy::Worker;
use crate::proxy::attempt::Outbound;
use crate::proxy::connection::Client;
use crate::proxy::present::{Field, Present};
use crate::snapshot::PoolId;
use crate::telemetry::{Sent, Trace, Tracer};

/// The trace of a request that begins, where it is sampled.
pub(super) fn begin(
    tracer: &Tracer,
    (worker, live, client): (&Worker, &Live, &Client),
    (parts, present): (&Parts, Present),
    begun: Instant,
) -> Option<Rc<Trace>> {
    let headers = present.has(Field::Trace).then_some(&parts.headers);
    let share = live.snapshot.limits().trace_sampling;
    let trace = tracer.begin(headers, share, begun, || worker.draw())?;
    let scheme = if client.scheme() == "https" { "https" } else { "http" };
    Some(Rc::new(trace.of_client(scheme, &parts.headers)))
}

impl Exchange {
    /// What is traced of it, where it is sampled.
    pub(in crate::proxy) fn trace(&self) -> Option<&Rc<Trace>> {
        self.0.record.trace.as_ref()
    }

    /// Names the request's own span to whoever is sent the request or a copy of it, unless a try names its own.
    pub(in crate::proxy) fn name_in(&self, headers: &mut HeaderMap) {
        if let Some(trace) = self.trace() {
            trace.name_in(headers);
        }
    }

    /// Begins the span of the try that was begun last.
    pub(in crate::proxy) fn trace_try(&self, outbound: &Outbound, destination: Option<SocketAddr>) {
        if let (Some(trace), Some(tried)) = (self.trace(), self.tried()) {
            let sent = sent(&self.0.live, tried, (outbound, destination), self.attempts() - 1);
            trace.sends(sent, self.0.worker.draw());
        }
    }

    /// Begins the span of a run of the local model of this name.
    pub(in crate::proxy) fn trace_run(&self, model: &str) {
        if let Some(trace) = self.trace() {
            trace.computes(model, self.0.worker.draw());
        }
    }

    /// Ends the span of the current try, or of the local model's run.
    pub(in crate::proxy) fn trace_end(&self, reason: Option<Reason>) {
        if let Some(trace) = self.trace()
            && let Some(attempt) = trace.current()
        {
            trace.ended(attempt, reason);
        }
    }

    pub(super) fn trace_ends(&self, reason: Option<Reason>) {
        if let Some(trace) = self.trace() {
            trace.all_ended(reason);
        }
    }

    pub(super) fn trace_decided(&self, end: HedgeEnd) {
        if let Some(trace) = self.trace() {
            trace.decided(end);
        }
    }
}

/// Where the try goes whose request is `outbound`.
fn sent(
    live: &Arc<Live>,
    tried: (PoolId, usize),
    (outbound, destination): (&Outbound, Option<SocketAddr>),
    resends: u32,
) -> Sent {
    let path = outbound.request.as_ref().and_then(|request| request.uri().path_and_query());
    sent_to(live, tried, (&outbound.asked, path), (destination, resends))
}

/// Where a try goes, after `resends` others.
pub(in crate::proxy) fn sent_to(
    live: &Live,
    (pool, place): (PoolId, usize),
    (asked, path): (&str, Option<&PathAndQuery>),
    (destination, resends): (Option<SocketAddr>, u32),
) -> Sent {
    let to = live.snapshot.pool(pool);
    Sent {
        pool: Arc::clone(&to.name),
        tier: to.tier,
        peer: destination.or(to.endpoints[place].socket),
        scheme: if live.tls(pool).is_some() { "https" } else { "http" },
        authority: asked.to_owned(),
        path: path.map_or("/", PathAndQuery::as_str).to_owned(),
        resends,
    }
}
