//! Request bodies on their way to an endpoint: streamed, and kept or copied only where a rule can need it.

mod copy;
mod kept;
mod source;

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::fields;
use super::relay::Broken;
use super::retained::Allowance;
use crate::upstream::Unread;
use copy::Copied;
pub(super) use copy::{Cut, Fate};
use kept::{Kept, Reading};
pub(super) use source::Meter;
use source::Source;

/// How long the rest of a refused request is read.
const LINGER: Duration = Duration::from_secs(1);

/// A request's body as it is sent on.
pub(super) struct RequestBody {
    content: Content,
    /// Whether what holds the body back is over: an endpoint has asked for what the client holds back (`Expect:
    /// 100-continue`), or has been given long enough to do so. Whoever sets it polls the body again.
    continued: Option<Rc<Cell<bool>>>,
    trailers: bool,
    /// What was read and given back, the last first.
    unread: Vec<Bytes>,
}

enum Content {
    Streamed(Source),
    /// Streamed, and kept for another try.
    Kept(Reading),
    /// Read whole already, for the local model, or known to be empty.
    Whole(Option<Bytes>),
    /// What another request reads, once more.
    Copied(Copied),
}

impl RequestBody {
    /// A body of at most `limit` bytes that may stand still for `idle`.
    pub(super) fn new(incoming: Incoming, meter: Rc<Meter>, limit: u64, idle: Duration) -> Self {
        Self::of(Content::Streamed(Source::new(incoming, meter, limit, idle)))
    }

    const fn of(content: Content) -> Self {
        Self { content, continued: None, trailers: false, unread: Vec::new() }
    }

    /// Announces trailers behind it.
    pub(super) fn expect_trailers(&mut self) {
        self.trailers = true;
    }

    /// The same body, read to its end.
    pub(super) fn read_whole(&mut self, bytes: Bytes) {
        self.content = Content::Whole((!bytes.is_empty()).then_some(bytes));
    }

    /// Keeps what is read from now on, so that it can be sent again.
    pub(super) fn keep(&mut self, allowance: Allowance) {
        if self.is_end_stream() {
            return;
        }
        let content = std::mem::replace(&mut self.content, Content::Whole(None));
        self.content = match content {
            Content::Streamed(source) => Content::Kept(Reading::first(Kept::new(source, allowance))),
            other => other,
        };
    }

    /// What makes the same body again, where it is empty or kept.
    pub(super) fn spare(&self) -> Option<SpareBody> {
        let kept = match &self.content {
            Content::Kept(reading) => Some(reading.clone()),
            _ if self.is_end_stream() => None,
            _ => return None,
        };
        Some(SpareBody { kept, trailers: self.trailers })
    }

    /// A second body that follows this one as it is read; `None` where it is too late for one.
    pub(super) fn copy(&mut self) -> Option<(Self, Fate)> {
        let (content, fate) = match &mut self.content {
            Content::Streamed(source) if !source.is_over() => {
                let copied = source.copy();
                let fate = copied.fate();
                (Content::Copied(copied), fate)
            }
            content if content.is_over() => (Content::Whole(None), Fate::WHOLE),
            _ => return None,
        };
        Some((Self { trailers: self.trailers, ..Self::of(content) }, fate))
    }

    /// Lets go of it: the request is refused.
    pub(super) fn let_go(self, headers: &HeaderMap) {
        if let Some(incoming) = self.into_unread() {
            let_go(headers, incoming);
        }
    }

    /// Lets go of what the endpoint has answered without. What is still held back is not asked for.
    pub(super) fn linger(self) {
        let held_back = self.continued.as_ref().is_some_and(|continued| !continued.get());
        if let Some(incoming) = self.into_unread().filter(|_| !held_back) {
            linger(incoming);
        }
    }

    fn into_unread(self) -> Option<Incoming> {
        match self.content {
            Content::Streamed(mut source) => source.take(),
            Content::Kept(reading) => reading.take(),
            Content::Whole(_) | Content::Copied(_) => None,
        }
    }

    /// Holds the body back until `continued` is set; `None` holds nothing back.
    pub(super) fn hold_until(&mut self, continued: Option<Rc<Cell<bool>>>) {
        self.continued = continued;
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::of(Content::Whole(None))
    }
}

impl Content {
    fn is_over(&self) -> bool {
        match self {
            Self::Streamed(source) => source.is_over(),
            Self::Kept(reading) => reading.is_over(),
            Self::Whole(bytes) => bytes.is_none(),
            Self::Copied(copied) => copied.is_over(),
        }
    }
}

/// Makes one body again and again.
#[derive(Clone)]
pub(super) struct SpareBody {
    /// `None` for a body that is empty.
    kept: Option<Reading>,
    trailers: bool,
}

impl SpareBody {
    /// The same body from its beginning; the one made before is cut off. `None` where too much of it was read to be kept.
    pub(super) fn again(&self) -> Option<RequestBody> {
        let content = match &self.kept {
            Some(reading) => Content::Kept(reading.again()?),
            None => Content::Whole(None),
        };
        Some(RequestBody { trailers: self.trailers, ..RequestBody::of(content) })
    }

    /// Whether [`SpareBody::again`] has one.
    pub(super) fn is_whole(&self) -> bool {
        self.kept.as_ref().is_none_or(Reading::is_whole)
    }
}

impl Unread for RequestBody {
    fn unread(&mut self, data: &mut Vec<Bytes>) {
        self.unread.extend(data.drain(..).rev());
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if this.continued.as_ref().is_some_and(|continued| !continued.get()) {
            return Poll::Pending;
        }
        if let Some(data) = this.unread.pop() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match &mut this.content {
            Content::Streamed(source) => source.poll_frame(context),
            Content::Kept(reading) => reading.poll_frame(context),
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Copied(copied) => copied.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.unread.is_empty() && self.content.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.rest_hint();
        for data in &self.unread {
            let length = data.len() as u64;
            let upper = hint.upper().map(|upper| upper.saturating_add(length));
            hint = upper.map_or_else(SizeHint::default, SizeHint::with_exact);
        }
        hint
    }
}

impl RequestBody {
    /// The size of what was not read yet.
    fn rest_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            // Sent with its length, a body would be sent without the trailers behind it.
            _ if self.trailers => SizeHint::default(),
            Content::Streamed(source) => source.size_hint(),
            Content::Kept(reading) => reading.size_hint(),
            Content::Copied(copied) => copied.size_hint(),
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
