//! A body that is kept as it is read, so that another try can send it again.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use super::source::Source;
use crate::domain::Reason;
use crate::proxy::relay::Broken;
use crate::proxy::retained::Allowance;

/// The most bytes that are kept of one body: Envoy's default `per_connection_buffer_limit_bytes`. A larger body is sent
/// once.
const MOST: usize = 1 << 20;

/// What has been read of a body, and where the rest comes from.
pub(super) struct Kept {
    source: Source,
    frames: Vec<Bytes>,
    trailers: Option<HeaderMap>,
    bytes: usize,
    /// What it may take of the memory that all such bodies have together.
    allowance: Allowance,
    /// Whether it was more than is kept.
    lost: bool,
    /// The reading that is in force; a try that was given up may not read on.
    reading: u32,
}

impl Kept {
    pub(super) const fn new(source: Source, allowance: Allowance) -> Self {
        Self { source, frames: Vec::new(), trailers: None, bytes: 0, allowance, lost: false, reading: 0 }
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        if let Some(data) = frame.data_ref().filter(|_| !self.lost) {
            self.bytes += data.len();
            self.frames.push(data.clone());
            if self.bytes > MOST || !self.allowance.take(data.len()) {
                self.allowance.give_back();
                self.lost = true;
                self.frames = Vec::new();
            }
        }
        if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
        }
    }
}

/// One reading of a kept body from its beginning.
#[derive(Clone)]
pub(super) struct Reading {
    kept: Rc<RefCell<Kept>>,
    number: u32,
    /// The frame that comes next.
    next: usize,
    trailers_read: bool,
}

impl Reading {
    pub(super) fn first(kept: Kept) -> Self {
        Self { kept: Rc::new(RefCell::new(kept)), number: 0, next: 0, trailers_read: false }
    }

    /// A new reading, with which those before end; `None` where the beginning is not kept.
    pub(super) fn again(&self) -> Option<Self> {
        let mut kept = self.kept.borrow_mut();
        kept.reading += 1;
        (!kept.lost).then(|| Self { kept: Rc::clone(&self.kept), number: kept.reading, next: 0, trailers_read: false })
    }

    pub(super) fn is_whole(&self) -> bool {
        !self.kept.borrow().lost
    }

    /// What has not been read by any.
    pub(super) fn take(&self) -> Option<Incoming> {
        self.kept.borrow_mut().source.take()
    }

    pub(super) fn is_over(&self) -> bool {
        let kept = self.kept.borrow();
        let trailers_due = kept.trailers.is_some() && !self.trailers_read;
        self.next >= kept.frames.len() && !trailers_due && kept.source.is_over()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let kept = self.kept.borrow();
        let due: u64 = kept.frames.iter().skip(self.next).map(|frame| frame.len() as u64).sum();
        let mut hint = kept.source.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(due));
        }
        hint.set_lower(hint.lower().saturating_add(due));
        hint
    }

    pub(super) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let mut kept = self.kept.borrow_mut();
        if kept.reading != self.number {
            return Poll::Ready(Some(Err(Broken(Reason::UpstreamReset))));
        }
        if let Some(frame) = kept.frames.get(self.next) {
            self.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(frame.clone()))));
        }
        if let Some(trailers) = kept.trailers.clone().filter(|_| !self.trailers_read) {
            self.trailers_read = true;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let frame = ready!(kept.source.poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            kept.keep(frame);
            self.next = kept.frames.len();
            self.trailers_read = kept.trailers.is_some();
        }
        Poll::Ready(frame)
    }
}
