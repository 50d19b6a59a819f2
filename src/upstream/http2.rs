//! HTTP/2 as a client (RFC 9113): a connection is driven by a task of its own, a request by whoever waits for its answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Ping, PingPong};
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;

use super::shared::{Http2, Stream};
use super::transport::Transport;
use super::{Answer, Incoming};
use crate::wire::Gathered;
use crate::wire::http2::{Received, Sending, Unsent, set_length, strip};

/// What one stream and one connection may have in flight towards us: enough for a body of embeddings at the bandwidth and
/// delay of one cluster, where HTTP/2's own default of 64 KiB makes a sender wait.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// How much of what a stream sends waits for room at most, before it is told to wait itself.
const SEND_BUFFER_BYTES: usize = 1 << 20;

/// The largest head of an answer, as RFC 9113, section 6.5.2, counts it.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// How many streams a connection carries before its endpoint has said how many it may (RFC 9113, section 6.5.2, recommends
/// no less).
const FIRST_STREAMS: usize = 100;

/// How many streams may be broken off for what their endpoint does wrong, before the connection goes with them.
const MOST_LOCAL_RESETS: usize = 1024;

/// How often a quiet connection is asked for a sign of life, and how long it has to give one.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Speaks HTTP/2 over `transport`; the connection is `shared`'s, and ends with it and its streams.
///
/// # Errors
/// The library's, where the endpoint has gone already.
pub(super) async fn begin(transport: Transport, shared: &Rc<Http2>) -> Result<SendRequest<Bytes>, h2::Error> {
    let stream = Gathered::new(transport);
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_max_send_streams(FIRST_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_local_error_reset_streams(Some(MOST_LOCAL_RESETS))
        .enable_push(false);
    let (sender, mut connection) = builder.handshake(stream.clone()).await?;
    let pings = connection.ping_pong();
    let ended = Ended(Rc::downgrade(shared));
    let driven = tokio::task::spawn_local(drive(connection, stream.clone(), ended));
    if let Some(pings) = pings {
        tokio::task::spawn_local(ask_for_life(pings, stream, driven, Rc::downgrade(shared)));
    }
    Ok(sender)
}

/// Drives a connection to its end. Its error reaches whoever waits for an answer; here there is nobody left to tell.
async fn drive(mut connection: Connection<Gathered<Transport>, Bytes>, stream: Gathered<Transport>, ended: Ended) {
    poll_fn(|context| {
        if Pin::new(&mut connection).poll(context).is_ready() {
            return Poll::Ready(());
        }
        if let Some(shared) = ended.0.upgrade() {
            shared.make_room(|| connection.max_concurrent_send_streams(), context);
        }
        // What all streams have to say is written at once.
        match stream.poll_drain(context) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
}

/// Notes that a connection has ended.
struct Ended(Weak<Http2>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.end();
        }
    }
}

/// Ends a connection that carries requests, and whose endpoint gives no sign of life. Ends with it.
async fn ask_for_life(
    mut pings: PingPong,
    stream: Gathered<Transport>,
    mut driven: JoinHandle<()>,
    shared: Weak<Http2>,
) {
    while timeout(PING_INTERVAL, &mut driven).await.is_err() {
        let heard = stream.has_heard();
        let carries = shared.upgrade().is_none_or(|shared| shared.carries());
        if !heard && carries && timeout(PING_TIMEOUT, pings.ping(Ping::opaque())).await.is_err() {
            driven.abort();
        }
    }
}

/// Sends a request on `stream`, and waits for the head of its answer.
///
/// # Errors
/// The library's; `None` where the request's own body broke off.
pub(super) async fn exchange<B: Body<Data = Bytes> + Unpin + 'static>(
    sender: &mut SendRequest<Bytes>,
    (mut head, body): (Parts, B),
    stream: Stream,
) -> Result<Answer<B>, Option<h2::Error>> {
    strip(&mut head.headers);
    let over = body.is_end_stream();
    let size = body.size_hint();
    if size.exact() != Some(0) || has_content(&head.method) {
        set_length(&mut head.headers, &size);
    }
    let (mut answer, outgoing) = sender.send_request(Request::from_parts(head, ()), over)?;
    let mut sending = (!over).then(|| Sending::new(outgoing, body));
    let answered = poll_fn(|context| {
        if let Some(body) = &mut sending {
            match body.poll(context) {
                Poll::Ready(Err(Unsent::Broken)) => return Poll::Ready(Err(None)),
                // An endpoint that takes no more may have said why.
                Poll::Ready(Ok(()) | Err(Unsent::Refused)) => sending = None,
                Poll::Pending => {}
            }
        }
        Pin::new(&mut answer).poll(context).map_err(Some)
    });
    let (head, body) = answered.await?.into_parts();
    let body = Received::new(body, &head.headers);
    Ok(Response::from_parts(head, Incoming::http2(body, stream, sending.map(Uploading::begin))))
}

/// Whether requests of this method are expected to have content (RFC 9110, section 8.6).
fn has_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// The rest of a request's body, which is sent beside its answer: neither waits for the other. Dropped, it is broken off.
pub(super) struct Uploading(Option<AbortHandle>);

impl Uploading {
    fn begin<B: Body<Data = Bytes> + Unpin + 'static>(mut sending: Sending<B>) -> Self {
        let sent = tokio::task::spawn_local(async move { poll_fn(|context| sending.poll(context)).await.ok() });
        Self(Some(sent.abort_handle()))
    }

    /// Lets it go on: the answer is over, and the endpoint says itself what it no longer wants.
    pub(super) fn go_on(mut self) {
        self.0 = None;
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        if let Some(sending) = &self.0 {
            sending.abort();
        }
    }
}
