//! A body as it comes from the client: counted, limited, and told to whoever has a copy of it.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::copy::{Copied, Original};
use super::{Arriving, RequestBody, linger};
use crate::domain::Reason;
use crate::proxy::relay::{Broken, Stillness};

/// What is known of a request's body from outside of it.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Meter {
    bytes: Cell<u64>,
    broken: Cell<Option<Reason>>,
    over: Cell<bool>,
    /// Whether anybody asks when the body was complete.
    timed: Cell<bool>,
    completed: Cell<Option<Instant>>,
}

impl Meter {
    pub(in crate::proxy) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Why the body was broken off on the client's side of it.
    pub(in crate::proxy) fn broken(&self) -> Option<Reason> {
        self.broken.get()
    }

    /// Whether the client has sent the body whole.
    pub(in crate::proxy) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Has the moment kept at which `body` is complete.
    pub(in crate::proxy) fn time(&self, body: &RequestBody) {
        self.timed.set(true);
        if body.is_end_stream() {
            self.completed.set(Some(Instant::now()));
        }
    }

    /// When the body was complete, since that is kept.
    pub(in crate::proxy) fn completed(&self) -> Option<Instant> {
        self.completed.get()
    }
}

/// The client's end of a body.
pub(super) struct Source {
    /// `None` once it has ended, was over its limit or is let go.
    incoming: Option<Arriving>,
    meter: Rc<Meter>,
    limit: u64,
    stillness: Stillness,
    copies: Vec<Original>,
}

impl Source {
    pub(super) fn new(incoming: Arriving, meter: Rc<Meter>, limit: u64, idle: Duration) -> Self {
        let stillness = Stillness::new(idle, None);
        meter.over.set(incoming.is_end_stream());
        Self { incoming: Some(incoming), meter, limit, stillness, copies: Vec::new() }
    }

    /// A copy of what is read from now on.
    pub(super) fn copy(&mut self) -> Copied {
        let (original, copied) = Original::new(self.size_hint());
        self.copies.push(original);
        copied
    }

    /// What has not been read.
    pub(super) fn take(&mut self) -> Option<Arriving> {
        self.incoming.take()
    }

    pub(super) fn is_over(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }

    pub(super) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let Poll::Ready(frame) = Pin::new(incoming).poll_frame(context) else {
            return match self.stillness.poll(context) {
                Poll::Ready(_) => Poll::Ready(Some(Err(self.broken_for(Reason::BodyTimeout)))),
                Poll::Pending => Poll::Pending,
            };
        };
        self.stillness.moved();
        let frame = match frame {
            Some(Ok(frame)) => Some(self.count(frame)),
            Some(Err(reason)) => Some(Err(self.broken_for(reason))),
            None => {
                self.incoming = None;
                None
            }
        };
        if self.is_over() && !matches!(frame, Some(Err(_))) {
            self.complete();
        }
        Poll::Ready(frame)
    }

    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Broken> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let bytes = self.meter.bytes.get().saturating_add(length);
        self.meter.bytes.set(bytes);
        if bytes <= self.limit {
            self.copies.iter().for_each(|copy| copy.tell(&frame));
            return Ok(frame);
        }
        if let Some(rest) = self.incoming.take() {
            linger(rest);
        }
        Err(self.broken_for(Reason::BodyTooLarge))
    }

    fn complete(&mut self) {
        self.meter.over.set(true);
        if self.meter.timed.get() && self.meter.completed.get().is_none() {
            self.meter.completed.set(Some(Instant::now()));
        }
        self.copies.drain(..).for_each(Original::end);
    }

    fn broken_for(&self, reason: Reason) -> Broken {
        self.meter.broken.set(Some(reason));
        Broken(reason)
    }
}
