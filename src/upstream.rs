//! Connections to endpoints: opened, reused and given up.
//!
//! One [`Connections`] a worker; nothing in it is shared between threads. Knows addresses and protocols, never pools,
//! routes or retries: a failure says what happened and hands the request back where not a byte of it was written.

mod age;
mod connect;
mod idle;
mod refusal;
mod shared;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use rustc_hash::FxHashMap;

use crate::domain::{Address, ConnectionSettings, Protocol, Reason};
use crate::tls;
use idle::{Idle, Link};
use refusal::Refusal;
use shared::{Http2, Stream};

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
#[derive(Debug)]
pub struct Unanswered<B> {
    /// Why.
    pub reason: Reason,
    /// The request, where nothing of it was written.
    pub request: Option<Request<B>>,
    /// Whether it went over a connection that had been idle, which its endpoint may have been closing just then.
    pub reused: bool,
    /// Whether the endpoint says that it has not processed the request (RFC 9113, section 8.7).
    pub refused: bool,
}

impl<B> Unanswered<B> {
    fn unsent(reason: Reason, request: Request<B>) -> Self {
        Self { reason, request: Some(request), reused: false, refused: false }
    }
}

type SharedHttp2<B> = Rc<Http2<B>>;

/// The connections of one worker.
pub struct Connections<B> {
    idle: Rc<RefCell<Idle<B>>>,
    /// By address; several for an address where they are secured in different ways, or full.
    shared: RefCell<FxHashMap<Address, Vec<SharedHttp2<B>>>>,
}

impl<B> Default for Connections<B> {
    fn default() -> Self {
        Self { idle: Rc::default(), shared: RefCell::default() }
    }
}

/// An answer's head, with the connection that its body comes over.
pub struct Answer<B> {
    /// The answer.
    pub response: Response<Incoming>,
    /// To be given back once the body is read.
    pub lease: Lease<B>,
}

/// A connection in use. Dropped before [`Lease::give_back`], it is closed (HTTP/1.1) or left to its other streams (HTTP/2).
pub struct Lease<B> {
    http1: Option<(Address, Link<B>)>,
    _http2: Option<Stream<B>>,
    /// Whether it has carried all the requests that it may.
    spent: bool,
    idle: Rc<RefCell<Idle<B>>>,
}

impl<B> Lease<B> {
    /// Offers the connection for reuse: the answer's body has been read to its end.
    pub fn give_back(self) {
        if let Some((address, link)) = self.http1.filter(|_| !self.spent) {
            self.idle.borrow_mut().put(address, link);
        }
    }
}

impl<B> Connections<B>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Sends `request` over a connection that is open, or else a new one. A kept-alive connection that turns out closed
    /// before anything was written to it costs another try, never the request.
    ///
    /// # Errors
    /// [`Unanswered`] with [`Reason::ConnectFailed`], [`Reason::ConnectTimeout`], [`Reason::UpstreamTlsFailed`],
    /// [`Reason::UpstreamReset`] or [`Reason::UpstreamProtocolError`].
    pub async fn send(&self, target: Target<'_>, request: Request<B>) -> Result<Answer<B>, Unanswered<B>> {
        match target.protocol {
            Protocol::Http1 => self.send_http1(target, request).await,
            Protocol::Http2 => self.send_http2(target, request).await,
        }
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

    // Opening a connection is boxed: it is rare, and would make the future of every request as large as itself.
    async fn send_http1(&self, target: Target<'_>, mut request: Request<B>) -> Result<Answer<B>, Unanswered<B>> {
        loop {
            let reused = self.idle.borrow_mut().take(target);
            let fresh = reused.is_none();
            let mut link = match reused {
                Some(link) => link,
                None => match Box::pin(connect::http1(target)).await {
                    Ok(link) => link,
                    Err(reason) => return Err(Unanswered::unsent(reason, request)),
                },
            };
            link.requests = link.requests.saturating_add(1);
            let spent = target.max_requests.is_some_and(|most| link.requests >= most.get());
            target.hand();
            match link.sender.try_send_request(request).await {
                Ok(response) => {
                    let http1 = Some((target.address.clone(), link));
                    return Ok(Answer {
                        response,
                        lease: Lease { http1, _http2: None, spent, idle: Rc::clone(&self.idle) },
                    });
                }
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if !fresh => request = unsent,
                    message => {
                        let unanswered = unanswered(failed.error(), &link.refusal, message);
                        return Err(Unanswered { reused: !fresh, ..unanswered });
                    }
                },
            }
        }
    }

    async fn send_http2(&self, target: Target<'_>, mut request: Request<B>) -> Result<Answer<B>, Unanswered<B>> {
        loop {
            let (cell, fresh) = self.shared_http2(target);
            let stream = Stream::open(&cell);
            // The last request takes the connection along; it closes once the streams it carries are over.
            if cell.count(target.max_requests) {
                self.forget(target.address, &cell);
            }
            let mut sender = match cell.sender.get_or_try_init(|| Box::pin(connect::http2(target, &cell.refusal))).await
            {
                Ok(sender) => sender.clone(),
                Err(reason) => return Err(Unanswered::unsent(reason, request)),
            };
            target.hand();
            match sender.try_send_request(request).await {
                Ok(response) => {
                    return Ok(Answer {
                        response,
                        lease: Lease { http1: None, _http2: Some(stream), spent: false, idle: Rc::clone(&self.idle) },
                    });
                }
                Err(mut failed) => {
                    // A stream that is reset leaves its connection to the others.
                    let reset = http2_error(failed.error()).is_some_and(h2::Error::is_reset);
                    if !reset {
                        self.forget(target.address, &cell);
                    }
                    let reused = !fresh && !reset;
                    match failed.take_message() {
                        Some(unsent) if reused => request = unsent,
                        message => {
                            let unanswered = unanswered(failed.error(), &cell.refusal, message);
                            return Err(Unanswered { reused, ..unanswered });
                        }
                    }
                }
            }
        }
    }

    /// The connection that every such request shares, and whether it is still to be opened.
    fn shared_http2(&self, target: Target<'_>) -> (SharedHttp2<B>, bool) {
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
    fn forget(&self, address: &Address, failed: &SharedHttp2<B>) {
        if let Some(known) = self.shared.borrow_mut().get_mut(address) {
            known.retain(|one| !Rc::ptr_eq(one, failed));
        }
    }
}

/// What an error of a connection means: the endpoint broke HTTP, or broke off.
fn unanswered<B>(error: &hyper::Error, refusal: &Refusal, request: Option<Request<B>>) -> Unanswered<B> {
    let reason = if refusal.came() {
        Reason::UpstreamTlsFailed
    } else if request.is_some() {
        Reason::ConnectFailed
    } else if error.is_parse() {
        Reason::UpstreamProtocolError
    } else {
        Reason::UpstreamReset
    };
    Unanswered { reason, request, reused: false, refused: is_refused(error) }
}

/// A stream that was refused, or that a connection which goes away will not process: h2 ends those that it does process
/// with another error.
fn is_refused(error: &hyper::Error) -> bool {
    http2_error(error).is_some_and(|said| {
        said.is_remote() && (said.is_go_away() || said.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// What HTTP/2 says of an error.
fn http2_error(error: &hyper::Error) -> Option<&h2::Error> {
    let mut sources = std::iter::successors(std::error::Error::source(error), |error| error.source());
    sources.find_map(|error| error.downcast_ref::<h2::Error>())
}
