//! From a decision to an answer: slots are taken, requests sent, and what one pool cannot serve goes to the next.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{EXPECT, SET_COOKIE, UPGRADE};
use http::uri::Scheme;
use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use tokio::time::{sleep, timeout_at};

use super::destination;
use super::exchange::Exchange;
use super::fields;
use super::local::{self, LocalAnswer};
use super::refuse::{name_server, refuse};
use super::relay::{AnswerBody, Continue, FromEndpoint, RequestBody, Stillness};
use super::request::Deadlines;
use super::tunnel;
use crate::domain::{Address, Protocol, Reason};
use crate::live::{Held, Live};
use crate::pool::{Admission, Outcome};
use crate::routing::host_of;
use crate::snapshot::PoolId;
use crate::upstream::{Answer, Secured, Target, Unanswered};

/// Endpoints of one pool that are tried for a request before it spills: Istio's default of two retries.
const TRIES_PER_POOL: usize = 3;
/// How long an endpoint has to ask for a body that its client holds back, before it is sent unasked as RFC 9110, section
/// 10.1.1, allows.
const CONTINUE_PATIENCE: Duration = Duration::from_secs(1);

/// A request on its way out.
pub(super) struct Outbound {
    /// The request; away while it is being sent.
    pub(super) request: Option<Request<RequestBody>>,
    /// The host and port that the client asked for.
    pub(super) authority: String,
    /// The client's connection, if it is to become a WebSocket.
    pub(super) upgrade: Option<OnUpgrade>,
}

/// Who answered.
enum Served {
    Endpoint(PoolId, Box<(Answer<RequestBody>, Held)>),
    Local(LocalAnswer),
}

/// Why a pool did not answer.
enum Unserved {
    /// Nothing of the request is spent; the next may try.
    Spill(Reason),
    /// It was sent, at least in part.
    Broken(Reason),
}

/// Sends the request to the first of `candidates` that takes it; then to the local model, where it may answer; then waits
/// in the queue of the first pool that was full.
pub(super) async fn forward(
    mut exchange: Exchange,
    candidates: &[PoolId],
    mut outbound: Outbound,
    deadlines: Deadlines,
) -> Response<AnswerBody> {
    let search = search(&mut exchange, candidates, &mut outbound, deadlines);
    let found = within(deadlines, search).await;
    conclude(exchange, found, outbound, deadlines)
}

/// Answers from the local model, since no pool has an endpoint.
pub(super) async fn answer_locally(
    mut exchange: Exchange,
    pool: PoolId,
    mut outbound: Outbound,
    deadlines: Deadlines,
) -> Response<AnswerBody> {
    exchange.spilled(pool, Reason::NoEndpoint);
    let answer = local::answer(&mut exchange, &mut outbound, deadlines);
    let found = within(deadlines, async { answer.await.map(Served::Local) }).await;
    let found =
        found.map_err(|reason| exchange.meter().broken().unwrap_or_else(|| without_a_queue(&exchange, Some(reason))));
    conclude(exchange, found, outbound, deadlines)
}

async fn within(deadlines: Deadlines, search: impl Future<Output = Result<Served, Reason>>) -> Result<Served, Reason> {
    match deadlines.head {
        Some(deadline) => timeout_at(deadline.into(), search).await.unwrap_or(Err(Reason::RequestTimeout)),
        None => search.await,
    }
}

async fn search(
    exchange: &mut Exchange,
    candidates: &[PoolId],
    outbound: &mut Outbound,
    deadlines: Deadlines,
) -> Result<Served, Reason> {
    for pool in candidates {
        match try_pool(exchange, *pool, outbound).await {
            Ok(served) => return Ok(served),
            Err(Unserved::Spill(reason)) => exchange.spilled(*pool, reason),
            Err(Unserved::Broken(reason)) => return Err(reason),
        }
    }
    let local = if exchange.snapshot().pool(candidates[0]).local_model {
        // What is rare is boxed: it would make the future of every request as large as itself.
        match Box::pin(local::answer(exchange, outbound, deadlines)).await {
            Ok(answer) => return Ok(Served::Local(answer)),
            Err(reason) => Some(reason),
        }
    } else {
        None
    };
    if let Some(reason) = exchange.meter().broken() {
        return Err(reason);
    }
    let full = exchange.spills().iter().find(|(_, reason)| *reason == Reason::SlotsTaken);
    match full.map(|(pool, _)| *pool) {
        Some(pool) => Box::pin(wait_for(exchange, pool, outbound, deadlines)).await,
        None => Err(without_a_queue(exchange, local)),
    }
}

/// What a client is told when every pool is out of reach: the local model's overload, which passes, before the pools'.
fn without_a_queue(exchange: &Exchange, local: Option<Reason>) -> Reason {
    match local {
        Some(reason @ (Reason::LocalQueueFull | Reason::LocalFailed | Reason::RequestTimeout)) => reason,
        _ => exchange.spills().first().map_or(Reason::NoEndpoint, |(_, reason)| *reason),
    }
}

async fn wait_for(
    exchange: &mut Exchange,
    pool: PoolId,
    outbound: &mut Outbound,
    deadlines: Deadlines,
) -> Result<Served, Reason> {
    let live = Arc::clone(exchange.live());
    let to = live.snapshot.pool(pool);
    let patience = Instant::now() + to.queue_timeout;
    let until = deadlines.head.map_or(patience, |deadline| deadline.min(patience));
    let mut tried = Vec::new();
    loop {
        let begun = Instant::now();
        let waited = live.wait(pool, exchange.draw(pool), &tried, until).await;
        exchange.queued(begun.elapsed());
        let (place, held) = waited?;
        match send(exchange, (pool, place), held, outbound).await {
            Ok(served) => {
                exchange.unspilled(pool);
                return Ok(served);
            }
            Err(Unserved::Broken(reason)) => return Err(reason),
            // An endpoint that refuses has slots free, and no use for them; the others may be worth waiting for.
            Err(Unserved::Spill(reason)) if tried.len() + 1 == to.endpoints.len() => return Err(reason),
            Err(Unserved::Spill(_)) => tried.push(place),
        }
    }
}

async fn try_pool(exchange: &mut Exchange, pool: PoolId, outbound: &mut Outbound) -> Result<Served, Unserved> {
    let live = Arc::clone(exchange.live());
    let mut tried = Vec::new();
    let mut last = None;
    while tried.len() < TRIES_PER_POOL {
        let (place, held) = match live.take(pool, exchange.draw(pool), &tried) {
            Ok(taken) => taken,
            // A pool that has a full endpoint left is worth waiting for; one whose others all failed is not.
            Err(Reason::SlotsTaken) => return Err(Unserved::Spill(Reason::SlotsTaken)),
            Err(reason) => return Err(Unserved::Spill(last.unwrap_or(reason))),
        };
        match send(exchange, (pool, place), held, outbound).await {
            Err(Unserved::Spill(reason)) => last = Some(reason),
            ended => return ended,
        }
        tried.push(place);
    }
    Err(Unserved::Spill(last.unwrap_or(Reason::ConnectFailed)))
}

/// Sends the request to one endpoint.
async fn send(
    exchange: &mut Exchange,
    (pool, place): (PoolId, usize),
    held: Held,
    outbound: &mut Outbound,
) -> Result<Served, Unserved> {
    let live = Arc::clone(exchange.live());
    let (to, endpoint) = (live.snapshot.pool(pool), &live.snapshot.pool(pool).endpoints[place]);
    let brought = destination::brought(exchange, to.original.as_deref(), &outbound.authority).await;
    let destination = brought.map_err(Unserved::Spill)?;
    let Some(socket) = destination.or(endpoint.socket) else { return Err(Unserved::Spill(Reason::NoEndpoint)) };
    let Some(mut request) = outbound.request.take() else {
        return Err(Unserved::Broken(Reason::UpstreamReset));
    };
    exchange.attempted(pool, place, destination);
    let brought = destination.map(Address::Original);
    let client = live.tls(pool);
    let scheme = if client.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    fields::shape(&mut request, to.protocol, scheme, &outbound.authority);
    let host = client.map(|_| host_of(&outbound.authority)).unwrap_or_default();
    let target = Target {
        address: brought.as_ref().unwrap_or(&endpoint.address),
        socket,
        protocol: to.protocol,
        tls: client.map(|client| Secured { client, host: &host }),
        connect_timeout: to.connect_timeout,
        max_requests: to.max_requests_per_connection,
    };
    let continued = expects_continue(&request, to.protocol).then(|| hold_body(&mut request));
    let worker = Rc::clone(exchange.worker());
    let sent = loop {
        let spare = repeated(&request);
        let sending = worker.connections.send(target, request);
        let sent = match &continued {
            Some(continued) => send_patiently(sending, continued).await,
            None => sending.await,
        };
        match (sent, spare) {
            // Each turn uses up an idle connection, so that this ends with a new one.
            (Err(Unanswered { request: None, reused: true, reason: Reason::UpstreamReset }), Some(spare)) => {
                request = spare;
            }
            (sent, _) => break sent,
        }
    };
    match sent {
        Ok(answer) => {
            note(&live, (pool, place), Outcome::Answered(answer.response.status().as_u16()));
            Ok(Served::Endpoint(pool, Box::new((answer, held))))
        }
        Err(Unanswered { reason, request: Some(request), .. }) => {
            outbound.request = Some(request);
            note(&live, (pool, place), Outcome::ConnectFailed);
            Err(Unserved::Spill(reason))
        }
        Err(Unanswered { reason, request: None, .. }) => {
            let broken = exchange.meter().broken();
            if broken.is_none() {
                note(&live, (pool, place), Outcome::Reset);
            }
            Err(Unserved::Broken(broken.unwrap_or(reason)))
        }
    }
}

/// Notes how an attempt went, and logs what that makes of the endpoint.
fn note(live: &Live, (pool, place): (PoolId, usize), outcome: Outcome) {
    let pool = live.snapshot.pool(pool);
    let Some(admission) = pool.note(place, outcome, || live.now()) else { return };
    let endpoint = &pool.endpoints[place].name;
    if admission == Admission::Ejected {
        tracing::warn!(pool = %pool.name, %endpoint, ?outcome, "endpoint ejected");
    } else {
        tracing::info!(pool = %pool.name, %endpoint, "endpoint admits requests again");
    }
}

/// The same request once more, where it may be sent twice: an endpoint that closes a kept-alive connection just as it is
/// reused may or may not have seen it (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1).
fn repeated(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !request.method().is_idempotent() {
        return None;
    }
    let body = request.body().repeated()?;
    let mut again = Request::new(body);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}

fn expects_continue(request: &Request<RequestBody>, protocol: Protocol) -> bool {
    protocol == Protocol::Http1 && fields::lists(request.headers(), &EXPECT, "100-continue")
}

/// Holds the body back until the endpoint answers 100, so that one which refuses by the head alone is never sent it, and
/// the client is not asked for it.
fn hold_body(request: &mut Request<RequestBody>) -> Arc<Continue> {
    let continued = Arc::new(Continue::default());
    request.body_mut().hold_until(Arc::clone(&continued));
    let asked = Arc::clone(&continued);
    hyper::ext::on_informational(request, move |response| {
        if response.status() == http::StatusCode::CONTINUE {
            asked.ask();
        }
    });
    continued
}

async fn send_patiently<T>(sending: impl Future<Output = T>, continued: &Continue) -> T {
    let mut sending = std::pin::pin!(sending);
    tokio::select! {
        sent = &mut sending => return sent,
        () = sleep(CONTINUE_PATIENCE) => continued.ask(),
    }
    sending.await
}

/// Turns what was found into the client's answer.
fn conclude(
    mut exchange: Exchange,
    found: Result<Served, Reason>,
    outbound: Outbound,
    deadlines: Deadlines,
) -> Response<AnswerBody> {
    match found {
        Err(reason) => {
            if let Some((head, body)) = outbound.request.map(Request::into_parts) {
                body.let_go(&head.headers);
            }
            refuse(exchange, reason)
        }
        Ok(Served::Local(answer)) => local::respond(exchange, answer),
        Ok(Served::Endpoint(pool, served)) => {
            let (Answer { mut response, lease }, held) = *served;
            let live = Arc::clone(exchange.live());
            let to = live.snapshot.pool(pool);
            exchange.answered(response.status().as_u16(), to.tier);
            let protocol = response.headers_mut().remove(UPGRADE);
            fields::remove_hop_by_hop(response.headers_mut());
            exchange.edit_answer(response.headers_mut());
            let version = response.version();
            fields::append_via(response.headers_mut(), version);
            name_server(&mut response, &exchange, to.tier, &to.name);
            if let Some(cookie) = exchange.affinity(pool).and_then(|affinity| affinity.set_cookie.clone()) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
                return tunnel::join(exchange, response, protocol, (outbound.upgrade, held));
            }
            // Each hop speaks its own version (RFC 9110, section 6.2).
            *response.version_mut() = http::Version::HTTP_11;
            let stillness = Stillness::new(exchange.limits().stream_idle_timeout, deadlines.whole);
            response.map(|body| {
                let source = FromEndpoint { body, lease: Some(lease), held: Some(held), stillness };
                AnswerBody::relayed(source, exchange)
            })
        }
    }
}
