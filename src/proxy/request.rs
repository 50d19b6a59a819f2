//! The life of a request: head, route, decision, attempt, record.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, HOST, TRAILER, UPGRADE};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version};
use hyper::body::{Body, Incoming};
use hyper::upgrade::OnUpgrade;

use super::Worker;
use super::answer;
use super::attempt::{self, Outbound};
use super::body::{self, RequestBody};
use super::connection::Client;
use super::exchange::Exchange;
use super::fault;
use super::fields::{self, TrustProto};
use super::mirror;
use super::refuse::refuse;
use super::relay::AnswerBody;
use super::retry::Retries;
use crate::config::Limits;
use crate::domain::Reason;
use crate::routing::Head;
use crate::snapshot::{Decision, PoolId, RouteId, Snapshot, affinities, choose};
use crate::tls::Peer;

/// A request as it came.
struct Arrived {
    parts: Parts,
    body: Incoming,
    authority: String,
    upgrade: Option<OnUpgrade>,
}

/// Serves one request. It sees one snapshot from here to the end of its answer.
pub(super) async fn serve(worker: Rc<Worker>, client: Client, mut request: Request<Incoming>) -> Response<AnswerBody> {
    let upgrade = wants_websocket(&request).then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let authority = authority(&parts);
    let (port, peer) = (client.port, client.tls.clone());
    let mut exchange = Exchange::begin(Rc::clone(&worker), client, &parts, authority.as_deref().unwrap_or_default());
    let live = Arc::clone(exchange.live());
    let limits = live.snapshot.limits();
    let authority = match authority.and_then(|authority| acceptable(&parts, &body, limits).map(|()| authority)) {
        Ok(authority) => authority,
        Err(reason) => {
            body::let_go(&parts.headers, body);
            return refuse(exchange, reason);
        }
    };
    let routed = head(&parts, &authority, (port, peer.as_deref()));
    let decision = choose(&live.snapshot, &routed, worker.draw());
    let (route, share, chosen) = match decision {
        Decision::Forward { route, share, candidates } => {
            let client = exchange.client().ip();
            exchange.bind(affinities(&live.snapshot, candidates, &routed, client, || worker.draw()));
            (route, share, candidates[0])
        }
        Decision::Local { route, share, pool } => (route, share, pool),
        Decision::Answer { route, answer } => {
            exchange.routed(Some(route), None);
            let response = match answer::preflight(&mut exchange, route, &parts) {
                Some(permission) => answer::permission(exchange, permission),
                None => answer::respond(exchange, route, answer, &routed),
            };
            body::let_go(&parts.headers, body);
            return response;
        }
        Decision::Refuse { route, pool, reason } => {
            exchange.routed(route, pool);
            body::let_go(&parts.headers, body);
            return refuse(exchange, reason);
        }
    };
    exchange.routed(Some(route), Some(chosen));
    exchange.shared(share);
    let arrived = Arrived { parts, body, authority, upgrade };
    let course = match decision {
        Decision::Forward { candidates, .. } => Course::Pools(candidates),
        _ => Course::Local(chosen),
    };
    send_on(exchange, (route, share), course, arrived).await
}

/// Who is to answer.
#[derive(Clone, Copy)]
enum Course<'s> {
    Pools(&'s [PoolId]),
    /// The local model, for this pool, since none has an endpoint.
    Local(PoolId),
}

/// Sends the request on its course, unless its rule answers or aborts it first.
async fn send_on(
    mut exchange: Exchange,
    (route, share): (RouteId, usize),
    course: Course<'_>,
    arrived: Arrived,
) -> Response<AnswerBody> {
    if let Some(permission) = answer::preflight(&mut exchange, route, &arrived.parts) {
        return answer::permission(exchange, permission);
    }
    let live = Arc::clone(exchange.live());
    let (delayed, aborted) = match &live.snapshot.route(route).fault {
        Some(fault) => fault::inject(&exchange, fault).await,
        None => (Duration::ZERO, None),
    };
    if let Some(aborted) = aborted {
        let response = fault::abort(exchange, aborted, &arrived.parts.headers);
        body::let_go(&arrived.parts.headers, arrived.body);
        return response;
    }
    // An injected delay comes before the deadlines begin, as Envoy's fault filter stands before its router.
    let deadlines = Deadlines::of(&live.snapshot, route, exchange.begun() + delayed);
    let mut outbound = match outbound(&exchange, (route, share), arrived) {
        Ok(outbound) => outbound,
        Err(reason) => return refuse(exchange, reason),
    };
    mirror::start(&exchange, route, &mut outbound);
    match course {
        Course::Pools(pools) => attempt::forward(exchange, pools, outbound, deadlines).await,
        Course::Local(pool) => attempt::answer_locally(exchange, pool, outbound, deadlines).await,
    }
}

/// The request as every endpoint is sent it, whichever it will be: rewritten as its rule says.
///
/// # Errors
/// [`Reason::MalformedRequest`] where what the client sent, rewritten, is no path.
fn outbound(exchange: &Exchange, (route, share): (RouteId, usize), arrived: Arrived) -> Result<Outbound, Reason> {
    let Arrived { mut parts, body, mut authority, upgrade } = arrived;
    let (limits, rule) = (exchange.limits(), exchange.snapshot().route(route));
    let path = rule.rewritten_path(&head(&parts, &authority, (exchange.port(), exchange.peer())));
    let mut body =
        RequestBody::new(body, Rc::clone(exchange.meter()), limits.max_body_bytes, limits.stream_idle_timeout);
    if parts.headers.contains_key(TRAILER) {
        body.expect_trailers();
    }
    rewrite_head(&mut parts, exchange, upgrade.is_some());
    if let Some(edits) = &rule.edits {
        edits.edit_request(share, &mut parts.headers);
        if let Some(rewritten) = edits.authority(share) {
            rewritten.clone_into(&mut authority);
        }
    }
    if let Some(path) = path {
        // What the client sent stands in it, and may be more than a path can hold.
        parts.uri = PathAndQuery::try_from(path).map(Uri::from).map_err(|_| Reason::MalformedRequest)?;
    }
    let request = Some(Request::from_parts(parts, body));
    Ok(Outbound { request, authority, upgrade, retries: Retries::default() })
}

/// When a request must have been answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// When the answer must have begun; `None` for a route without any timeout.
    pub(super) head: Option<Instant>,
    /// When it must be over: only for a route that sets its own timeout, which as in Istio covers the whole exchange.
    pub(super) whole: Option<Instant>,
}

impl Deadlines {
    fn of(snapshot: &Snapshot, route: RouteId, begun: Instant) -> Self {
        match snapshot.route(route).timeout {
            Some(Duration::ZERO) => Self { head: None, whole: None },
            Some(timeout) => Self { head: Some(begun + timeout), whole: Some(begun + timeout) },
            None => Self { head: Some(begun + snapshot.limits().request_timeout), whole: None },
        }
    }
}

/// What the request is for: the host of its target if that is absolute (RFC 9112, section 3.2.2), else of its one `Host`.
fn authority(parts: &Parts) -> Result<String, Reason> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Reason::MalformedRequest);
    }
    if let Some(authority) = parts.uri.authority() {
        return Ok(authority.as_str().to_owned());
    }
    match host {
        Some(host) if host.is_empty() => Ok(String::new()),
        // RFC 9112, section 3.2: an invalid value is refused, never passed on.
        Some(host) => match Authority::try_from(host.as_bytes()) {
            Ok(authority) if !authority.as_str().contains('@') => Ok(authority.as_str().to_owned()),
            _ => Err(Reason::MalformedRequest),
        },
        // HTTP/1.0 knows no Host; such a request is for whatever answers to every host.
        None if parts.version == Version::HTTP_10 => Ok(String::new()),
        None => Err(Reason::MalformedRequest),
    }
}

/// Refuses what can be seen to be unacceptable before anything is sent on.
fn acceptable(parts: &Parts, body: &Incoming, limits: &Limits) -> Result<(), Reason> {
    if parts.method == Method::CONNECT {
        return Err(Reason::MalformedRequest);
    }
    if body.size_hint().lower() > limits.max_body_bytes {
        return Err(Reason::BodyTooLarge);
    }
    Ok(())
}

/// The head, as it came to a port by a client that may speak TLS.
fn head<'a>(parts: &'a Parts, authority: &'a str, (port, peer): (u16, Option<&'a Peer>)) -> Head<'a> {
    Head {
        method: &parts.method,
        scheme: parts.uri.scheme_str().unwrap_or(if peer.is_some() { "https" } else { "http" }),
        authority,
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
        port,
        server_name: peer.map(|peer| &*peer.server_name),
    }
}

fn wants_websocket(request: &Request<Incoming>) -> bool {
    request.version() == Version::HTTP_11
        && fields::lists(request.headers(), &CONNECTION, "upgrade")
        && fields::lists(request.headers(), &UPGRADE, "websocket")
}

/// What every endpoint is sent, whichever it will be.
fn rewrite_head(parts: &mut Parts, exchange: &Exchange, upgrades: bool) {
    let trust = if exchange.limits().trust_forwarded_proto { TrustProto::Yes } else { TrustProto::No };
    fields::remove_hop_by_hop(&mut parts.headers);
    if upgrades {
        set_upgrade(&mut parts.headers, &HeaderValue::from_static("websocket"));
    }
    // After what the client had removed, so that it cannot have this removed.
    if let Ok(id) = HeaderValue::from_str(exchange.request_id()) {
        parts.headers.insert("x-request-id", id);
    }
    fields::join_cookies(&mut parts.headers);
    fields::set_forwarded(&mut parts.headers, exchange.client(), exchange.scheme(), trust);
    fields::set_client_certificate(&mut parts.headers, exchange.peer().and_then(|peer| peer.certificate.as_ref()));
    fields::append_via(&mut parts.headers, parts.version);
}

/// Says again, on the next connection, that it is to become another protocol.
pub(super) fn set_upgrade(headers: &mut HeaderMap, protocol: &HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol.clone());
}
