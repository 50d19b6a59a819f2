//! One client connection: its protocol, its time limits and its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::{HeaderValue, Response};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::activity::Activity;
use super::body::Arriving;
use super::destination::redirected_from;
use super::http1::{self, Arrived, Ended, HeadLimits, Shop, Upgraded};
use super::http2::Guarded;
use super::relay::AnswerBody;
use super::stream::Stream;
use super::supervisor::{Order, Supervised};
use super::{Limits, Worker, fields, request};
use crate::domain::Http2Limits;
use crate::tls::{self, Peer, Servers};

/// What a connection's requests need to know of it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// The peer's address.
    pub(super) address: SocketAddr,
    /// The port that it came to.
    pub(super) port: u16,
    /// Who it is, if it speaks TLS.
    pub(super) tls: Option<Rc<Peer>>,
    /// Where it was sent to before the system redirected it here.
    pub(super) redirected_from: Option<SocketAddr>,
    /// Its address as `X-Forwarded-For` has it.
    pub(super) forwarded_for: HeaderValue,
    /// What the connection is doing.
    pub(super) activity: Rc<Activity>,
}

impl Client {
    /// What it speaks: `http` or `https`.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// A connection that has just been accepted.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    /// The port that it came to.
    pub(super) port: u16,
    /// What is to secure it; `None` speaks in clear.
    pub(super) tls: Option<Arc<Servers>>,
}

/// Serves one connection to its end. An error of it is its client's: there is nobody to tell but the client, who has gone.
/// `answer` begins to answer what comes over HTTP/1.1; its futures stand in `shop`.
pub(super) async fn serve<F: Future<Output = Response<AnswerBody>>>(
    worker: Rc<Worker>,
    accepted: Accepted,
    shop: Rc<Shop<F>>,
    answer: impl Fn(Rc<Worker>, Rc<Client>, Arrived) -> F,
) {
    let Accepted { stream, port, tls } = accepted;
    let Ok(address) = stream.peer_addr() else { return };
    if stream.set_nodelay(true).is_err() {
        return;
    }
    // Asked only where some pool needs it: connections from before there was one go by their requests' hosts.
    let asks = worker.load().snapshot.has_originals();
    let redirected_from = if asks { redirected_from(&stream) } else { None };
    let forwarded_for = fields::forwarded_for(address);
    let activity = Rc::new(Activity::new());
    let _open = worker.recorder.client_connected();
    // Boxed, so that a connection in clear is not as large as one that is secured.
    let (stream, tls) = match tls {
        None => (Stream::Clear(stream), None),
        Some(servers) => match Box::pin(timeout(worker.limits.header_timeout, servers.accept(stream))).await {
            Ok(Ok(tls::Accepted { stream, peer, .. })) => (Stream::Secured(Box::new(stream)), Some(Rc::new(peer))),
            Ok(Err(error)) => {
                return tracing::debug!(%error, client = %address, port, "a client cannot be spoken to over TLS");
            }
            Err(_) => return tracing::debug!(client = %address, port, "a client's TLS handshake took too long"),
        },
    };
    let client = Rc::new(Client { address, port, tls, redirected_from, forwarded_for, activity });
    let supervised = worker.supervisor.enter(Rc::clone(&client.activity));
    let count = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
    let fields = count(worker.load().snapshot.limits().max_headers);
    let limits = HeadLimits { bytes: count(worker.limits.max_header_bytes), fields };
    let connection = http1::Connection::new(stream, shop, supervised, Rc::clone(&client.activity), limits);
    let ended = connection
        .serve(|arrived| {
            client.activity.request_begins();
            answer(Rc::clone(&worker), Rc::clone(&client), arrived)
        })
        .await;
    if let Ended::Http2(stream) = ended {
        // Boxed, so that a connection of HTTP/1.1 is not as large.
        Box::pin(serve_http2(worker, client, stream)).await;
    }
}

/// Answers the requests that come over `stream`.
async fn serve_http2(worker: Rc<Worker>, client: Rc<Client>, stream: Upgraded) {
    let (limits, allowed) = (worker.limits, worker.load().snapshot.limits().http2);
    let supervised = worker.supervisor.enter(Rc::clone(&client.activity));
    let stream = Guarded::new(stream, allowed, worker.limit_counters.clone());
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        client.activity.request_begins();
        let (worker, client) = (Rc::clone(&worker), Rc::clone(&client));
        // hyper makes a task of each request, and moves it several times until it stands.
        Box::pin(async move { Ok::<_, Infallible>(request::serve(worker, client, request.map(Arriving::Http2)).await) })
    });
    let connection = http2(limits, allowed).serve_connection(TokioIo::new(stream), service);
    supervise(&supervised, connection, http2::Connection::graceful_shutdown).await;
}

/// Serves `connection` until it ends or is ordered to.
async fn supervise<C: Future>(supervised: &Supervised, connection: C, shut_down: impl Fn(Pin<&mut C>)) {
    let mut connection = pin!(connection);
    let mut closing = false;
    poll_fn(|context| {
        match supervised.order(context) {
            Order::End => return Poll::Ready(()),
            Order::Retire | Order::Finish if !closing => {
                closing = true;
                // A request that has come already is read first: idle, the connection would close on it.
                if connection.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                shut_down(connection.as_mut());
            }
            Order::Finish | Order::Retire | Order::Serve => {}
        }
        connection.as_mut().poll(context).map(|_| ())
    })
    .await;
}

/// What the library would refuse by limits of its own, it refuses no earlier than [`Guarded`] does, which counts it. A list of
/// header fields may be twice as large as it is taken: up to there the refusal is an answer like every other.
fn http2(limits: Limits, allowed: Http2Limits) -> http2::Builder<Here> {
    let mut builder = http2::Builder::new(Here);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(allowed.max_concurrent_streams)
        .max_pending_accept_reset_streams(usize::try_from(allowed.max_resets_per_second).ok())
        .max_header_list_size(limits.max_header_bytes.saturating_mul(2));
    builder
}

/// Spawns on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct Here;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
