//! Connections to endpoints: opened, reused and given up.
//!
//! One [`Connections`] a worker; nothing in it is shared between threads. Knows addresses and protocols, never pools,
//! routes or retries: a failure says what happened and hands the request back where not a byte of it was written.

mod connect;
mod idle;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http2;
use rustc_hash::FxHashMap;
use tokio::sync::OnceCell;

use crate::domain::{Address, Protocol, Reason};
use idle::{Idle, Link};

/// Where to send a request.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// What the endpoint is known by: connections are kept by it.
    pub address: &'a Address,
    /// Where a new connection goes.
    pub socket: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// Requests after which a connection is not used again; `None` uses it as long as it lasts.
    pub max_requests: Option<NonZeroU32>,
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
}

type SharedHttp2<B> = Rc<Http2<B>>;

/// One connection of HTTP/2, open or still to be opened.
struct Http2<B> {
    sender: OnceCell<http2::SendRequest<B>>,
    /// Requests that were sent over it.
    requests: Cell<u32>,
}

impl<B> Default for Http2<B> {
    fn default() -> Self {
        Self { sender: OnceCell::new(), requests: Cell::new(0) }
    }
}

/// The connections of one worker.
pub struct Connections<B> {
    idle: Rc<RefCell<Idle<B>>>,
    shared: RefCell<FxHashMap<Address, SharedHttp2<B>>>,
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
    /// [`Unanswered`] with [`Reason::ConnectFailed`], [`Reason::ConnectTimeout`], [`Reason::UpstreamReset`] or
    /// [`Reason::UpstreamProtocolError`].
    pub async fn send(&self, target: Target<'_>, request: Request<B>) -> Result<Answer<B>, Unanswered<B>> {
        match target.protocol {
            Protocol::Http1 => self.send_http1(target, request).await,
            Protocol::Http2 => self.send_http2(target, request).await,
        }
    }

    /// Closes connections that have been idle for `limit`, and forgets those that were closed by their endpoint.
    pub fn sweep(&self, limit: Duration) {
        self.idle.borrow_mut().sweep(limit);
        self.shared.borrow_mut().retain(|_, shared| shared.sender.get().is_none_or(|sender| !sender.is_closed()));
    }

    /// From now on keeps connections to endpoints of these addresses alone. The others are closed, once what they carry is
    /// over.
    pub fn keep(&self, addresses: &Arc<HashSet<Address>>) {
        self.idle.borrow_mut().keep(addresses);
        self.shared.borrow_mut().retain(|address, _| addresses.contains(address));
    }

    // Opening a connection is boxed: it is rare, and would make the future of every request as large as itself.
    async fn send_http1(&self, target: Target<'_>, mut request: Request<B>) -> Result<Answer<B>, Unanswered<B>> {
        loop {
            let reused = self.idle.borrow_mut().take(target.address);
            let fresh = reused.is_none();
            let mut link = match reused {
                Some(link) => link,
                None => match Box::pin(connect::http1(target)).await {
                    Ok(link) => link,
                    Err(reason) => return Err(Unanswered { reason, request: Some(request), reused: false }),
                },
            };
            link.requests = link.requests.saturating_add(1);
            let spent = target.max_requests.is_some_and(|most| link.requests >= most.get());
            match link.sender.try_send_request(request).await {
                Ok(response) => {
                    let http1 = Some((target.address.clone(), link));
                    return Ok(Answer { response, lease: Lease { http1, spent, idle: Rc::clone(&self.idle) } });
                }
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if !fresh => request = unsent,
                    message => return Err(Unanswered { reused: !fresh, ..unanswered(failed.error(), message) }),
                },
            }
        }
    }

    async fn send_http2(&self, target: Target<'_>, mut request: Request<B>) -> Result<Answer<B>, Unanswered<B>> {
        loop {
            let (cell, fresh) = self.shared_http2(target.address);
            // The last request takes the connection along; it closes once the streams it carries are over.
            cell.requests.set(cell.requests.get().saturating_add(1));
            if target.max_requests.is_some_and(|most| cell.requests.get() >= most.get()) {
                self.forget(target.address, &cell);
            }
            let mut sender = match cell.sender.get_or_try_init(|| Box::pin(connect::http2(target))).await {
                Ok(sender) => sender.clone(),
                Err(reason) => return Err(Unanswered { reason, request: Some(request), reused: false }),
            };
            match sender.try_send_request(request).await {
                Ok(response) => {
                    return Ok(Answer {
                        response,
                        lease: Lease { http1: None, spent: false, idle: Rc::clone(&self.idle) },
                    });
                }
                Err(mut failed) => {
                    self.forget(target.address, &cell);
                    match failed.take_message() {
                        Some(unsent) if !fresh => request = unsent,
                        message => return Err(Unanswered { reused: !fresh, ..unanswered(failed.error(), message) }),
                    }
                }
            }
        }
    }

    /// The connection that every request to `address` shares, and whether it is still to be opened.
    fn shared_http2(&self, address: &Address) -> (SharedHttp2<B>, bool) {
        let mut shared = self.shared.borrow_mut();
        if let Some(cell) = shared.get(address)
            && cell.sender.get().is_none_or(|sender| !sender.is_closed())
        {
            return (Rc::clone(cell), cell.sender.get().is_none());
        }
        let cell = SharedHttp2::default();
        shared.insert(address.clone(), Rc::clone(&cell));
        (cell, true)
    }

    /// Leaves a connection that failed a request to the streams it still carries; the next request opens another.
    fn forget(&self, address: &Address, failed: &SharedHttp2<B>) {
        let mut shared = self.shared.borrow_mut();
        if shared.get(address).is_some_and(|cell| Rc::ptr_eq(cell, failed)) {
            shared.remove(address);
        }
    }
}

/// What an error of a connection means: the endpoint broke HTTP, or broke off.
fn unanswered<B>(error: &hyper::Error, request: Option<Request<B>>) -> Unanswered<B> {
    let reason = if request.is_some() {
        Reason::ConnectFailed
    } else if error.is_parse() {
        Reason::UpstreamProtocolError
    } else {
        Reason::UpstreamReset
    };
    Unanswered { reason, request, reused: false }
}
