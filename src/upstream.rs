//! Connections to endpoints: opened, reused and given up.
//!
//! One [`Connections`] a worker; nothing in it is shared between threads. Knows addresses and protocols, never pools,
//! routes or retries: a failure says what happened, and whether a byte of the request was written.

mod age;
mod connect;
mod http1;
mod http2;
mod idle;
mod incoming;
mod refusal;
mod shared;
mod transport;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use rustc_hash::FxHashMap;

use crate::domain::{Address, ConnectionSettings, Protocol, Reason};
use crate::tls;
use crate::wire::Maps;
use http1::Failure;
use idle::Idle;
pub use incoming::Incoming;
use refusal::Refusal;
use shared::{Http2, Stream};
use transport::Look;

/// Where to send a request.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// What the endpoint is known by: connections are kept by it.
    pub address: &'a Address,
    /// Where a new connection goes.
    pub socket: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// How the connection is secured; `None` speaks in clear.
    pub tls: Option<Secured<'a>>,
    /// How long a connection may take to open, its handshake among it.
    pub connect_timeout: Duration,
    /// Requests after which a connection is not used again; `None` uses it as long as it lasts.
    pub max_requests: Option<NonZeroU32>,
    /// How the connection is kept.
    pub settings: &'a ConnectionSettings,
    /// Told when a connection has the request; `None` where nobody asks.
    pub handed: Option<&'a Cell<Option<Instant>>>,
    /// Set where an HTTP/1 endpoint asks for a body that is held back (RFC 9110, section 10.1.1); `None` where none is.
    pub continued: Option<&'a Cell<bool>>,
}

impl Target<'_> {
    fn hand(&self) {
        if let Some(handed) = self.handed {
            handed.set(Some(Instant::now()));
        }
    }
}

/// How a connection is secured.
#[derive(Clone, Copy, Debug)]
pub struct Secured<'a> {
    /// What it is secured with.
    pub client: &'a tls::Client,
    /// The host that the request is for.
    pub host: &'a str,
}

/// What a connection was secured for. Only requests that are to be secured in the same way may use it: a changed policy never meets
/// a connection of the old one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Identity(Option<(u64, Option<Box<str>>)>);

impl Identity {
    fn of(target: Target<'_>) -> Self {
        let host = |tls: Secured<'_>| tls.client.is_by_host().then(|| tls.host.into());
        Self(target.tls.map(|tls| (tls.client.identity(), host(tls))))
    }

    fn fits(&self, target: Target<'_>) -> bool {
        match (&self.0, target.tls) {
            (None, None) => true,
            (Some((identity, host)), Some(tls)) => {
                *identity == tls.client.identity() && host.as_deref().is_none_or(|host| host == tls.host)
            }
            _ => false,
        }
    }
}

/// A request that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Why.
    pub reason: Reason,
    /// Whether nothing of it was written: it is as whole as before.
    pub unsent: bool,
    /// Whether it went over a connection that had been idle, which its endpoint may have been closing just then.
    pub reused: bool,
    /// Whether the endpoint says that it has not processed the request (RFC 9113, section 8.7).
    pub refused: bool,
}

impl Unanswered {
    const fn unsent(reason: Reason) -> Self {
        Self { reason, unsent: true, reused: false, refused: false }
    }
}

type SharedHttp2 = Rc<Http2>;

/// A request's body that takes back what was read of it and not written.
pub trait Unread: Body<Data = Bytes> {
    /// Puts `data`, which goes, before what is still to be read.
    fn unread(&mut self, data: &mut Vec<Bytes>);
}

/// The connections of one worker.
#[derive(Default)]
pub struct Connections {
    idle: Rc<RefCell<Idle>>,
    /// For the fields of answers over HTTP/1.
    maps: Maps,
    /// By address; several for an address where they are secured in different ways, or full.
    shared: RefCell<FxHashMap<Address, Vec<SharedHttp2>>>,
}

/// An answer's head, and the body that comes behind it.
pub type Answer<B> = Response<Incoming<B>>;

impl Connections {
    /// Sends `request` over a connection that is open, or else a new one. A kept-alive connection that turns out closed
    /// before anything was written to it costs another try, never the request.
    ///
    /// HTTP/1 leaves the request where it is, with what is unread of its body; HTTP/2 takes it, and hands it back only where
    /// it is unsent.
    ///
    /// # Errors
    /// [`Unanswered`] with [`Reason::ConnectFailed`], [`Reason::ConnectTimeout`], [`Reason::UpstreamTlsFailed`],
    /// [`Reason::UpstreamReset`] or [`Reason::UpstreamProtocolError`].
    pub async fn send<B: Unread + Default + Unpin + 'static>(
        &self,
        target: Target<'_>,
        request: &mut Option<Request<B>>,
    ) -> Result<Answer<B>, Unanswered> {
        match (target.protocol, &mut *request) {
            (_, None) => Err(Unanswered::unsent(Reason::UpstreamReset)),
            (Protocol::Http1, Some(request)) => self.send_http1(target, request).await,
            (Protocol::Http2, Some(_)) => self.send_http2(target, request).await,
        }
    }

    /// Takes back the fields of a request that is not sent again, for those of an answer.
    pub fn keep_map(&self, fields: HeaderMap) {
        self.maps.keep(fields);
    }

    /// Closes connections that have been idle for too long or are too old, and forgets those that were closed by their
    /// endpoint. One that still carries requests closes with the last of them.
    pub fn sweep(&self) {
        self.idle.borrow_mut().sweep();
        self.shared.borrow_mut().retain(|_, shared| {
            shared.retain(|one| one.is_kept());
            !shared.is_empty()
        });
    }

    /// From now on keeps connections to endpoints of these addresses alone. The others are closed, once what they carry is
    /// over.
    pub fn keep(&self, addresses: &Arc<HashSet<Address>>) {
        self.idle.borrow_mut().keep(addresses);
        self.shared.borrow_mut().retain(|address, _| idle::is_kept(addresses, address));
    }

    async fn send_http1<B: Unread + Default + Unpin>(
        &self,
        target: Target<'_>,
        request: &mut Request<B>,
    ) -> Result<Answer<B>, Unanswered> {
        // What may be sent twice (RFC 9110, section 9.2.2) needs no look into the kernel first.
        let repeats = request.method().is_idempotent() && request.body().is_end_stream();
        let look = if repeats { Look::Heard } else { Look::Arrived };
        loop {
            let reused = self.idle.borrow_mut().take(target, look);
            let fresh = reused.is_none();
            let mut link = match reused {
                Some(link) => link,
                // Opening a connection is boxed: it is rare, and would make the future of every request as large as itself.
                None => Box::pin(connect::http1(target)).await.map_err(Unanswered::unsent)?,
            };
            link.requests = link.requests.saturating_add(1);
            link.spent = target.max_requests.is_some_and(|most| link.requests >= most.get());
            link.connection.begin(request, self.maps.take());
            target.hand();
            let body = request.body_mut();
            match poll_fn(|context| link.connection.poll_answer(body, target.continued, context)).await {
                Ok(head) => {
                    let rest = (!link.connection.has_written()).then(|| Box::new(std::mem::take(body)));
                    let idle = Rc::clone(&self.idle);
                    let switches = head.status() == StatusCode::SWITCHING_PROTOCOLS;
                    let incoming =
                        if switches { Incoming::switched(link, idle) } else { Incoming::http1(link, rest, idle) };
                    return Ok(head.map(|()| incoming));
                }
                Err(failure) => {
                    let unanswered = broken(failure, &link.refusal, fresh);
                    let stale = unanswered.reused && (unanswered.unsent || repeats);
                    if !stale || !matches!(unanswered.reason, Reason::UpstreamReset | Reason::ConnectFailed) {
                        return Err(unanswered);
                    }
                    // Each turn uses up an idle connection, so that this ends with a new one.
                    self.idle.borrow_mut().prune(target.address);
                }
            }
        }
    }

    async fn send_http2<B: Unread + Unpin + 'static>(
        &self,
        target: Target<'_>,
        request: &mut Option<Request<B>>,
    ) -> Result<Answer<B>, Unanswered> {
        let mut turned_away = false;
        loop {
            let (cell, fresh) = self.shared_http2(target);
            let mut stream = Stream::open(&cell);
            // The last request takes the connection along; it closes once the streams it carries are over.
            if cell.count(target.max_requests) {
                self.forget(target.address, &cell);
            }
            let opened = cell.sender.get_or_try_init(|| Box::pin(connect::http2(target, &cell))).await;
            let mut sender = opened.map_err(Unanswered::unsent)?.clone();
            if let Err(error) = poll_fn(|context| stream.poll_begin(&mut sender, context)).await {
                self.forget(target.address, &cell);
                // An endpoint that goes away in good order is no worse for it; one that does so again and again is.
                if fresh && (turned_away || !error.is_go_away()) {
                    return Err(unanswered(&error, &cell.refusal, true));
                }
                turned_away = fresh;
                // Nothing of it was sent. The connection is forgotten, so that this ends with a new one.
                continue;
            }
            let Some(sent) = request.take() else { return Err(Unanswered::unsent(Reason::UpstreamReset)) };
            target.hand();
            return match http2::exchange(&mut sender, sent.into_parts(), stream).await {
                Ok(answer) => Ok(answer),
                // Whose body broke off, its record says.
                Err(None) => {
                    Err(Unanswered { reason: Reason::UpstreamReset, unsent: false, reused: false, refused: false })
                }
                Err(Some(error)) => {
                    // A stream that is reset leaves its connection to the others.
                    let reset = error.is_reset();
                    if !reset {
                        self.forget(target.address, &cell);
                    }
                    Err(Unanswered { reused: !fresh && !reset, ..unanswered(&error, &cell.refusal, false) })
                }
            };
        }
    }

    /// The connection that every such request shares, and whether it is still to be opened.
    fn shared_http2(&self, target: Target<'_>) -> (SharedHttp2, bool) {
        let mut shared = self.shared.borrow_mut();
        let known = shared.get_mut(target.address);
        if let Some(known) = &known
            && let Some(one) = known.iter().find(|one| one.takes(target))
        {
            return (Rc::clone(one), one.sender.get().is_none());
        }
        let one = Http2::new(target);
        if let Some(known) = known {
            known.retain(|one| one.is_kept());
            if known.len() == idle::MAX_IDLE {
                known.remove(0);
            }
            known.push(Rc::clone(&one));
            return (one, true);
        }
        let is_original = |address: &Address| matches!(address, Address::Original(_));
        if is_original(target.address)
            && shared.keys().filter(|known| is_original(known)).count() >= idle::MAX_ORIGINALS
        {
            // Whichever goes is opened again if it is asked for; the streams that it carries are not broken off.
            let any = shared.keys().find(|known| is_original(known)).cloned();
            any.map(|any| shared.remove(&any));
        }
        shared.insert(target.address.clone(), vec![Rc::clone(&one)]);
        (one, true)
    }

    /// Leaves a connection that failed a request to the streams it still carries; the next request opens another.
    fn forget(&self, address: &Address, failed: &SharedHttp2) {
        if let Some(known) = self.shared.borrow_mut().get_mut(address) {
            known.retain(|one| !Rc::ptr_eq(one, failed));
        }
    }
}

/// What a failure over HTTP/1 means.
fn broken(failure: Failure, refusal: &Refusal, fresh: bool) -> Unanswered {
    let unsent = failure == Failure::Unsent;
    let reason = match failure {
        _ if refusal.came() => Reason::UpstreamTlsFailed,
        Failure::Unsent => Reason::ConnectFailed,
        Failure::Malformed => Reason::UpstreamProtocolError,
        Failure::Closed { .. } | Failure::Request => Reason::UpstreamReset,
    };
    // What has begun to answer was not closing.
    let reused = !fresh && matches!(failure, Failure::Unsent | Failure::Closed { heard: false });
    Unanswered { reason, unsent, reused, refused: false }
}

/// What an error over HTTP/2 means: the endpoint broke off.
fn unanswered(error: &h2::Error, refusal: &Refusal, unsent: bool) -> Unanswered {
    let reason = if refusal.came() {
        Reason::UpstreamTlsFailed
    } else if unsent {
        Reason::ConnectFailed
    } else {
        Reason::UpstreamReset
    };
    Unanswered { reason, unsent, reused: false, refused: is_refused(error) }
}

/// A stream that was refused, or that a connection which goes away will not process: h2 ends those that it does process
/// with another error.
fn is_refused(error: &h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
}
