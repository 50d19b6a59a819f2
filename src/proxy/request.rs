//! The life of a request: head, route, decision, attempt, record.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version};
use http_body::Body;
use tokio::sync::oneshot;

use super::Worker;
use super::answer;
use super::attempt::{self, Outbound};
use super::body::{self, Arriving, RequestBody};
use super::connection::Client;
use super::exchange::{Arrival, Exchange, REQUEST_ID};
use super::fault;
use super::fields::{self, TrustProto};
use super::http1::{Arrived as Came, Unreadable, Upgraded};
use super::mirror;
use super::present::{Field, Known, Present};
use super::rate_limit;
use super::refuse::{refuse, refuse_for, refuse_unrouted};
use super::relay::AnswerBody;
use super::retry::Retries;
use crate::config::Limits;
use crate::domain::Reason;
use crate::routing::{Asked, Head, normal_uri};
use crate::snapshot::{Decision, PoolId, RouteId, Snapshot, affinities, choose};

/// A request as it came.
struct Arrived {
    parts: Parts,
    body: Arriving,
    asked: Asked,
    present: Present,
    upgrade: Option<oneshot::Receiver<Upgraded>>,
}

/// Answers what has come over HTTP/1.1.
pub(super) async fn answer(worker: Rc<Worker>, client: Rc<Client>, came: Came) -> Response<AnswerBody> {
    match came {
        Came::Request(request) => serve(worker, client, request.map(Arriving::Http1)).await,
        Came::Unreadable(unreadable) => {
            let Unreadable { parts, reason, fault } = *unreadable;
            let present = Present::of(&parts.headers);
            let arrival = Arrival { asked: Asked::of(&parts).unwrap_or_default(), present };
            let exchange = Exchange::begin(worker, client, &parts, arrival);
            refuse_for(exchange, reason, fault)
        }
    }
}

/// Serves one request. It sees one snapshot from here to the end of its answer.
pub(super) async fn serve(worker: Rc<Worker>, client: Rc<Client>, request: Request<Arriving>) -> Response<AnswerBody> {
    let present = Present::of(request.headers());
    let upgrade = if wants_websocket(&request, present) { request.body().upgrade() } else { None };
    let (mut parts, body) = request.into_parts();
    let normalized = normalize(&mut parts);
    let asked = Asked::of(&parts);
    let arrival = Arrival { asked: asked.clone().unwrap_or_default(), present };
    let mut exchange = Exchange::begin(Rc::clone(&worker), Rc::clone(&client), &parts, arrival);
    let live = Arc::clone(exchange.live());
    let acceptable = normalized.and_then(|()| acceptable(&parts, &body, (live.snapshot.limits(), worker.limits)));
    let asked = match asked.and_then(|asked| acceptable.map(|()| asked)) {
        Ok(asked) => asked,
        Err(reason) => {
            body::let_go(&parts.headers, body);
            return refuse_unrouted(exchange, reason, parts.uri.path());
        }
    };
    let routed = head(&parts, &asked, &client);
    let decision = choose(&live.snapshot, &routed, worker.draw());
    let (route, share, chosen, course) = match decision {
        Decision::Forward { route, share, candidates } => {
            exchange.bind(affinities(&live.snapshot, candidates, &routed, client.address.ip(), || worker.draw()));
            (route, share, candidates[0], Ok(Course::Pools(candidates)))
        }
        Decision::Local { route, share, pool } => (route, share, pool, Ok(Course::Local(pool))),
        Decision::Refuse { chosen: Some((route, share, pool)), reason } => (route, share, pool, Err(reason)),
        Decision::Answer { route, answer } => {
            exchange.routed(Some(route), None);
            let response = match answer::preflight(&mut exchange, route, &parts) {
                Some(permission) => answer::permission(exchange, permission),
                None => match rate_limit::admit(&mut exchange, route, &parts) {
                    Ok(()) => answer::respond(exchange, route, answer, &routed),
                    Err(reason) => refuse(exchange, reason),
                },
            };
            body::let_go(&parts.headers, body);
            return response;
        }
        Decision::Refuse { chosen: None, reason } => {
            body::let_go(&parts.headers, body);
            return refuse(exchange, reason);
        }
    };
    exchange.routed(Some(route), Some(chosen));
    exchange.shared(share);
    let arrived = Arrived { parts, body, asked, present, upgrade };
    send_on(exchange, (route, share), course, arrived).await
}

/// Who is to answer.
#[derive(Clone, Copy)]
enum Course<'s> {
    Pools(&'s [PoolId]),
    /// The local model, for this pool, since none has an endpoint.
    Local(PoolId),
}

/// Sends the request on its course, unless its rule answers or aborts it first; refuses it where it has none.
async fn send_on(
    mut exchange: Exchange,
    (route, share): (RouteId, usize),
    course: Result<Course<'_>, Reason>,
    arrived: Arrived,
) -> Response<AnswerBody> {
    if let Some(permission) = answer::preflight(&mut exchange, route, &arrived.parts) {
        body::let_go(&arrived.parts.headers, arrived.body);
        return answer::permission(exchange, permission);
    }
    if let Err(reason) = rate_limit::admit(&mut exchange, route, &arrived.parts) {
        body::let_go(&arrived.parts.headers, arrived.body);
        return refuse(exchange, reason);
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
    let course = match course {
        Ok(course) => course,
        Err(reason) => {
            body::let_go(&arrived.parts.headers, arrived.body);
            return refuse(exchange, reason);
        }
    };
    // An injected delay comes before the deadlines begin, as Envoy's fault filter stands before its router.
    let deadlines = Deadlines::of(&live.snapshot, route, exchange.begun() + delayed);
    let mut outbound = match outbound(&exchange, (route, share), arrived) {
        Ok(outbound) => outbound,
        Err(reason) => return refuse(exchange, reason),
    };
    mirror::start(&exchange, route, &mut outbound);
    match course {
        Course::Pools(pools) => attempt::forward(exchange, pools, &mut outbound, deadlines).await,
        Course::Local(pool) => attempt::answer_locally(exchange, pool, &mut outbound, deadlines).await,
    }
}

/// The request as every endpoint is sent it, whichever it will be: rewritten as its rule says.
///
/// # Errors
/// [`Reason::MalformedRequest`] where what the client sent, rewritten, is no path.
fn outbound(exchange: &Exchange, (route, share): (RouteId, usize), arrived: Arrived) -> Result<Outbound, Reason> {
    let Arrived { mut parts, body, mut asked, present, upgrade } = arrived;
    let (limits, rule) = (exchange.limits(), exchange.snapshot().route(route));
    let path = rule.edits.as_ref().and_then(|_| rule.rewritten_path(&head(&parts, &asked, exchange.client())));
    let mut body =
        RequestBody::new(body, Rc::clone(exchange.meter()), limits.max_body_bytes, limits.stream_idle_timeout);
    if present.has(Field::Trailer) {
        body.expect_trailers();
    }
    rewrite_head(&mut parts, exchange, present);
    if upgrade.is_some() {
        set_upgrade(&mut parts.headers, &HeaderValue::from_static("websocket"));
    }
    if let Some(edits) = &rule.edits {
        edits.edit_request(share, &mut parts.headers);
        if let Some(rewritten) = edits.authority(share) {
            asked = Asked::Rule(rewritten.into());
        }
    }
    if let Some(path) = path {
        // What the client sent stands in it, and may be more than a path can hold.
        parts.uri = PathAndQuery::try_from(path).map(Uri::from).map_err(|_| Reason::MalformedRequest)?;
    }
    let request = Some(Request::from_parts(parts, body));
    let changed = rule.edits.is_some() || upgrade.is_some();
    let known = if changed { Known::Nothing } else { Known::AsItCame(present) };
    Ok(Outbound { request, asked, upgrade, retries: Retries::default(), known })
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

/// Puts the path into its normal form, which is what rules see, endpoints are sent and the access log shows.
fn normalize(parts: &mut Parts) -> Result<(), Reason> {
    if let Some(uri) = normal_uri(&parts.uri).map_err(|_| Reason::MalformedRequest)? {
        parts.uri = uri;
    }
    Ok(())
}

/// Refuses what can be seen to be unacceptable before anything is sent on.
fn acceptable(parts: &Parts, body: &Arriving, (limits, of_heads): (&Limits, super::Limits)) -> Result<(), Reason> {
    if parts.version == Version::HTTP_2 && is_too_large(parts, limits.max_headers, of_heads.max_header_bytes) {
        return Err(Reason::HeadTooLarge);
    }
    if parts.method == Method::CONNECT {
        return Err(Reason::MalformedRequest);
    }
    if body.size_hint().lower() > limits.max_body_bytes {
        return Err(Reason::BodyTooLarge);
    }
    Ok(())
}

/// Whether a head of HTTP/2 has more fields, or is larger as RFC 9113, section 6.5.2, counts it, than it may be.
fn is_too_large(parts: &Parts, most: u32, bytes: u32) -> bool {
    const OVERHEAD: usize = 32;
    let size = |(name, value): (&http::HeaderName, &HeaderValue)| name.as_str().len() + value.len() + OVERHEAD;
    let path = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let size = parts.headers.iter().map(size).sum::<usize>() + path;
    parts.headers.len() > usize::try_from(most).unwrap_or(usize::MAX)
        || size > usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The head, as it came to a port by a client that may speak TLS.
fn head<'a>(parts: &'a Parts, asked: &'a Asked, client: &'a Client) -> Head<'a> {
    Head {
        method: &parts.method,
        scheme: parts.uri.scheme_str().unwrap_or(client.scheme()),
        authority: asked,
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
        port: client.port,
        server_name: client.tls.as_deref().map(|peer| &*peer.server_name),
    }
}

fn wants_websocket(request: &Request<Arriving>, present: Present) -> bool {
    present.has(Field::Upgrade)
        && request.version() == Version::HTTP_11
        && fields::lists(request.headers(), &CONNECTION, "upgrade")
        && fields::lists(request.headers(), &UPGRADE, "websocket")
}

/// What every endpoint is sent, whichever it will be.
fn rewrite_head(parts: &mut Parts, exchange: &Exchange, present: Present) {
    let trust = if exchange.limits().trust_forwarded_proto { TrustProto::Yes } else { TrustProto::No };
    let client = exchange.client();
    fields::remove_hop_by_hop(&mut parts.headers, present);
    // After what the client had removed, so that it cannot have this removed.
    parts.headers.insert(REQUEST_ID, exchange.request_id().clone());
    if present.has(Field::Cookie) {
        fields::join_cookies(&mut parts.headers);
    }
    fields::append_forwarded_for(&mut parts.headers, &client.forwarded_for, present);
    fields::set_forwarded_proto(&mut parts.headers, client.scheme(), trust);
    let certificate = client.tls.as_ref().and_then(|peer| peer.certificate.as_ref());
    fields::set_client_certificate(&mut parts.headers, certificate, present);
    fields::append_via(&mut parts.headers, parts.version);
    exchange.name_in(&mut parts.headers);
}

/// Says again, on the next connection, that it is to become another protocol.
pub(super) fn set_upgrade(headers: &mut HeaderMap, protocol: &HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol.clone());
}
