//! One try: a request is sent to one endpoint.

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use http::header::EXPECT;
use http::uri::Scheme;
use tokio::time::{sleep, timeout_at};

use super::attempt::{Outbound, Served};
use super::body::{Meter, RequestBody};
use super::destination;
use super::exchange::Exchange;
use super::fields;
use super::load;
use super::present::{Field, Known};
use super::retry::Reach;
use crate::domain::{Address, Failure, Protocol, Reason};
use crate::live::{Held, Live};
use crate::pool::{Admission, Outcome, Pool, Timed};
use crate::routing::host_of;
use crate::snapshot::PoolId;
use crate::upstream::{Answer, Secured, Target, Unanswered};

/// How long an endpoint has to ask for a body that its client holds back, before it is sent unasked as RFC 9110, section
/// 10.1.1, allows.
const CONTINUE_PATIENCE: Duration = Duration::from_secs(1);

/// A try without an answer.
pub(super) struct Failed {
    pub(super) reason: Reason,
    /// `None` where no other try would fare better: it is the client's own doing, or nothing says where the request goes.
    pub(super) failure: Option<Failure>,
    /// How far the request came.
    pub(super) reach: Reach,
}

impl Failed {
    /// Nothing was sent.
    fn before(reason: Reason) -> Self {
        Self { reason, failure: None, reach: Reach::Nothing }
    }
}

/// Sends the request to one endpoint.
pub(super) async fn send(
    exchange: &mut Exchange,
    (pool, place): (PoolId, usize),
    held: Held,
    outbound: &mut Outbound,
) -> Result<Served, Failed> {
    let live = Arc::clone(exchange.live());
    let to = live.snapshot.pool(pool);
    let protocol = to.protocol_for(exchange.version());
    let per_try = live.snapshot.retries(exchange.route()).per_try_timeout;
    let handed = Cell::new(None);
    let client = live.tls(pool);
    let scheme = if client.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    let host = client.map(|_| host_of(&outbound.asked)).unwrap_or_default();
    let tls = client.map(|client| Secured { client, host: &host });
    let brought = destination::brought(exchange, to.original.as_deref(), &outbound.asked).await;
    let destination = brought.map_err(Failed::before)?;
    let brought = destination.map(Address::Original);
    let instead = brought.as_ref().zip(destination);
    let target = target((to, place), instead, protocol, tls).ok_or(Failed::before(Reason::NoEndpoint))?;
    let target = Target { handed: per_try.map(|_| &handed), ..target };
    exchange.attempted(pool, place, destination);
    exchange.trace_try(outbound, destination);
    let known = if exchange.attempts() == 1 { outbound.known } else { Known::Nothing };
    let worker = Rc::clone(exchange.worker());
    let begun = to.times_answers().then(|| live.now());
    let sent = loop {
        let Some(request) = &mut outbound.request else {
            return Err(Failed { reach: Reach::Endpoint, ..Failed::before(Reason::UpstreamReset) });
        };
        fields::shape(request, protocol, scheme.clone(), &outbound.asked, known);
        exchange.number(request.headers_mut());
        load::ask(exchange, to.load_reports, request.headers_mut());
        // Held back until the endpoint answers 100, so that one which refuses by the head alone is never sent the body, and
        // the client is not asked for it.
        let continued = expects_continue(request, protocol, known).then(Rc::<Cell<bool>>::default);
        request.body_mut().hold_until(continued.clone());
        let target = Target { continued: continued.as_deref(), ..target };
        let sending = worker.connections.send(target, &mut outbound.request);
        let sent = match (&continued, per_try) {
            (None, None) => Some(sending.await),
            (Some(continued), None) => Some(send_patiently(sending, continued).await),
            // What is rare is boxed: it would make the future of every request as large as itself.
            (None, Some(limit)) => Box::pin(within(limit, (&handed, exchange.meter()), sending)).await,
            (Some(continued), Some(limit)) => {
                let sending = send_patiently(sending, continued);
                Box::pin(within(limit, (&handed, exchange.meter()), sending)).await
            }
        };
        match sent {
            // An endpoint that closes a kept-alive connection just as it is reused may or may not have seen the request
            // (RFC 9112, section 9.3.1). Each turn uses up an idle connection, so that this ends with a new one.
            Some(Err(Unanswered { unsent: false, reused: true, reason: Reason::UpstreamReset, refused: false })) => {
                if !outbound.retries.repeat(&mut outbound.request) {
                    break Err((Reason::UpstreamReset, Failure::Reset));
                }
            }
            Some(Err(Unanswered { reason, unsent: true, .. })) => break Err((reason, Failure::Connect)),
            Some(Err(Unanswered { reason, refused, .. })) => {
                break Err((reason, if refused { Failure::RefusedStream } else { Failure::Reset }));
            }
            Some(Ok(answer)) => break Ok(answer),
            None => break Err((Reason::RequestTimeout, Failure::PerTryTimeout)),
        }
    };
    exchange.settled(sent.as_ref().ok());
    if let Some(begun) = begun {
        to.observe_since(place, begun, timed(sent.as_ref().ok()), || live.now());
    }
    match sent {
        Ok(answer) => {
            note(&live, (pool, place), Outcome::Answered(answer.status().as_u16()));
            Ok(Served::Endpoint(pool, Box::new((answer, held))))
        }
        Err((reason, failure)) => Err(failed(exchange, (pool, place), reason, failure)),
    }
}

/// What an answer's time counts as, or that there was none.
pub(super) fn timed(answer: Option<&Answer<RequestBody>>) -> Timed {
    if answer.is_some_and(|answer| !answer.status().is_server_error()) { Timed::Well } else { Timed::Failed }
}

/// What a try without an answer means, for the endpoint too unless the client is to blame.
fn failed(exchange: &Exchange, tried: (PoolId, usize), reason: Reason, failure: Failure) -> Failed {
    let broken = exchange.meter().broken().filter(|_| failure != Failure::Connect);
    if broken.is_none() {
        let outcome = match failure {
            Failure::Connect => Outcome::ConnectFailed,
            Failure::PerTryTimeout => Outcome::TimedOut,
            Failure::Reset | Failure::RefusedStream => Outcome::Reset,
        };
        note(exchange.live(), tried, outcome);
    }
    let reach = if failure == Failure::Connect { Reach::Nothing } else { Reach::Endpoint };
    let reason = broken.unwrap_or(reason);
    exchange.trace_end(Some(reason));
    Failed { reason, failure: broken.is_none().then_some(failure), reach }
}

/// Where and how the endpoint of a pool at a place is sent a request, or what stands `instead` of it; `None` for an endpoint
/// without an address.
pub(super) fn target<'a>(
    (pool, place): (&'a Pool, usize),
    instead: Option<(&'a Address, SocketAddr)>,
    protocol: Protocol,
    tls: Option<Secured<'a>>,
) -> Option<Target<'a>> {
    let endpoint = &pool.endpoints[place];
    let (address, socket) = match instead {
        Some(instead) => instead,
        None => (&endpoint.address, endpoint.socket?),
    };
    Some(Target {
        address,
        socket,
        protocol,
        tls,
        connect_timeout: pool.connect_timeout,
        max_requests: pool.max_requests_per_connection,
        settings: &pool.connections,
        handed: None,
        continued: None,
    })
}

/// Notes how a try went, and logs what that makes of the endpoint.
pub(super) fn note(live: &Live, (pool, place): (PoolId, usize), outcome: Outcome) {
    let pool = live.snapshot.pool(pool);
    let Some(admission) = pool.note(place, outcome, || live.now()) else { return };
    let endpoint = &pool.endpoints[place].name;
    if admission == Admission::Ejected {
        tracing::warn!(pool = %pool.name, %endpoint, reason = %outcome, "endpoint ejected");
    } else {
        tracing::info!(pool = %pool.name, %endpoint, "endpoint admits requests again");
    }
}

/// Waits for an answer no longer than `limit`, counted as Envoy counts it: from when a connection has the request and the
/// client has sent it whole. `None` where the time is over.
async fn within<T>(
    limit: Duration,
    (handed, meter): (&Cell<Option<Instant>>, &Meter),
    sending: impl Future<Output = T>,
) -> Option<T> {
    let mut sending = pin!(sending);
    let mut end = Instant::now() + limit;
    loop {
        if let Ok(sent) = timeout_at(end.into(), &mut sending).await {
            return Some(sent);
        }
        let now = Instant::now();
        end = handed.get().zip(meter.completed()).map_or(now, |(handed, completed)| handed.max(completed)) + limit;
        if end <= now {
            return None;
        }
    }
}

fn expects_continue(request: &Request<RequestBody>, protocol: Protocol, known: Known) -> bool {
    protocol == Protocol::Http1
        && known.may_have(Field::Expect)
        && fields::lists(request.headers(), &EXPECT, "100-continue")
}

async fn send_patiently<T>(sending: impl Future<Output = T>, continued: &Cell<bool>) -> T {
    let mut sending = pin!(sending);
    tokio::select! {
        sent = &mut sending => return sent,
        () = sleep(CONTINUE_PATIENCE) => continued.set(true),
    }
    sending.await
}
