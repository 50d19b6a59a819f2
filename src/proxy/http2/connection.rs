//! One client connection: its streams, and its end.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::Reason;
use h2::server::{self, SendResponse};
use http::Request;

use super::guarded::Guarded;
use super::streams::Streams;
use crate::domain::{Http2Limits, Limit};
use crate::proxy::activity::Activity;
use crate::proxy::http1::{Shop, Supplies, Upgraded};
use crate::proxy::supervisor::{Order, Supervised};
use crate::telemetry::LimitCounters;
use crate::wire::Gathered;
use crate::wire::http2::Received;

/// What one stream and one connection may have in flight towards us.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// How much of what a stream sends waits for room at most, before it is told to wait itself.
const SEND_BUFFER_BYTES: usize = 400 * 1024;

/// How many streams the router itself may break off for what their client does wrong, before the connection goes with them.
const MOST_LOCAL_RESETS: usize = 1024;

/// How often what is ready is polled before other connections have their turn.
const ROUNDS: u32 = 16;

/// What has come on a stream.
pub(in crate::proxy) struct Coming {
    pub(in crate::proxy) request: Request<Received>,
    pub(super) respond: SendResponse<Bytes>,
    pub(super) supplies: Rc<Supplies>,
}

/// What holds for a connection.
pub(in crate::proxy) struct Terms {
    /// The largest head that is taken, in bytes.
    pub(in crate::proxy) max_header_bytes: u32,
    pub(in crate::proxy) limits: Http2Limits,
    pub(in crate::proxy) counters: LimitCounters,
    pub(in crate::proxy) activity: Rc<Activity>,
}

type Stream = Gathered<Upgraded>;

struct Session<F, B> {
    connection: server::Connection<Guarded<Stream>, Bytes>,
    stream: Stream,
    streams: Streams<F>,
    supplies: Rc<Supplies>,
    supervised: Supervised,
    counters: LimitCounters,
    activity: Rc<Activity>,
    closing: bool,
    begin: B,
}

/// Serves a connection to its end: `begin` begins to answer what comes on a stream.
pub(in crate::proxy) async fn serve<F: Future<Output = ()>>(
    stream: Upgraded,
    terms: Terms,
    supervised: Supervised,
    shop: Rc<Shop<F>>,
    begin: impl Fn(Coming) -> F,
) {
    let stream = Gathered::new(stream);
    let (counters, activity) = (terms.counters.clone(), Rc::clone(&terms.activity));
    let Some(connection) = shake_hands(stream.clone(), terms, &supervised).await else { return };
    let supplies = Rc::clone(&shop.supplies);
    let streams = Streams::new(shop);
    let mut session =
        Session { connection, stream, streams, supplies, supervised, counters, activity, closing: false, begin };
    poll_fn(|context| session.poll(context)).await;
}

/// What the library would refuse by limits of its own, it refuses no earlier than [`Guarded`] does, which counts it. A list of
/// header fields may be twice as large as it is taken: up to there the refusal is an answer like every other.
async fn shake_hands(
    stream: Stream,
    terms: Terms,
    supervised: &Supervised,
) -> Option<server::Connection<Guarded<Stream>, Bytes>> {
    let mut builder = server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_local_error_reset_streams(Some(MOST_LOCAL_RESETS))
        .max_concurrent_streams(terms.limits.max_concurrent_streams)
        .max_header_list_size(terms.max_header_bytes.saturating_mul(2));
    if let Ok(most) = usize::try_from(terms.limits.max_resets_per_second) {
        builder.max_pending_accept_reset_streams(most);
    }
    let mut handshake = builder.handshake(Guarded::new(stream.clone(), terms));
    poll_fn(|context| {
        if supervised.order(context) == Order::End {
            return Poll::Ready(None);
        }
        let shaken = Pin::new(&mut handshake).poll(context);
        match stream.poll_drain(context) {
            Poll::Ready(Err(_)) => Poll::Ready(None),
            _ => shaken.map(Result::ok),
        }
    })
    .await
}

impl<F: Future<Output = ()>, B: Fn(Coming) -> F> Session<F, B> {
    /// Completes once the connection has ended, or is ordered to.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let order = self.supervised.order(context);
        if order == Order::End {
            self.end();
            return Poll::Ready(());
        }
        self.streams.look(context.waker());
        if order != Order::Serve && !self.closing {
            self.closing = true;
            // A request that has come already is read first: idle, the connection would close on it.
            if self.poll_connection().is_ready() {
                return Poll::Ready(());
            }
            self.connection.graceful_shutdown();
            self.streams.connection().wake_by_ref();
        }
        for _ in 0..ROUNDS {
            if self.streams.poll() && self.poll_connection().is_ready() {
                return Poll::Ready(());
            }
            if !self.streams.is_ready() {
                break;
            }
        }
        // What all of them have to say is written at once.
        let drained = self.stream.poll_drain(&mut Context::from_waker(self.streams.connection()));
        if matches!(drained, Poll::Ready(Err(_))) {
            return Poll::Ready(());
        }
        self.streams.rest();
        Poll::Pending
    }

    /// Tells the client why the connection ends, as far as it takes that at once.
    fn end(&mut self) {
        if self.activity.is_in_head() {
            self.counters.count(Limit::Http2HeadTimeout);
            self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        } else {
            self.connection.abrupt_shutdown(Reason::NO_ERROR);
        }
        let _ended = self.poll_connection();
        let _written = self.stream.poll_drain(&mut Context::from_waker(self.streams.connection()));
    }

    /// Takes what has come; complete once the connection has ended.
    fn poll_connection(&mut self) -> Poll<()> {
        loop {
            let mut context = Context::from_waker(self.streams.connection());
            match self.connection.poll_accept(&mut context) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    let (head, body) = request.into_parts();
                    let body = Received::new(body, &head.headers);
                    let request = Request::from_parts(head, body);
                    let supplies = Rc::clone(&self.supplies);
                    self.streams.add(|| (self.begin)(Coming { request, respond, supplies }));
                }
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
