//! One client connection: its protocol, its time limits and its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::HeaderValue;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::activity::{Activity, Spoken, Watched};
use super::destination::redirected_from;
use super::http2::Guarded;
use super::supervisor::{Order, Supervised};
use super::{Limits, Worker, fields, request};
use crate::domain::Http2Limits;
use crate::tls::{self, Peer, Servers};

/// How long a connection that has asked for nothing yet is kept once it is to end.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

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
    pub(super) activity: Arc<Activity>,
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
pub(super) async fn serve(worker: Rc<Worker>, accepted: Accepted) {
    let Accepted { stream, port, tls } = accepted;
    let Ok(address) = stream.peer_addr() else { return };
    if stream.set_nodelay(true).is_err() {
        return;
    }
    // Asked only where some pool needs it: connections from before there was one go by their requests' hosts.
    let asks = worker.load().snapshot.has_originals();
    let redirected_from = if asks { redirected_from(&stream) } else { None };
    let forwarded_for = fields::forwarded_for(address);
    let activity = Arc::new(Activity::new());
    let client = Client { address, port, tls: None, redirected_from, forwarded_for, activity };
    let _open = worker.recorder.client_connected();
    let Some(servers) = tls else { return converse(worker, stream, client).await };
    // Boxed, so that a connection in clear is not as large as one that is secured.
    match Box::pin(timeout(worker.limits.header_timeout, servers.accept(stream))).await {
        Ok(Ok(tls::Accepted { stream, peer })) => {
            let client = Client { tls: Some(Rc::new(peer)), ..client };
            Box::pin(converse(worker, stream, client)).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, client = %address, port, "a client cannot be spoken to over TLS"),
        Err(_) => tracing::debug!(client = %address, port, "a client's TLS handshake took too long"),
    }
}

/// Answers the requests that come over `stream`.
async fn converse(worker: Rc<Worker>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, client: Client) {
    let client = Rc::new(client);
    let activity = Arc::clone(&client.activity);
    let supervised = worker.supervisor.enter(Arc::clone(&activity));
    let mut stream = Watched::new(stream, activity);
    let Some(Ok(spoken)) = unless_ended(&supervised, stream.spoken()).await else { return };
    let (limits, guarded) = (worker.limits, Rc::clone(&worker));
    let serve = move |request| {
        client.activity.request_begins();
        let (worker, client) = (Rc::clone(&worker), Rc::clone(&client));
        async move { Ok::<_, Infallible>(request::serve(worker, client, request).await) }
    };
    match spoken {
        Spoken::Http1 => {
            let service = service_fn(move |request| {
                let (served, worker) = (serve(request), Rc::clone(&guarded));
                async move { served.await.map(|answer| worker.take_leave(answer)) }
            });
            let connection = http1(limits).serve_connection(TokioIo::new(stream), service).with_upgrades();
            supervise(&supervised, connection, (Order::Finish, http1::UpgradeableConnection::graceful_shutdown)).await;
        }
        // Boxed, so that a connection of HTTP/1.1 is not as large.
        Spoken::Http2 => {
            // hyper makes a task of each request, and moves it several times until it stands.
            let service = service_fn(move |request| Box::pin(serve(request)));
            let allowed = guarded.load().snapshot.limits().http2;
            let stream = Guarded::new(stream, allowed, guarded.limit_counters.clone());
            let connection = http2(limits, allowed).serve_connection(TokioIo::new(stream), service);
            Box::pin(supervise(&supervised, connection, (Order::Retire, http2::Connection::graceful_shutdown))).await;
        }
    }
}

/// Waits for what a client says first, for as long as its connection may stand open: `None` where it may no longer. What it asks
/// for may be on its way still: the system takes connections before their clients learn that the router ends.
async fn unless_ended<T>(supervised: &Supervised, said: impl Future<Output = T>) -> Option<T> {
    let (mut said, mut patience) = (pin!(said), None);
    poll_fn(|context| match (said.as_mut().poll(context), supervised.order(context)) {
        (Poll::Ready(said), _) => Poll::Ready(Some(said)),
        (Poll::Pending, Order::Serve | Order::Retire) => Poll::Pending,
        (Poll::Pending, Order::Finish) => {
            let patience = patience.get_or_insert_with(|| Box::pin(sleep(FIRST_REQUEST)));
            patience.as_mut().poll(context).map(|()| None)
        }
        (Poll::Pending, Order::End) => Poll::Ready(None),
    })
    .await
}

/// Serves `connection` until it ends or is ordered to; `least` is the least order for which `shut_down` is right.
async fn supervise<C: Future>(
    supervised: &Supervised,
    connection: C,
    (least, shut_down): (Order, impl Fn(Pin<&mut C>)),
) {
    let mut connection = pin!(connection);
    let mut closing = false;
    poll_fn(|context| {
        match supervised.order(context) {
            Order::End => return Poll::Ready(()),
            order if order >= least && !closing => {
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

fn http1(limits: Limits) -> http1::Builder {
    let max_header_bytes = usize::try_from(limits.max_header_bytes).unwrap_or(usize::MAX);
    let mut builder = http1::Builder::new();
    builder.max_buf_size(max_header_bytes.max(MIN_HTTP1_BUFFER));
    builder
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

/// The least that hyper takes for its read buffer.
const MIN_HTTP1_BUFFER: usize = 8192;

/// Spawns on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct Here;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
