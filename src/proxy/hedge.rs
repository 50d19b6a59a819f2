//! A request that is slow to be answered is sent to a second endpoint of its pool: the first good answer counts, and the
//! other try is given up.
//!
//! One record comes of both, and each holds a slot of its own. The second try counts against the pool's retry budget.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderMap, Method, Request};
use tokio::time::timeout;

use super::Worker;
use super::attempt::{Outbound, Served};
use super::body::{RequestBody, SpareBody};
use super::exchange::Exchange;
use super::exchange::traced::sent_to;
use super::fields;
use super::load;
use super::present::Known;
use super::retry::{Tries, with_head_of};
use super::send::{Failed, note, send, target, timed};
use crate::domain::{Hedge, HedgeEnd, HedgedMethods, Protocol};
use crate::live::{Held, Live};
use crate::pool::{Outcome, Timed};
use crate::routing::{Asked, host_of};
use crate::snapshot::PoolId;
use crate::telemetry::{Attempt, Trace};
use crate::upstream::{Answer, Secured, Unanswered};

/// Whether a request of this method may be sent twice.
pub(super) fn allows(hedge: &Hedge, method: &Method) -> bool {
    hedge.methods == HedgedMethods::All || method.is_idempotent()
}

/// Sends the request to the endpoint at `place`, and to another where its pool hedges and the first is slow. The place of the
/// one that this came of comes with it.
pub(super) async fn send_hedged(
    exchange: &mut Exchange,
    tries: &mut Tries<'_>,
    (pool, place): (PoolId, usize),
    held: Held,
    outbound: &mut Outbound,
) -> (usize, Result<Served, Failed>) {
    let second = Second::prepare(exchange, pool, outbound);
    match second {
        None => (place, send(exchange, (pool, place), held, outbound).await),
        // What is rare is boxed: it would make the future of every request as large as itself.
        Some(second) => Box::pin(race(exchange, tries, (second, place, held), outbound)).await,
    }
}

/// What the second try is made of.
struct Second {
    live: Arc<Live>,
    worker: Rc<Worker>,
    pool: PoolId,
    after: Duration,
    head: Request<()>,
    spare: SpareBody,
    asked: Asked,
    protocol: Protocol,
    /// The try that it is.
    number: u32,
    draw: u64,
    /// What is traced of the request, where it is sampled.
    trace: Option<Rc<Trace>>,
}

/// Whose answer it is.
enum Winner {
    First(Result<Served, Failed>),
    Second(Box<(Answer<RequestBody>, Held)>),
}

impl Second {
    /// `None` where the pool does not hedge, or not this request.
    fn prepare(exchange: &Exchange, pool: PoolId, outbound: &Outbound) -> Option<Self> {
        let to = exchange.snapshot().pool(pool);
        let hedge = to.hedge.as_ref()?;
        let request = outbound.request.as_ref()?;
        if !allows(hedge, request.method()) || outbound.upgrade.is_some() {
            return None;
        }
        Some(Self {
            after: to.hedged_after()?,
            spare: outbound.retries.spare()?,
            head: with_head_of(request, ()),
            live: Arc::clone(exchange.live()),
            worker: Rc::clone(exchange.worker()),
            asked: outbound.asked.clone(),
            protocol: to.protocol_for(exchange.version()),
            number: exchange.attempts() + 2,
            draw: exchange.draw(pool),
            trace: exchange.trace().cloned(),
            pool,
        })
    }

    /// Sends it to the endpoint at `place`. An answer that is an error is none: the first try may fare better.
    async fn send(&self, place: usize, held: Held) -> Option<Box<(Answer<RequestBody>, Held)>> {
        let to = self.live.snapshot.pool(self.pool);
        let client = self.live.tls(self.pool);
        let scheme = if client.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let host = client.map(|_| host_of(&self.asked)).unwrap_or_default();
        let mut request = with_head_of(&self.head, self.spare.again()?);
        fields::shape(&mut request, self.protocol, scheme, &self.asked, Known::Nothing);
        fields::set_attempt(request.headers_mut(), self.number);
        load::ask_unless_asked(to.load_reports, request.headers_mut());
        let tls = client.map(|client| Secured { client, host: &host });
        let target = target((to, place), None, self.protocol, tls)?;
        let traced = self.trace(place, request.headers_mut());
        let begun = self.live.now();
        let sent = self.worker.connections.send(target, &mut Some(request)).await;
        let outcome = match &sent {
            Ok(answer) => Outcome::Answered(answer.status().as_u16()),
            Err(Unanswered { unsent: true, .. }) => Outcome::ConnectFailed,
            Err(_) => Outcome::Reset,
        };
        note(&self.live, (self.pool, place), outcome);
        if let Some((trace, attempt)) = traced {
            match &sent {
                Ok(answer) => trace.answered(attempt, answer.status().as_u16(), answer.version()),
                Err(unanswered) => trace.ended(attempt, Some(unanswered.reason)),
            }
        }
        let timed = timed(sent.as_ref().ok());
        to.observe_since(place, begun, timed, || self.live.now());
        sent.ok().filter(|_| timed == Timed::Well).map(|answer| Box::new((answer, held)))
    }

    /// Begins its span, and names that in `headers`, where the request is sampled.
    fn trace(&self, place: usize, headers: &mut HeaderMap) -> Option<(&Trace, Attempt)> {
        let trace = self.trace.as_deref()?;
        let path = self.head.uri().path_and_query();
        let sent = sent_to(&self.live, (self.pool, place), (&self.asked, path), (None, self.number - 1));
        let attempt = trace.hedges(sent, self.worker.draw());
        trace.name_try_in(headers);
        Some((trace, attempt))
    }

    fn count(&self, end: HedgeEnd) {
        self.worker.recorder.hedged(&self.live.snapshot, self.pool, end);
    }
}

async fn race(
    exchange: &mut Exchange,
    tries: &mut Tries<'_>,
    (second, place, held): (Second, usize, Held),
    outbound: &mut Outbound,
) -> (usize, Result<Served, Failed>) {
    let meter = Rc::clone(exchange.meter());
    let begun = second.live.now();
    let (other, winner) = {
        let mut first = pin!(send(exchange, (second.pool, place), held, outbound));
        if let Ok(ended) = timeout(second.after, &mut first).await {
            return (place, ended);
        }
        // A body that is still being read has one reader.
        if !meter.is_over() || !second.spare.is_whole() {
            return (place, first.await);
        }
        let granted = second.live.snapshot.pool(second.pool).retry();
        let avoided = [tries.tried.as_slice(), &[place]].concat();
        let taken = granted.and_then(|granted| {
            let (other, held) = second.live.take(second.pool, second.draw, &avoided).ok()?;
            Some((granted, other, held))
        });
        let Some((_granted, other, other_held)) = taken else {
            second.count(HedgeEnd::Refused);
            return (place, first.await);
        };
        let mut again = pin!(second.send(other, other_held));
        let winner = tokio::select! {
            ended = &mut first => match ended {
                Ok(served) if is_well(&served) => Winner::First(Ok(served)),
                // Whatever the first came to, a good answer of the second is better.
                ended => again.await.map_or(Winner::First(ended), Winner::Second),
            },
            answered = &mut again => match answered {
                Some(answered) => Winner::Second(answered),
                None => Winner::First(first.await),
            },
        };
        (other, winner)
    };
    tries.avoid(other);
    match winner {
        Winner::First(ended) => {
            second.count(HedgeEnd::Lost);
            exchange.hedged(place, HedgeEnd::Lost);
            (place, ended)
        }
        Winner::Second(answered) => {
            second.count(HedgeEnd::Won);
            exchange.hedged(other, HedgeEnd::Won);
            // It is at least as slow as this.
            second.live.snapshot.pool(second.pool).observe_since(place, begun, Timed::Well, || second.live.now());
            (other, Ok(Served::Endpoint(second.pool, answered)))
        }
    }
}

fn is_well(served: &Served) -> bool {
    match served {
        Served::Endpoint(_, answered) => !answered.0.status().is_server_error(),
        Served::Local(_) => true,
    }
}
