//! Bodies on their way through: streamed, counted and never held back.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep_until, timeout};

use super::exchange::Exchange;
use super::fields;
use crate::domain::Reason;
use crate::live::Held;
use crate::upstream::Lease;

/// How long the rest of a refused request is read.
const LINGER: Duration = Duration::from_secs(1);

/// A body that was broken off.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{}", .0.detail())]
pub(super) struct Broken(Reason);

/// What is known of a request's body from outside of it.
#[derive(Debug, Default)]
pub(super) struct Meter {
    bytes: Cell<u64>,
    broken: Cell<Option<Reason>>,
}

impl Meter {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Why the body was broken off on the client's side of it.
    pub(super) fn broken(&self) -> Option<Reason> {
        self.broken.get()
    }
}

/// A request's body as it is sent on.
pub(super) struct RequestBody {
    content: Content,
    meter: Rc<Meter>,
    limit: u64,
    awaits: Option<Arc<Continue>>,
    stillness: Stillness,
    trailers: bool,
}

enum Content {
    Streamed(Incoming),
    /// Read whole already, for the local model.
    Whole(Option<Bytes>),
}

impl RequestBody {
    /// A body of at most `limit` bytes that may stand still for `idle`.
    pub(super) fn new(incoming: Incoming, meter: Rc<Meter>, limit: u64, idle: Duration) -> Self {
        Self {
            content: Content::Streamed(incoming),
            meter,
            limit,
            awaits: None,
            stillness: Stillness::new(idle, None),
            trailers: false,
        }
    }

    /// Announces trailers behind it.
    pub(super) fn expect_trailers(&mut self) {
        self.trailers = true;
    }

    /// The same body, read to its end.
    pub(super) fn read_whole(&mut self, bytes: Bytes) {
        self.content = Content::Whole((!bytes.is_empty()).then_some(bytes));
    }

    /// The same body once more, where it is known to be empty.
    pub(super) fn repeated(&self) -> Option<Self> {
        let stillness = Stillness::new(self.stillness.limit, None);
        let meter = Rc::clone(&self.meter);
        self.is_end_stream().then(|| Self {
            content: Content::Whole(None),
            meter,
            limit: self.limit,
            awaits: None,
            stillness,
            trailers: false,
        })
    }

    /// Lets go of it: the request is refused.
    pub(super) fn let_go(self, headers: &HeaderMap) {
        if let Content::Streamed(incoming) = self.content {
            let_go(headers, incoming);
        }
    }

    /// Holds the body back until `continued` says that the endpoint wants it.
    pub(super) fn hold_until(&mut self, continued: Arc<Continue>) {
        self.awaits = Some(continued);
    }

    fn broken_for(&self, reason: Reason) -> Broken {
        self.meter.broken.set(Some(reason));
        Broken(reason)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if let Some(awaits) = &this.awaits {
            ready!(awaits.poll(context));
            this.awaits = None;
        }
        let incoming = match &mut this.content {
            Content::Streamed(incoming) => incoming,
            Content::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        };
        let Poll::Ready(frame) = Pin::new(incoming).poll_frame(context) else {
            return match this.stillness.poll(context) {
                Poll::Ready(reason) => Poll::Ready(Some(Err(this.broken_for(reason)))),
                Poll::Pending => Poll::Pending,
            };
        };
        this.stillness.moved();
        match frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                let bytes = this.meter.bytes.get().saturating_add(length);
                this.meter.bytes.set(bytes);
                if bytes <= this.limit {
                    return Poll::Ready(Some(Ok(frame)));
                }
                if let Content::Streamed(rest) = std::mem::replace(&mut this.content, Content::Whole(None)) {
                    linger(rest);
                }
                Poll::Ready(Some(Err(this.broken_for(Reason::BodyTooLarge))))
            }
            Some(Err(_)) => Poll::Ready(Some(Err(this.broken_for(Reason::ClientDisconnected)))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Streamed(incoming) => incoming.is_end_stream(),
            Content::Whole(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            // Sent with its length, a body would be sent without the trailers behind it.
            Content::Streamed(_) if self.trailers => SizeHint::default(),
            Content::Streamed(incoming) => incoming.size_hint(),
            Content::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

/// Reads on for a moment what nobody wants, so that its client comes to read the refusal: a connection closed, or a stream
/// reset, with bytes still arriving may take the answer down with it (RFC 9112, section 9.6).
fn linger(mut rest: Incoming) {
    if !rest.is_end_stream() {
        tokio::task::spawn_local(timeout(LINGER, async move { while let Some(Ok(_)) = rest.frame().await {} }));
    }
}

/// Lets go of the body of a request that is refused unread. One that its client holds back is not asked for.
pub(super) fn let_go(headers: &HeaderMap, body: Incoming) {
    if !fields::lists(headers, &EXPECT, "100-continue") {
        linger(body);
    }
}

/// Whether an endpoint has asked for a body that its client holds back (`Expect: 100-continue`).
#[derive(Debug, Default)]
pub(super) struct Continue {
    asked: AtomicBool,
    waker: AtomicWaker,
}

impl Continue {
    /// The endpoint wants the body, or has been given long enough to say so.
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        self.waker.register(context.waker());
        if self.asked.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// An answer's body on its way to the client; holds whatever the request occupies until it ends.
pub(super) struct AnswerBody {
    source: Source,
    exchange: Option<Exchange>,
}

enum Source {
    Endpoint(Box<FromEndpoint>),
    Whole(Option<Bytes>),
}

/// What an answer from an endpoint occupies. Boxed once a request, so that every body is small to move.
pub(super) struct FromEndpoint {
    pub(super) body: Incoming,
    pub(super) lease: Option<Lease<RequestBody>>,
    pub(super) held: Option<Held>,
    pub(super) stillness: Stillness,
}

impl AnswerBody {
    /// A body from an endpoint.
    pub(super) fn relayed(source: FromEndpoint, exchange: Exchange) -> Self {
        let mut body = Self { source: Source::Endpoint(Box::new(source)), exchange: Some(exchange) };
        body.end_if_over();
        body
    }

    /// A body of the router's own.
    pub(super) fn whole(bytes: Bytes, exchange: Exchange) -> Self {
        let mut body = Self { source: Source::Whole((!bytes.is_empty()).then_some(bytes)), exchange: Some(exchange) };
        body.end_if_over();
        body
    }

    /// The same exchange's answer without a body.
    pub(super) fn cut(mut self) -> Self {
        self.source = Source::Whole(None);
        self.end(None);
        self
    }

    /// A body that an upgraded connection stands in for.
    pub(super) fn none() -> Self {
        Self { source: Source::Whole(None), exchange: None }
    }

    /// hyper asks for no frame of a body that says it is over, so the end is noted as soon as it is known.
    fn end_if_over(&mut self) {
        let over = match &self.source {
            Source::Endpoint(source) => source.body.is_end_stream(),
            Source::Whole(bytes) => bytes.is_none(),
        };
        if over {
            self.end(None);
        }
    }

    fn end(&mut self, reason: Option<Reason>) {
        if let Source::Endpoint(source) = &mut self.source {
            // The connection first: whoever takes the slot next finds it idle.
            if let Some(lease) = source.lease.take().filter(|_| reason.is_none()) {
                lease.give_back();
            }
            source.held = None;
        }
        if let Some(exchange) = self.exchange.take() {
            exchange.finish(reason);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let frame = match &mut this.source {
            Source::Whole(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Source::Endpoint(source) => match Pin::new(&mut source.body).poll_frame(context) {
                Poll::Ready(frame) => {
                    source.stillness.moved();
                    frame.map(|frame| frame.map_err(|_| Broken(Reason::UpstreamReset)))
                }
                Poll::Pending => Some(Err(Broken(ready!(source.stillness.poll(context))))),
            },
        };
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(exchange), Some(data)) = (&mut this.exchange, frame.data_ref()) {
                    exchange.sent(data.len());
                }
                this.end_if_over();
            }
            Some(Err(Broken(reason))) => {
                let reason = this.exchange.as_ref().and_then(|exchange| exchange.meter().broken()).unwrap_or(*reason);
                this.end(Some(reason));
            }
            None => this.end(None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Endpoint(source) => source.body.is_end_stream(),
            Source::Whole(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Endpoint(source) => source.body.size_hint(),
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

/// How long a body has stood still. Its timer exists only once a body has had to wait.
pub(super) struct Stillness {
    limit: Duration,
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    still_since: Option<Instant>,
}

impl Stillness {
    /// Ends a body that stands still for `limit`, or is not over at `deadline`.
    pub(super) fn new(limit: Duration, deadline: Option<Instant>) -> Self {
        Self { limit, deadline, timer: None, still_since: None }
    }

    fn moved(&mut self) {
        self.still_since = None;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Reason> {
        let idle_end = *self.still_since.get_or_insert_with(Instant::now) + self.limit;
        let end = self.deadline.map_or(idle_end, |deadline| deadline.min(idle_end));
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end.into())));
        if timer.deadline() != end.into() {
            timer.as_mut().reset(end.into());
        }
        ready!(timer.as_mut().poll(context));
        let timed_out = self.deadline.is_some_and(|deadline| deadline <= idle_end);
        Poll::Ready(if timed_out { Reason::RequestTimeout } else { Reason::StreamIdleTimeout })
    }
}
