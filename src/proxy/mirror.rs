//! Mirrored requests: another pool is sent a copy of a request, and nobody its answer.
//!
//! Owns the copies' head, their number and their end. A copy never delays or fails its original: it takes a slot that is
//! free, follows the body as fast as it can, and is given up where there is no room for it.

use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::EXPECT;
use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Request, Version};
use http_body_util::BodyExt;
use tokio::time::timeout_at;

use super::Worker;
use super::attempt::Outbound;
use super::body::{Cut, Fate, RequestBody};
use super::exchange::Exchange;
use super::fields;
use super::present::Known;
use super::retry::with_head_of;
use super::send::{note, target};
use crate::domain::{MirrorEnd, shadow_authority};
use crate::live::Live;
use crate::pool::Outcome;
use crate::routing::{Asked, host_of};
use crate::snapshot::{PoolId, RouteId};
use crate::upstream::{Answer, Secured, Unanswered};

/// The most copies that one worker has under way. Each may hold back as much of a body as a copy may lag behind.
const MOST: u32 = 128;

const INTERNAL_REQUEST: HeaderName = HeaderName::from_static("x-envoy-internal");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// One copy of a request.
struct Copy {
    pool: PoolId,
    request: Option<Request<RequestBody>>,
    fate: Fate,
    asked: Asked,
    version: Version,
    until: Instant,
}

/// Sends the copies that the rule asks for, each on its own; the request goes on at once. As in Envoy, one that is to
/// become another protocol is not copied.
pub(super) fn start(exchange: &Exchange, route: RouteId, outbound: &mut Outbound) {
    let rule = exchange.snapshot().route(route);
    let (Some(request), None) = (&mut outbound.request, &outbound.upgrade) else { return };
    for mirror in &rule.mirrors {
        let worker = exchange.worker();
        if !mirror.share.takes(worker.draw()) {
            continue;
        }
        let ended = |end| worker.recorder.mirrored(exchange.snapshot(), mirror.pool, end);
        let (Some(place), Some((body, fate))) = (UnderWay::enter(worker), request.body_mut().copy()) else {
            ended(MirrorEnd::Dropped);
            continue;
        };
        let timeout = rule.timeout.filter(|timeout| *timeout > Duration::ZERO);
        let copy = Copy {
            pool: mirror.pool,
            request: Some(shadow(request, body)),
            fate,
            asked: Asked::Rule(shadow_authority(&outbound.asked).into()),
            version: exchange.version(),
            until: Instant::now() + timeout.unwrap_or(exchange.limits().request_timeout),
        };
        let live = Arc::clone(exchange.live());
        tokio::task::spawn_local(async move {
            let pool = copy.pool;
            let end = send(&place.0, &live, copy).await;
            place.0.recorder.mirrored(&live.snapshot, pool, end);
        });
    }
}

/// The copy's head: that of the request with all that its rule and destination change, marked as Envoy marks requests of
/// its own. The client is asked for its body by the original alone.
fn shadow(request: &Request<RequestBody>, body: RequestBody) -> Request<RequestBody> {
    let mut copy = with_head_of(request, body);
    copy.headers_mut().remove(EXPECT);
    copy.headers_mut().insert(INTERNAL_REQUEST, TRUE);
    copy
}

/// One copy under way, counted until it is dropped.
struct UnderWay(Rc<Worker>);

impl UnderWay {
    fn enter(worker: &Rc<Worker>) -> Option<Self> {
        let count = worker.mirrored.get();
        (count < MOST).then(|| {
            worker.mirrored.set(count + 1);
            Self(Rc::clone(worker))
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.mirrored.set(self.0.mirrored.get() - 1);
    }
}

/// Sends a copy to an endpoint that has a slot free now, and reads its answer to the end.
async fn send(worker: &Worker, live: &Live, copy: Copy) -> MirrorEnd {
    let Copy { pool, mut request, fate, asked, version, until } = copy;
    let Ok((place, _held)) = live.take(pool, worker.draw(), &[]) else { return MirrorEnd::Dropped };
    let to = live.snapshot.pool(pool);
    let protocol = to.protocol_for(version);
    let client = live.tls(pool);
    let scheme = if client.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    let host = client.map(|_| host_of(&asked)).unwrap_or_default();
    if let Some(request) = &mut request {
        fields::shape(request, protocol, scheme, &asked, Known::Nothing);
        fields::set_attempt(request.headers_mut(), 1);
    }
    let tls = client.map(|client| Secured { client, host: &host });
    let Some(target) = target((to, place), None, protocol, tls) else { return MirrorEnd::Dropped };
    let exchanged = async {
        let sent = worker.connections.send(target, &mut request).await;
        let outcome = match &sent {
            Ok(answer) => Outcome::Answered(answer.status().as_u16()),
            Err(Unanswered { unsent: true, .. }) => Outcome::ConnectFailed,
            Err(_) => Outcome::Reset,
        };
        note(live, (pool, place), outcome);
        match sent {
            Ok(answer) => read_out(answer).await,
            Err(_) => MirrorEnd::Failed,
        }
    };
    tokio::select! {
        // An endpoint is not to blame for a copy that is cut off, so that this is looked at first.
        biased;
        end = cut_off(&fate) => end,
        ended = timeout_at(until.into(), exchanged) => ended.unwrap_or(MirrorEnd::Failed),
    }
}

/// Completes where the copy is cut off before its request is over.
async fn cut_off(fate: &Fate) -> MirrorEnd {
    match fate.cut().await {
        Cut::Lagged => MirrorEnd::Dropped,
        Cut::Original => MirrorEnd::Failed,
        Cut::Unread => pending().await,
    }
}

/// Reads an answer to its end, so that its connection can be used again.
async fn read_out(answer: Answer<RequestBody>) -> MirrorEnd {
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            return MirrorEnd::Failed;
        }
    }
    MirrorEnd::Answered
}
