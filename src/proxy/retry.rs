//! Sending a request again: what is kept for it, which endpoint is next, and whether it is worth it.

use std::time::Duration;

use http::{HeaderMap, Method, Request, StatusCode};

use super::attempt::{Outbound, Served, Unserved};
use super::body::{RequestBody, SpareBody};
use super::exchange::Exchange;
use super::hedge;
use super::present::Field;
use super::send::Failed;
use crate::domain::{Protocol, Reason, RetryEnd, RetryPolicy, Sent, speaks_grpc};
use crate::live::{Held, Live};
use crate::pool::Retrying;
use crate::snapshot::PoolId;

/// After how many failures a retry goes to other localities, where its rule sends it there.
const UPDATE_FREQUENCY: usize = 2;

/// What the tries of one request have in common.
#[derive(Default)]
pub(super) struct Retries {
    /// Makes the body again; `None` where nothing can need it.
    spare: Option<SpareBody>,
    /// The head, where HTTP/2 may take it away.
    head: Option<Box<Request<()>>>,
    /// Retries so far; those of pools that the request left unsent are not counted.
    used: u32,
    /// Whether an endpoint may have seen some of it.
    sent: bool,
    /// The retry that the current try is, counted against its pool's limit.
    under_way: Option<Retrying>,
}

impl Retries {
    /// Keeps of `request` what its rule's policy can need. A request that may be sent twice whatever the rule says (RFC
    /// 9110, section 9.2.2) is kept where it has no body.
    pub(super) fn prepare(exchange: &Exchange, candidates: &[PoolId], request: &mut Request<RequestBody>) -> Self {
        let snapshot = exchange.snapshot();
        let policy = snapshot.retries(exchange.route());
        let speaks_http2 = |pool: &PoolId| snapshot.pool(*pool).protocol_for(exchange.version()) == Protocol::Http2;
        let sent = Sent { grpc: false, http2: candidates.iter().any(speaks_http2) };
        let hedges = |pool: &PoolId| {
            let hedge = snapshot.pool(*pool).hedge.as_ref();
            hedge.is_some_and(|hedge| hedge::allows(hedge, request.method()))
        };
        // Most policies need the body whatever is called.
        let needs_body = policy.needs_body(sent)
            || candidates.iter().any(hedges)
            || speaks_grpc(request.headers()) && policy.needs_body(Sent { grpc: true, ..sent });
        if needs_body {
            request.body_mut().keep(exchange.retain());
        }
        if policy.per_try_timeout.is_some() {
            exchange.meter().time(request.body());
        }
        let kept = needs_body || request.method().is_idempotent();
        let body = if kept { request.body().spare() } else { None };
        let head = (sent.http2 && body.is_some()).then(|| Box::new(with_head_of(request, ())));
        Self { spare: body, head, ..Self::default() }
    }

    /// What makes the body again, where it is kept.
    pub(super) fn spare(&self) -> Option<SpareBody> {
        self.spare.clone()
    }

    /// Has the same request once more, where it may be sent twice whatever its rule says; whether it may.
    pub(super) fn repeat(&self, request: &mut Option<Request<RequestBody>>) -> bool {
        let head = request.as_ref().map(Request::method).or(self.head.as_ref().map(|head| head.method()));
        head.is_some_and(Method::is_idempotent) && self.restore(request)
    }

    /// Has the same request once more; whether there is one.
    fn restore(&self, request: &mut Option<Request<RequestBody>>) -> bool {
        let Some(body) = self.spare.as_ref().and_then(SpareBody::again) else { return false };
        match (&mut *request, &self.head) {
            (Some(request), _) => *request.body_mut() = body,
            (None, Some(head)) => *request = Some(with_head_of(head, body)),
            (None, None) => return false,
        }
        true
    }

    /// The request's header fields, wherever they are.
    fn headers<'r>(&'r self, request: Option<&'r Request<RequestBody>>) -> Option<&'r HeaderMap> {
        request.map(Request::headers).or(self.head.as_ref().map(|head| head.headers()))
    }
}

/// `body` under the head of `request`.
pub(super) fn with_head_of<A, B>(request: &Request<A>, body: B) -> Request<B> {
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// What is left to a request that a pool's endpoints have failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// Another pool, or the local model, may serve it.
    Something,
    Nothing,
}

/// How far a try came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nothing of the request was written.
    Nothing,
    /// An endpoint may have seen some of it.
    Endpoint,
}

/// The tries of one request at one pool.
pub(super) struct Tries<'l> {
    live: &'l Live,
    pool: PoolId,
    policy: &'l RetryPolicy,
    elsewhere: Elsewhere,
    /// The endpoints to avoid.
    pub(super) tried: Vec<usize>,
    /// Every endpoint that failed, in order, and how far the try came.
    failed: Vec<(usize, Reach)>,
}

impl<'l> Tries<'l> {
    pub(super) fn new(live: &'l Live, policy: &'l RetryPolicy, pool: PoolId, elsewhere: Elsewhere) -> Self {
        Self { live, pool, policy, elsewhere, tried: Vec::new(), failed: Vec::new() }
    }

    /// A slot of another endpoint than those tried, or of one of them where there is no other. Envoy draws up to five
    /// times for another; the order here leaves those tried out at once.
    pub(super) fn take(&self, exchange: &Exchange) -> Result<(usize, Held), Reason> {
        let take = |avoided: &[usize]| self.live.take(self.pool, exchange.draw(self.pool), avoided);
        let Some(away) = self.away() else { return take(&[]) };
        let neither = [self.tried.as_slice(), &away].concat();
        let next = if self.goes_far() { &self.tried } else { &away };
        for avoided in [&neither, next] {
            match take(avoided) {
                Err(Reason::NoEndpoint) => {}
                taken => return taken,
            }
        }
        take(&[])
    }

    /// The endpoints that a retry keeps away from for where they are; `None` for a first try. As in Istio a retry stays as
    /// near as the try before it, unless the rule sends it to other localities: every second retry leaves the priorities
    /// of all that have failed (Envoy's `previous_priorities` with the update frequency that Istio sets). Whatever cannot
    /// be connected to leaves its requests to any other endpoint.
    fn away(&self) -> Option<Vec<usize>> {
        let pool = self.live.snapshot.pool(self.pool);
        let (last, reach) = *self.failed.last()?;
        if self.goes_far() {
            let counted = &self.failed[..self.failed.len() / UPDATE_FREQUENCY * UPDATE_FREQUENCY];
            return Some(counted.iter().flat_map(|(place, _)| pool.as_near_as(*place)).collect());
        }
        let near = pool.as_near_as(last);
        let far = (0..pool.endpoints.len()).filter(|place| !near.contains(place));
        Some(if reach == Reach::Nothing { Vec::new() } else { far.collect() })
    }

    fn goes_far(&self) -> bool {
        self.policy.remote_localities && self.failed.len() >= UPDATE_FREQUENCY
    }

    /// Avoids the endpoint at `place` from now on.
    pub(super) fn avoid(&mut self, place: usize) {
        if !self.tried.contains(&place) {
            self.tried.push(place);
        }
    }

    /// Notes a try that is to be repeated. Consistent hashing keeps a request to its endpoint, where the rule does not say
    /// otherwise, but for one that cannot even be connected to: its requests belong to the next.
    fn fail(&mut self, place: usize, reach: Reach) {
        let by_hash = self.live.snapshot.pool(self.pool).hash_key.is_some();
        if self.policy.avoid_tried.unwrap_or(reach == Reach::Nothing || !by_hash) {
            self.avoid(place);
        }
        self.failed.push((place, reach));
    }
}

/// What becomes of a request after a try.
pub(super) enum Verdict {
    /// This came of it.
    Final(Result<Served, Unserved>),
    /// It is sent again after this long. The reason is the failure's, where there was no answer.
    Again(Duration, Option<Reason>),
}

/// Decides whether the request is sent again after a try at the endpoint at `place`.
pub(super) fn judge(
    exchange: &mut Exchange,
    tries: &mut Tries<'_>,
    (place, mut ended): (usize, Result<Served, Failed>),
    outbound: &mut Outbound,
) -> Verdict {
    outbound.retries.under_way = None;
    if let Ok(Served::Endpoint(_, served)) = &mut ended {
        let (answer, held) = &mut **served;
        held.answered(answer.status());
    }
    let reach = ended.as_ref().map_or_else(|failed| failed.reach, |_| Reach::Endpoint);
    let wanted = match &ended {
        Ok(served) => is_wanted(tries.policy, served, outbound),
        Err(failed) => failed.failure.is_some_and(|failure| tries.policy.retries_failure(failure)),
    };
    let granted = if wanted { grant(tries, place, &outbound.retries, reach) } else { Err(None) };
    match granted {
        Err(end) => {
            if let Some(end) = end {
                exchange.retry_ended(end);
            }
            Verdict::Final(ended.map_err(|failed| {
                if spills(tries, &failed, outbound) {
                    Unserved::Spill(failed.reason)
                } else {
                    Unserved::Broken(failed.reason)
                }
            }))
        }
        Ok(retrying) => {
            let retries = &mut outbound.retries;
            let after = tries.policy.backoff(retries.used, exchange.worker().draw());
            retries.used += 1;
            retries.under_way = retrying;
            exchange.retried();
            if reach == Reach::Endpoint {
                retries.sent = true;
                retries.restore(&mut outbound.request);
            }
            tries.fail(place, reach);
            let reason = ended.as_ref().err().map(|failed| failed.reason);
            if let Ok(Served::Endpoint(_, served)) = ended {
                // Its connection is used again where the answer has no body, and is closed otherwise, as Envoy does it.
                drop(served);
            }
            Verdict::Again(after, reason)
        }
    }
}

fn is_wanted(policy: &RetryPolicy, served: &Served, outbound: &Outbound) -> bool {
    let Served::Endpoint(_, served) = served else { return false };
    let retries = &outbound.retries;
    let none = HeaderMap::new();
    let names = |headers| if outbound.known.may_have(Field::RetriableNames) { headers } else { &none };
    let headers = retries.spare.as_ref().and_then(|_| retries.headers(outbound.request.as_ref())).map(names);
    let answer = &served.0;
    answer.status() != StatusCode::SWITCHING_PROTOCOLS
        && headers.is_some_and(|headers| policy.retries_answer(answer.status(), answer.headers(), headers))
}

/// The right to send the request again, counted or not, or why there is none; `Err(None)` where it has better to do.
fn grant(
    tries: &Tries<'_>,
    place: usize,
    retries: &Retries,
    reach: Reach,
) -> Result<Option<Retrying>, Option<RetryEnd>> {
    let (pool, now) = (tries.live.snapshot.pool(tries.pool), tries.live.now());
    if retries.used >= tries.policy.retries {
        return Err(Some(RetryEnd::LimitExceeded));
    }
    if reach == Reach::Endpoint && retries.spare.as_ref().is_none_or(|spare| !spare.is_whole()) {
        return Err(Some(RetryEnd::BodyTooLarge));
    }
    let others = pool.has_another(now, &[tries.tried.as_slice(), &[place]].concat());
    let spills = reach == Reach::Nothing && tries.elsewhere == Elsewhere::Something;
    if !others && (spills || !pool.has_another(now, &[])) {
        return Err(None);
    }
    if others && reach == Reach::Nothing && pool.moves_on_uncounted() {
        return Ok(None);
    }
    pool.retry().map(Some).ok_or(Some(RetryEnd::Overflow))
}

/// Whether another pool may be sent the request, which then is whole: nothing of it was written by this try, or it may be
/// sent twice, for its method (RFC 9110, section 9.2.2) or because the rule retries such a failure.
fn spills(tries: &Tries<'_>, failed: &Failed, outbound: &mut Outbound) -> bool {
    if failed.reach == Reach::Nothing {
        return true;
    }
    let Some(failure) = failed.failure.filter(|_| tries.elsewhere == Elsewhere::Something) else { return false };
    outbound.retries.sent = true;
    if tries.policy.retries_failure(failure) {
        return outbound.retries.restore(&mut outbound.request);
    }
    outbound.retries.repeat(&mut outbound.request)
}

/// Forgets the tries at a pool that the request left for the next; those of a request that was sent go on counting.
pub(super) fn leave(retries: &mut Retries) {
    retries.under_way = None;
    if !retries.sent {
        retries.used = 0;
    }
}
