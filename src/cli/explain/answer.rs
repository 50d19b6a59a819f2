//! What becomes of a request, as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::outcome::{Outcome, fields};
use super::policy;
use super::views::View;
use crate::config::Problem;
use crate::domain::{Reason, Tier};
use crate::routing::Head;
use crate::snapshot::{Action, Mirror, PoolId, Route, RouteId, Snapshot, Trace, trace};

/// One request before one proxy.
pub(super) struct Answer<'a> {
    pub(super) view: &'a View,
    pub(super) head: &'a Head<'a>,
    /// How many times the weighted choice is drawn.
    pub(super) draw: Option<u32>,
}

impl Answer<'_> {
    /// The whole answer.
    pub(super) fn as_json(&self) -> Value {
        let snapshot = &self.view.snapshot;
        let trace = trace(snapshot, self.head);
        let weights = weights(snapshot, &trace);
        let places = weights.iter().enumerate().rev();
        let heaviest = places.max_by_key(|(_, (_, weight))| *weight).map(|(share, (pool, _))| (share, *pool));
        let matched = trace.matched();
        let route = matched.map(|route| snapshot.route(route));
        let outcome = route.map(|route| Outcome::of(route, self.head, heaviest.map(|(share, _)| share)));
        let outcome = outcome.unwrap_or_default();
        let unmatched = matched.is_none().then_some(Reason::RouteNotFound);
        // What is answered here, with a status, goes nowhere.
        let destined = heaviest.filter(|_| outcome.status.is_none());
        let mut answer = json!({
            "matched": matched.is_some(),
            "host_known": trace.host_known,
            "route": route.map(|route| &*route.name),
            "destination": destined.map(|(_, pool)| destination(snapshot, pool)),
            "weights": weights.iter().map(|(pool, weight)| weighted(snapshot, (matched, *pool), *weight)).collect::<Vec<_>>(),
            "considered": considered(snapshot, &trace),
            "reason": unmatched.map(Reason::code),
            "status": outcome.status.or(unmatched.map(Reason::status)),
            "location": outcome.location,
            "body": outcome.body,
            "response_headers": fields(&outcome.response_headers),
            "upstream": outcome.upstream,
            "timeout_ms": route.and_then(timeout_ms),
            "retries": route.and_then(retries),
            "mirrors": route.map(|route| mirrors(snapshot, route)).unwrap_or_default(),
            "fault": outcome.fault,
            "policy": route.and_then(|route| route.policy.as_deref()).map(policy::described),
            "findings": route.map(|route| self.findings(route)).unwrap_or_default(),
        });
        if let Some((route, times)) = route.zip(self.draw) {
            answer["draws"] = draws(snapshot, route, times);
        }
        answer
    }

    /// What is wrong with the document that `route` is of, and with that of its policy.
    fn findings(&self, route: &Route) -> Vec<&Problem> {
        let policy = route.policy.as_ref().map(|policy| &*policy.document);
        let of_document = |problem: &&Problem| {
            let document = problem.place.document.as_deref();
            document == Some(&*route.document) || (document.is_some() && document == policy)
        };
        self.view.problems.iter().filter(of_document).collect()
    }
}

/// The answer to what is no request, for the reason `error`: all that an answer has, with nothing in it.
pub(super) fn unasked(error: &str) -> Value {
    json!({
        "error": error,
        "matched": false,
        "host_known": false,
        "route": null,
        "destination": null,
        "weights": [],
        "considered": [],
        "reason": null,
        "status": null,
        "location": null,
        "body": null,
        "response_headers": {},
        "upstream": null,
        "timeout_ms": null,
        "retries": null,
        "mirrors": [],
        "fault": null,
        "policy": null,
        "findings": [],
    })
}

/// Each pool that the rule's split may choose, with its weight, in the order of the documents.
pub(super) fn weights(snapshot: &Snapshot, trace: &Trace<'_>) -> Vec<(PoolId, u64)> {
    let Some(route) = trace.matched() else { return Vec::new() };
    snapshot.route(route).weights().map(|(weight, pool)| (pool, weight)).collect()
}

/// Where a request for `pool` may be served, in order.
pub(super) fn overflow(snapshot: &Snapshot, pool: PoolId) -> Vec<&str> {
    let pools = snapshot.overflow(pool).iter().map(|next| &*snapshot.pool(*next).name);
    pools.chain(snapshot.pool(pool).local_model.then_some("local")).collect()
}

fn destination(snapshot: &Snapshot, pool: PoolId) -> Value {
    let key = &snapshot.pool(pool).key;
    json!({ "host": key.host.as_str(), "subset": key.subset, "port": key.port })
}

fn weighted(snapshot: &Snapshot, (route, pool): (Option<RouteId>, PoolId), weight: u64) -> Value {
    let mut entry = destination(snapshot, pool);
    entry["weight"] = json!(weight);
    entry["tier"] = json!(snapshot.pool(pool).tier.map(Tier::as_str));
    entry["latency_objective_ms"] = json!(snapshot.objective(route, pool).map(milliseconds));
    entry["overflow"] = json!(overflow(snapshot, pool));
    entry
}

fn considered(snapshot: &Snapshot, trace: &Trace<'_>) -> Vec<Value> {
    let one = |considered: &crate::snapshot::Considered<'_>| {
        let route = snapshot.route(considered.route);
        let failed = considered.alternatives.iter().flatten().map(ToString::to_string);
        json!({
            "route": &*route.name,
            "origin": route.origin,
            "matched": considered.matched(),
            "failed": failed.collect::<Vec<_>>(),
        })
    };
    trace.considered.iter().map(one).collect()
}

/// The rule's own timeout; none at all reads as none set, for either leaves the request without one in Istio.
fn timeout_ms(route: &Route) -> Option<u64> {
    route.timeout.filter(|timeout| !timeout.is_zero()).map(milliseconds)
}

/// What is sent again where it fails, with Istio's defaults; none for a rule that answers itself.
fn retries(route: &Route) -> Option<Value> {
    let Action::Forward(_) = route.action else { return None };
    let policy = route.retries();
    Some(json!({
        "attempts": policy.retries,
        "per_try_timeout_ms": policy.per_try_timeout.map(milliseconds),
        "retry_on": policy.written,
        "backoff_ms": milliseconds(policy.backoff),
    }))
}

/// Each destination that is sent a copy, with the percentage of the requests.
fn mirrors(snapshot: &Snapshot, route: &Route) -> Vec<Value> {
    let one = |mirror: &Mirror| {
        let mut entry = destination(snapshot, mirror.pool);
        entry["percentage"] = json!(mirror.share.percent());
        entry
    };
    route.mirrors.iter().map(one).collect()
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How often each destination of the rule was chosen of `times` draws.
fn draws(snapshot: &Snapshot, route: &Route, times: u32) -> Value {
    let entry = |(pool, count)| {
        let mut entry = destination(snapshot, pool);
        entry["count"] = json!(count);
        entry
    };
    drawn(route, times).into_iter().map(entry).collect()
}

/// How often each pool of the rule's split is chosen in so many draws.
pub(super) fn drawn(route: &Route, times: u32) -> Vec<(PoolId, u32)> {
    let Action::Forward(split) = &route.action else { return Vec::new() };
    let mut counts = vec![0_u32; split.weights().count()];
    for _ in 0..times {
        if let Some(count) = counts.get_mut(split.place(fastrand::u64(..))) {
            *count += 1;
        }
    }
    split.weights().zip(counts).map(|((_, pool), count)| (pool, count)).collect()
}
