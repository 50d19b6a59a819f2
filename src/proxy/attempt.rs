//! From a decision to an answer: slots are taken, requests sent, and what one pool cannot serve goes to the next.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::header::{SET_COOKIE, UPGRADE};
use http::{Request, Response};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::alarm::Alarms;
use super::body::RequestBody;
use super::exchange::Exchange;
use super::fields;
use super::hedge::send_hedged;
use super::hold;
use super::http1::Upgraded;
use super::load;
use super::local::{self, LocalAnswer};
use super::present::{Field, Known, Present};
use super::refuse::{name_server, refuse, refuse_as};
use super::relay::{AnswerBody, FromEndpoint, Stillness};
use super::request::Deadlines;
use super::retry::{self, Elsewhere, Retries, Tries, Verdict, judge};
use super::send::note;
use super::tunnel;
use crate::domain::Reason;
use crate::fallback::Api;
use crate::live::{Held, Wait};
use crate::pool::Outcome;
use crate::routing::Asked;
use crate::snapshot::{Full, PoolId};
use crate::upstream::Answer;

/// A request on its way out.
pub(super) struct Outbound {
    /// The request. HTTP/1 leaves its head here while it is sent, and what is unread of its body; HTTP/2 takes it away.
    pub(super) request: Option<Request<RequestBody>>,
    /// The host and port that the client asked for.
    pub(super) asked: Asked,
    /// The client's connection, if it is to become a WebSocket.
    pub(super) upgrade: Option<oneshot::Receiver<Upgraded>>,
    /// What its tries have in common.
    pub(super) retries: Retries,
    /// What is known of its head until it is tried.
    pub(super) known: Known,
}

/// Who answered.
pub(super) enum Served {
    Endpoint(PoolId, Box<(Answer<RequestBody>, Held)>),
    Local(LocalAnswer),
}

/// Why a pool did not answer.
pub(super) enum Unserved {
    /// Nothing of the request is spent; the next may try.
    Spill(Reason),
    /// It was sent, at least in part.
    Broken(Reason),
}

/// Sends the request to the first of `candidates` that takes it; then to the local model, where it may answer; then waits
/// in the queue whose turn comes soonest.
pub(super) async fn forward(
    mut exchange: Exchange,
    candidates: &[PoolId],
    outbound: &mut Outbound,
    deadlines: Deadlines,
) -> Response<AnswerBody> {
    outbound.retries = outbound
        .request
        .as_mut()
        .map_or_else(Retries::default, |request| Retries::prepare(&exchange, candidates, request));
    let worker = Rc::clone(exchange.worker());
    let found = {
        let search = pin!(search(&mut exchange, candidates, outbound, deadlines));
        within(&worker.alarms, deadlines, search).await
    };
    // As in Envoy, only an endpoint that has the whole request is to blame.
    if let (Err(Reason::RequestTimeout), Some(tried), true) = (&found, exchange.trying(), exchange.meter().is_over()) {
        note(exchange.live(), tried, Outcome::TimedOut);
    }
    conclude(exchange, found, outbound, deadlines)
}

/// Answers from the local model, since no pool has an endpoint.
pub(super) async fn answer_locally(
    mut exchange: Exchange,
    pool: PoolId,
    outbound: &mut Outbound,
    deadlines: Deadlines,
) -> Response<AnswerBody> {
    exchange.spilled(pool, Reason::NoEndpoint);
    let worker = Rc::clone(exchange.worker());
    let found = {
        let answer = local::answer(&mut exchange, outbound, deadlines);
        within(&worker.alarms, deadlines, Box::pin(async { answer.await.map(Served::Local) }).as_mut()).await
    };
    let found = found.map_err(|reason| {
        exchange.declined(reason);
        exchange.meter().broken().unwrap_or_else(|| without_a_queue(&exchange, Some(reason)))
    });
    conclude(exchange, found, outbound, deadlines)
}

/// Pinned by the caller, since whatever is handed to a future takes its room twice.
async fn within(
    alarms: &Alarms,
    deadlines: Deadlines,
    search: Pin<&mut impl Future<Output = Result<Served, Reason>>>,
) -> Result<Served, Reason> {
    match deadlines.head {
        Some(deadline) => alarms.within(deadline, search).await.unwrap_or(Err(Reason::RequestTimeout)),
        None => search.await,
    }
}

async fn search(
    exchange: &mut Exchange,
    candidates: &[PoolId],
    outbound: &mut Outbound,
    deadlines: Deadlines,
) -> Result<Served, Reason> {
    let may_be_local = exchange.snapshot().pool(candidates[0]).local_model;
    for (nth, pool) in (1..).zip(candidates) {
        let elsewhere = if nth < candidates.len() || may_be_local { Elsewhere::Something } else { Elsewhere::Nothing };
        let mut tried = try_pool(exchange, *pool, outbound, elsewhere).await;
        if let Err(Unserved::Spill(Reason::SlotsTaken)) = tried {
            // What is rare is boxed: it would make the future of every request as large as itself.
            tried = Box::pin(weigh(exchange, (*pool, &candidates[nth..]), outbound, deadlines)).await;
        }
        match tried {
            Ok(served) => return Ok(served),
            Err(Unserved::Spill(reason)) => exchange.spilled(*pool, reason),
            Err(Unserved::Broken(reason)) => return Err(reason),
        }
        retry::leave(&mut outbound.retries);
    }
    let local = if may_be_local {
        match Box::pin(local::answer(exchange, outbound, deadlines)).await {
            Ok(answer) => return Ok(Served::Local(answer)),
            Err(reason) => {
                exchange.declined(reason);
                Some(reason)
            }
        }
    } else {
        None
    };
    if let Some(reason) = exchange.meter().broken() {
        return Err(reason);
    }
    let full = |(_, reason): &&(PoolId, Reason)| matches!(reason, Reason::SlotsTaken | Reason::WaitTooLong);
    let full: Vec<PoolId> = exchange.spills().iter().filter(full).map(|(pool, _)| *pool).collect();
    let urgency = exchange.urgency().unwrap_or_else(|| exchange.patience());
    let reason = match exchange.snapshot().place_to_wait(&full, urgency) {
        Some(pool) => match Box::pin(wait_for(exchange, pool, outbound, patience(exchange, pool, deadlines))).await {
            Ok(served) => return Ok(served),
            Err(Unserved::Broken(reason)) => return Err(reason),
            Err(Unserved::Spill(reason)) => reason,
        },
        None => without_a_queue(exchange, local),
    };
    if hold::holds(exchange, candidates[0]) {
        return Box::pin(hold::wait(exchange, candidates[0], outbound, deadlines)).await;
    }
    Err(reason)
}

/// What becomes of a request that finds `pool` full: it waits there where that alone keeps its latency objective.
async fn weigh(
    exchange: &mut Exchange,
    (pool, later): (PoolId, &[PoolId]),
    outbound: &mut Outbound,
    deadlines: Deadlines,
) -> Result<Served, Unserved> {
    let spills = |reason| Err(Unserved::Spill(reason));
    let Some(urgency) = exchange.urgency() else { return spills(Reason::SlotsTaken) };
    match exchange.snapshot().weigh(pool, later, urgency) {
        Full::Spills(reason) => spills(reason),
        Full::Waits => {
            exchange.preferred(pool);
            let until = patience(exchange, pool, deadlines).min(Instant::now() + urgency.left);
            wait_for(exchange, pool, outbound, until).await
        }
    }
}

/// Until when a request waits for a slot of `pool`: as long as its queue allows, and a deadline that it can still meet then.
fn patience(exchange: &Exchange, pool: PoolId, deadlines: Deadlines) -> Instant {
    let (now, to) = (Instant::now(), exchange.snapshot().pool(pool));
    let patience = now + to.queue_timeout;
    let Some(deadline) = deadlines.head else { return patience };
    let begun = to.load.latency().and_then(|service| deadline.checked_sub(service)).filter(|begun| *begun > now);
    begun.unwrap_or(deadline).min(patience)
}

/// What a client is told when every pool is out of reach: the local model's overload, which passes, before the pools'.
fn without_a_queue(exchange: &Exchange, local: Option<Reason>) -> Reason {
    match local {
        Some(
            reason @ (Reason::LocalLoading
            | Reason::LocalIdentityMismatch
            | Reason::LocalQueueFull
            | Reason::LocalTooLate
            | Reason::LocalFailed
            | Reason::RequestTimeout),
        ) => reason,
        _ => exchange.spills().first().map_or(Reason::NoEndpoint, |(_, reason)| *reason),
    }
}

async fn wait_for(
    exchange: &mut Exchange,
    pool: PoolId,
    outbound: &mut Outbound,
    until: Instant,
) -> Result<Served, Unserved> {
    let live = Arc::clone(exchange.live());
    let to = live.snapshot.pool(pool);
    exchange.waits_at(pool);
    let priority = live.snapshot.priority(exchange.route());
    let mut tries = Tries::new(&live, live.snapshot.retries(exchange.route()), pool, Elsewhere::Nothing);
    loop {
        let begun = Instant::now();
        if tries.tried.len() >= to.endpoints.len() {
            tries.tried.clear();
        }
        let wait = Wait { draw: exchange.draw(pool), tried: &tries.tried, priority, until };
        let waited = live.wait(pool, wait).await;
        exchange.queued(begun.elapsed());
        let (place, held) = waited.map_err(Unserved::Spill)?;
        let (place, ended) = send_hedged(exchange, &mut tries, (pool, place), held, outbound).await;
        match judge(exchange, &mut tries, (place, ended), outbound) {
            Verdict::Final(Ok(served)) => {
                exchange.unspilled(pool);
                return Ok(served);
            }
            Verdict::Final(Err(Unserved::Broken(reason))) => return Err(Unserved::Broken(reason)),
            // An endpoint that refuses has slots free, and no use for them; the others may be worth waiting for.
            Verdict::Final(Err(Unserved::Spill(reason))) if tries.tried.len() + 1 >= to.endpoints.len() => {
                return Err(Unserved::Spill(reason));
            }
            Verdict::Final(Err(Unserved::Spill(_))) => tries.avoid(place),
            Verdict::Again(after, _) => sleep(after).await,
        }
    }
}

async fn try_pool(
    exchange: &mut Exchange,
    pool: PoolId,
    outbound: &mut Outbound,
    elsewhere: Elsewhere,
) -> Result<Served, Unserved> {
    let live = Arc::clone(exchange.live());
    let mut tries = Tries::new(&live, live.snapshot.retries(exchange.route()), pool, elsewhere);
    let mut last = None;
    loop {
        let (place, held) = match tries.take(exchange) {
            Ok(taken) => taken,
            // A pool that has a full endpoint left is worth waiting for; one whose others all failed is not.
            Err(Reason::SlotsTaken) => return Err(Unserved::Spill(Reason::SlotsTaken)),
            Err(reason) => return Err(Unserved::Spill(last.unwrap_or(reason))),
        };
        let (place, ended) = send_hedged(exchange, &mut tries, (pool, place), held, outbound).await;
        match judge(exchange, &mut tries, (place, ended), outbound) {
            Verdict::Final(result) => return result,
            Verdict::Again(after, reason) => {
                last = reason.or(last);
                sleep(after).await;
            }
        }
    }
}

/// Turns what was found into the client's answer.
fn conclude(
    mut exchange: Exchange,
    found: Result<Served, Reason>,
    outbound: &mut Outbound,
    deadlines: Deadlines,
) -> Response<AnswerBody> {
    match found {
        Err(reason) => {
            let Some((head, body)) = outbound.request.take().map(Request::into_parts) else {
                return refuse(exchange, reason);
            };
            body.let_go(&head.headers);
            // A client that the local model could have answered reads the errors of its own API.
            match exchange.declined_for().and_then(|_| Api::of(head.uri.path())) {
                Some(api) => refuse_as(exchange, reason, api),
                None => refuse(exchange, reason),
            }
        }
        Ok(Served::Local(answer)) => local::respond(exchange, answer),
        Ok(Served::Endpoint(pool, served)) => {
            let (mut response, held) = *served;
            if let Some(sent) = &mut outbound.request {
                exchange.worker().connections.keep_map(std::mem::take(sent.headers_mut()));
            }
            let live = Arc::clone(exchange.live());
            let to = live.snapshot.pool(pool);
            exchange.answered(response.status().as_u16(), to.tier);
            load::read(&exchange, response.headers_mut());
            let present = Present::of(response.headers());
            let protocol = if present.has(Field::Upgrade) { response.headers_mut().remove(UPGRADE) } else { None };
            fields::remove_hop_by_hop(response.headers_mut(), present);
            exchange.edit_answer(response.headers_mut());
            let version = response.version();
            fields::append_via(response.headers_mut(), version);
            name_server(&mut response, &exchange, to.tier, &to.next_hop);
            if let Some(cookie) = exchange.affinity(pool).and_then(|affinity| affinity.set_cookie.clone()) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
                return tunnel::join(exchange, response, protocol, (outbound.upgrade.take(), held));
            }
            // Each hop speaks its own version (RFC 9110, section 6.2).
            *response.version_mut() = http::Version::HTTP_11;
            let stillness = Stillness::new(exchange.limits().stream_idle_timeout, deadlines.whole);
            response.map(|body| {
                let source = FromEndpoint { body, held: Some(held), stillness };
                AnswerBody::relayed(source, exchange)
            })
        }
    }
}
