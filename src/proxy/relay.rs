//! Answers' bodies on their way to the client: streamed, counted and never held back.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};

use super::body::RequestBody;
use super::exchange::Exchange;
use super::load;
use super::send::note;
use crate::domain::Reason;
use crate::live::Held;
use crate::pool::Outcome;
use crate::upstream::Incoming;

/// A body that was broken off.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{}", .0.detail())]
pub(super) struct Broken(pub(super) Reason);

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
    pub(super) body: Incoming<RequestBody>,
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

    /// A body that an upgraded connection stands in for.
    pub(super) fn none() -> Self {
        Self { source: Source::Whole(None), exchange: None }
    }

    /// Ends it unsent: the answer is to HEAD, or of a status that has no body.
    pub(super) fn pass_over(&mut self) {
        self.end(None);
    }

    /// Breaks it off: its client has taken nothing of it for too long, which is what `reason` says.
    pub(super) fn give_up(&mut self, reason: Reason) {
        self.end(Some(reason));
    }

    /// How long its client may take nothing of it.
    pub(super) fn patience(&self) -> Option<Stillness> {
        let whole = match &self.source {
            Source::Endpoint(source) => source.stillness.deadline,
            Source::Whole(_) => None,
        };
        self.exchange.as_ref().map(|exchange| Stillness::new(exchange.limits().stream_idle_timeout, whole))
    }

    /// Nobody asks for a frame of a body that says it is over, so the end is noted as soon as it is known.
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
            // The body has given its connection back: whoever takes the slot next finds it idle.
            if let Some(mut held) = source.held.take()
                && reason.is_none()
            {
                held.complete();
            }
            if let Some(rest) = source.body.take_unsent() {
                rest.linger();
            }
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
        let mut frame = match &mut this.source {
            Source::Whole(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Source::Endpoint(source) => match Pin::new(&mut source.body).poll_frame(context) {
                Poll::Ready(frame) => {
                    source.stillness.moved();
                    frame.map(|frame| frame.map_err(|_| Broken(Reason::UpstreamReset)))
                }
                Poll::Pending => Some(Err(Broken(ready!(source.stillness.poll(context))))),
            },
        };
        match &mut frame {
            Some(Ok(frame)) => {
                if let (Some(exchange), Some(trailers)) = (&this.exchange, frame.trailers_mut()) {
                    load::read(exchange, trailers);
                }
                if let (Some(exchange), Some(data)) = (&mut this.exchange, frame.data_ref()) {
                    exchange.sent(data.len());
                }
                this.end_if_over();
            }
            Some(Err(Broken(reason))) => {
                let reason = this.exchange.as_ref().and_then(|exchange| exchange.meter().broken()).unwrap_or(*reason);
                if let Some((exchange, tried)) = this.exchange.as_ref().and_then(|one| Some((one, one.tried()?)))
                    && reason == Reason::UpstreamReset
                {
                    note(exchange.live(), tried, Outcome::Reset);
                }
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

    pub(super) fn moved(&mut self) {
        self.still_since = None;
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Reason> {
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
