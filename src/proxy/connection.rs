//! One client connection: its protocol, its time limits and its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::HeaderValue;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep, timeout};

use super::destination::redirected_from;
use super::listen::{Drain, draining};
use super::{Limits, Worker, fields, request};
use crate::tls::{self, Peer, Servers};

/// Streams that one HTTP/2 connection may have open: Envoy's recommendation for an edge proxy.
const MAX_CONCURRENT_STREAMS: u32 = 100;

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
pub(super) async fn serve(worker: Rc<Worker>, accepted: Accepted, drain: watch::Receiver<Drain>) {
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
    let Some(servers) = tls else { return converse(worker, stream, client, drain).await };
    // Boxed, so that a connection in clear is not as large as one that is secured.
    match Box::pin(timeout(worker.limits.header_timeout, servers.accept(stream))).await {
        Ok(Ok(tls::Accepted { stream, peer })) => {
            let client = Client { tls: Some(Rc::new(peer)), ..client };
            Box::pin(converse(worker, stream, client, drain)).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, client = %address, port, "a client cannot be spoken to over TLS"),
        Err(_) => tracing::debug!(client = %address, port, "a client's TLS handshake took too long"),
    }
}

/// Answers the requests that come over `stream`.
async fn converse(
    worker: Rc<Worker>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    client: Client,
    mut drain: watch::Receiver<Drain>,
) {
    let client = Rc::new(client);
    let activity = Arc::clone(&client.activity);
    let builder = builder(worker.limits);
    let limits = worker.limits;
    let service = service_fn(move |request| {
        client.activity.request_begins();
        let (worker, client) = (Rc::clone(&worker), Rc::clone(&client));
        async move { Ok::<_, Infallible>(request::serve(worker, client, request).await) }
    });
    let io = TokioIo::new(Watched { stream, activity: Arc::clone(&activity) });
    let mut connection = std::pin::pin!(builder.serve_connection_with_upgrades(io, service));
    let mut overdue = OverdueWatch::new(&activity, limits);
    let mut drained = std::pin::pin!(draining(&mut drain));
    let mut closing = false;
    poll_fn(|context| {
        match overdue.poll(context) {
            Poll::Ready(Overdue::Head) => return Poll::Ready(()),
            Poll::Ready(Overdue::Request) if !closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
            Poll::Ready(Overdue::Request) | Poll::Pending => {}
        }
        if !closing && drained.as_mut().poll(context).is_ready() {
            closing = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(context).map(|_| ())
    })
    .await;
}

fn builder(limits: Limits) -> auto::Builder<Here> {
    let mut builder = auto::Builder::new(Here);
    let max_header_bytes = usize::try_from(limits.max_header_bytes).unwrap_or(usize::MAX);
    builder
        .http1()
        .max_buf_size(max_header_bytes.max(MIN_HTTP1_BUFFER))
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .max_header_list_size(limits.max_header_bytes);
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

/// What a client has kept the router waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overdue {
    /// Any request at all: the connection is idle.
    Request,
    /// The rest of a head.
    Head,
}

/// A stream of what is overdue; polled again, it looks again.
struct OverdueWatch<'a> {
    activity: &'a Activity,
    limits: Limits,
    look: Pin<Box<Sleep>>,
}

impl<'a> OverdueWatch<'a> {
    fn new(activity: &'a Activity, limits: Limits) -> Self {
        // A head may begin at any time: the next look is never further away than what it may take.
        Self { activity, limits, look: Box::pin(sleep(limits.header_timeout.min(limits.keepalive))) }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Overdue> {
        while self.look.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let head = self.activity.head_since().map(|since| (since + self.limits.header_timeout, Overdue::Head));
            let quiet = self.activity.quiet_since().map(|since| (since + self.limits.keepalive, Overdue::Request));
            let next = now + self.limits.header_timeout;
            let next = match head.or(quiet) {
                Some((end, overdue)) if end <= now => {
                    self.look.as_mut().reset(next.into());
                    return Poll::Ready(overdue);
                }
                Some((end, _)) => end.min(next),
                None => next,
            };
            self.look.as_mut().reset(next.into());
        }
        Poll::Pending
    }
}

/// What one connection is doing, seen from its bytes and its requests.
///
/// Every field is this thread's own; they are atomics because hyper asks of a connection's stream that it could be sent
/// to another thread.
#[derive(Debug)]
pub(super) struct Activity {
    born: Instant,
    in_flight: AtomicU32,
    /// Nanoseconds after `born` at which the last request ended.
    quiet_since: AtomicU64,
    /// One more than the nanoseconds after `born` at which an HTTP/1.1 head began; zero while none is being read.
    head_since: AtomicU64,
    speaks_http2: AtomicBool,
}

impl Activity {
    fn new() -> Self {
        Self {
            born: Instant::now(),
            in_flight: AtomicU32::new(0),
            quiet_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            speaks_http2: AtomicBool::new(false),
        }
    }

    fn age(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn request_begins(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
    }

    /// Notes that a request is over. Once for each that began.
    pub(super) fn request_ends(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.quiet_since.store(self.age(), Ordering::Relaxed);
    }

    fn bytes_came(&self, bytes: &[u8]) {
        if bytes.starts_with(b"PRI * HTTP/2") {
            self.speaks_http2.store(true, Ordering::Relaxed);
        }
        let quiet = self.in_flight.load(Ordering::Relaxed) == 0 && self.head_since.load(Ordering::Relaxed) == 0;
        if quiet && !bytes.is_empty() && !self.speaks_http2.load(Ordering::Relaxed) {
            self.head_since.store(self.age().saturating_add(1), Ordering::Relaxed);
        }
    }

    fn quiet_since(&self) -> Option<Instant> {
        let quiet = self.in_flight.load(Ordering::Relaxed) == 0;
        quiet.then(|| self.born + Duration::from_nanos(self.quiet_since.load(Ordering::Relaxed)))
    }

    fn head_since(&self) -> Option<Instant> {
        let since = self.head_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.born + Duration::from_nanos(since))
    }
}

/// A client's stream that notes when bytes come.
struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if polled.is_ready() {
            self.activity.bytes_came(&buffer.filled()[before..]);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
