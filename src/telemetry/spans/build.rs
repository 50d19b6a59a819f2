//! From a trace and its request's record to spans as OTLP has them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::Method;
use http::uri::PathAndQuery;

use super::attributes::{Attributes, known, without_secrets};
use super::{Sent, To, Trace, Try};
use crate::domain::{HedgeEnd, Reason, Tier};
use crate::snapshot::{PoolId, Snapshot};
use crate::telemetry::otlp::{Span, SpanKind, Status, StatusCode};
use crate::telemetry::trace::Context;
use crate::telemetry::{Record, flags, names};

/// W3C's sampled flag; with it OTLP says whether the parent is of another process (`SpanFlags`).
const SAMPLED: u32 = 0x01;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Statuses from here on are errors for whoever serves, and from [`CLIENT_ERROR`] on for whoever asked.
const SERVER_ERROR: u16 = 500;
const CLIENT_ERROR: u16 = 400;

/// The spans of a request that is over: its own, then one for each try. `snapshot` is the one that decided it.
pub(in crate::telemetry) fn spans(snapshot: &Snapshot, record: &Record, trace: &Trace) -> Vec<Span> {
    let end = trace.begun + record.duration;
    let tries = trace.tries.borrow();
    let mut spans = Vec::with_capacity(tries.len() + 1);
    spans.push(of_request(snapshot, record, trace));
    // What is under way at the end ended with the request, and for the same reason.
    spans.extend(tries.iter().map(|one| of_try(trace, one, (&record.method, end, record.reason))));
    spans
}

fn of_request(snapshot: &Snapshot, record: &Record, trace: &Trace) -> Span {
    let route = record.route.map(|route| &*snapshot.route(route).name);
    let method = known(&record.method);
    let method = if method == "_OTHER" { "HTTP" } else { method };
    let failed = record.status >= SERVER_ERROR
        || record.status < CLIENT_ERROR && record.reason.is_some_and(|reason| reason.status() >= SERVER_ERROR);
    let remote = if trace.context.parent.is_some() { IS_REMOTE } else { 0 };
    Span {
        name: route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}")),
        kind: SpanKind::Server.into(),
        attributes: request_attributes(snapshot, record, (trace, route, failed)),
        status: Some(status(failed, record.reason)),
        flags: SAMPLED | HAS_IS_REMOTE | remote,
        ..span(trace, trace.context, (trace.begun, trace.begun + record.duration))
    }
}

fn request_attributes(
    snapshot: &Snapshot,
    record: &Record,
    (trace, route, failed): (&Trace, Option<&str>, bool),
) -> Vec<crate::telemetry::otlp::KeyValue> {
    let name = |pool: PoolId| &*snapshot.pool(pool).name;
    let local = record.tier == Some(Tier::Local);
    let (path, query) = without_secrets(record.path.as_ref().map_or("", PathAndQuery::as_str));
    let mut all = Attributes::default();
    all.method(&record.method);
    all.put_some("http.route", route);
    all.put("url.scheme", trace.scheme);
    all.put("url.path", path);
    all.put_some("url.query", query);
    all.server(&record.authority);
    all.protocol(record.version);
    all.put("client.address", record.client.ip().to_canonical().to_string());
    all.peer(record.client);
    all.put_some("user_agent.original", trace.user_agent.as_ref().and_then(|agent| agent.to_str().ok()));
    all.status(Some(record.status));
    all.put("http.request.body.size", whole(record.request_bytes));
    all.put("http.response.body.size", whole(record.response_bytes));
    if failed {
        all.error(record.reason, Some(record.status));
    }
    all.put("guid:x-request-id", record.request_id.to_str().unwrap_or_default());
    all.put("response_flags", &*flags::short(record.reason, record.retry_end));
    all.place(if local { Some(names::LOCAL) } else { record.pool.map(name) }, record.tier);
    all.reason(record.reason);
    all.put("overspill.spilled", record.reason.is_none() && !record.spills.is_empty());
    if !record.spills.is_empty() {
        let left = |(pool, reason): &(PoolId, Reason)| format!("{} at {}", reason.code(), name(*pool));
        all.put("overspill.spills", record.spills.iter().map(left).collect::<Vec<_>>());
    }
    all.0
}

fn of_try(trace: &Trace, one: &Try, (method, end, cause): (&Method, Instant, Option<Reason>)) -> Span {
    let reason = if one.ended.is_some() { one.reason } else { cause };
    let failed = reason.is_some() || one.status.is_some_and(|status| status >= CLIENT_ERROR);
    let context = Context { span: one.id, parent: Some(trace.context.span), ..trace.context };
    let mut all = Attributes::default();
    let (name, kind) = match &one.to {
        To::Endpoint { sent, version } => {
            endpoint_attributes(&mut all, method, sent);
            if let Some(version) = version {
                all.protocol(*version);
            }
            all.status(one.status);
            let name = known(method);
            (if name == "_OTHER" { "HTTP".to_owned() } else { name.to_owned() }, SpanKind::Client)
        }
        To::LocalModel(model) => {
            all.put("overspill.model", model.as_str());
            all.place(Some(names::LOCAL), Some(Tier::Local));
            (format!("local {model}"), SpanKind::Internal)
        }
    };
    if failed {
        all.error(reason, one.status);
    }
    all.reason(reason);
    all.put_some("overspill.hedge", one.hedge.map(HedgeEnd::as_str));
    Span {
        name,
        kind: kind.into(),
        attributes: all.0,
        status: Some(status(failed, reason)),
        flags: SAMPLED | HAS_IS_REMOTE,
        ..span(trace, context, (one.begun, one.ended.unwrap_or(end)))
    }
}

fn endpoint_attributes(all: &mut Attributes, method: &Method, sent: &Sent) {
    let Sent { scheme, authority, .. } = sent;
    let (path, query) = without_secrets(&sent.path);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    all.method(method);
    all.put("url.full", format!("{scheme}://{authority}{path}{query}"));
    all.put("url.scheme", *scheme);
    all.put("url.path", path);
    all.server(authority);
    if let Some(peer) = sent.peer {
        all.peer(peer);
    }
    all.put_some("http.request.resend_count", (sent.resends > 0).then_some(i64::from(sent.resends)));
    all.place(Some(&sent.pool), sent.tier);
}

/// What every span has.
fn span(trace: &Trace, context: Context, (begun, ended): (Instant, Instant)) -> Span {
    Span {
        trace_id: context.trace.to_vec(),
        span_id: context.span.to_vec(),
        parent_span_id: context.parent.map(|parent| parent.to_vec()).unwrap_or_default(),
        trace_state: trace.state.as_ref().and_then(|state| state.to_str().ok()).unwrap_or_default().to_owned(),
        start_time_unix_nano: nanoseconds(trace, begun),
        end_time_unix_nano: nanoseconds(trace, ended),
        ..Span::default()
    }
}

/// The conventions leave it unset where nothing went wrong. What only the HTTP status says is not said twice.
fn status(failed: bool, reason: Option<Reason>) -> Status {
    let message = reason.filter(|_| failed).map(|reason| format!("{}: {}", reason.code(), reason.detail()));
    let code = if failed { StatusCode::Error } else { StatusCode::Unset };
    Status { message: message.unwrap_or_default(), code: code.into() }
}

/// A moment of the request, in nanoseconds since 1970.
fn nanoseconds(trace: &Trace, moment: Instant) -> u64 {
    let wall: Option<SystemTime> = trace.wall.checked_add(moment.saturating_duration_since(trace.begun));
    let since = wall.and_then(|wall| wall.duration_since(UNIX_EPOCH).ok()).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
