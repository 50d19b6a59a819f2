//! Bodies of answers, which hold the connection that they come over.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Unread;
use super::http2::Uploading;
use super::idle::{Idle, Link};
use super::shared::Stream;
use crate::wire::Rewound;
use crate::wire::http2::Received;

/// An answer's body. Its connection serves other requests once the body has ended. Dropped before, the connection is closed
/// (HTTP/1.1) or left to its other streams (HTTP/2).
pub struct Incoming<B>(Source<B>);

enum Source<B> {
    Http1(Http1<B>),
    Http2(Http2),
}

struct Http2 {
    body: Received,
    /// `None` once the body has ended.
    stream: Option<Stream>,
    /// What is left of the request's body, where the answer came first.
    uploading: Option<Uploading>,
}

struct Http1<B> {
    /// `None` once the body has ended.
    link: Option<Box<Link>>,
    /// What is left of the request's body, where the answer came first.
    rest: Option<Box<B>>,
    idle: Rc<RefCell<Idle>>,
}

/// An answer that was broken off, or does not end as HTTP has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint broke its answer off")]
pub struct BrokenOff;

impl<B> Incoming<B> {
    pub(super) fn http2(body: Received, stream: Stream, uploading: Option<Uploading>) -> Self {
        let mut http2 = Http2 { body, stream: Some(stream), uploading };
        http2.end_if_over();
        Self(Source::Http2(http2))
    }

    /// The body behind a head that has just been read over `link`.
    pub(super) fn http1(link: Box<Link>, rest: Option<Box<B>>, idle: Rc<RefCell<Idle>>) -> Self {
        let mut http1 = Http1 { link: Some(link), rest, idle };
        http1.end_if_over();
        Self(Source::Http1(http1))
    }

    /// An answer of 101: the connection is the new protocol's from here on.
    pub(super) fn switched(link: Box<Link>, idle: Rc<RefCell<Idle>>) -> Self {
        Self(Source::Http1(Http1 { link: Some(link), rest: None, idle }))
    }

    /// The stream of the protocol that an answer of 101 has switched to; `None` behind any other.
    pub fn upgrade(self) -> Option<impl AsyncRead + AsyncWrite + Unpin + use<B>> {
        match self.0 {
            Source::Http1(Http1 { link, .. }) => link.filter(|link| link.connection.is_over()).map(|link| {
                let (transport, early) = link.connection.into_parts();
                Rewound::new(transport, early)
            }),
            Source::Http2(_) => None,
        }
    }

    /// What is left of the request's body once the answer is over: the endpoint wants no more of it.
    pub fn take_unsent(&mut self) -> Option<B> {
        match &mut self.0 {
            Source::Http1(http1) if http1.link.is_none() => http1.rest.take().map(|rest| *rest),
            _ => None,
        }
    }
}

impl Http2 {
    /// Counts the stream no longer once the body is over.
    fn end_if_over(&mut self) {
        if self.stream.is_some() && self.body.is_end_stream() {
            self.stream = None;
            self.uploading.take().into_iter().for_each(Uploading::go_on);
        }
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if matches!(frame, Some(Err(_))) {
            self.stream = None;
        }
        self.end_if_over();
        Poll::Ready(frame.map(|frame| frame.map_err(|_| BrokenOff)))
    }
}

impl<B> Http1<B> {
    /// Offers the connection for reuse once the body is over.
    fn end_if_over(&mut self) {
        if let Some(link) = self.link.take_if(|link| link.connection.is_over())
            && link.connection.is_reusable()
        {
            self.idle.borrow_mut().put(link);
        }
    }
}

impl<B: Unread + Unpin> Http1<B> {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let Some(link) = &mut self.link else { return Poll::Ready(None) };
        let uploaded = match &mut self.rest {
            Some(rest) => link.connection.poll_upload(&mut **rest, context),
            None => Poll::Ready(Ok(())),
        };
        if link.connection.has_written() {
            self.rest = None;
        }
        let polled = match uploaded {
            Poll::Ready(Err(failure)) => Err(failure),
            _ => ready!(link.connection.poll_frame(context)),
        };
        let Ok(frame) = polled else {
            self.link = None;
            return Poll::Ready(Some(Err(BrokenOff)));
        };
        self.end_if_over();
        Poll::Ready(frame.map(Ok))
    }
}

impl<B: Unread + Unpin> Body for Incoming<B> {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut self.0 {
            Source::Http1(http1) => http1.poll_frame(context),
            Source::Http2(http2) => http2.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Http1(http1) => http1.link.as_ref().is_none_or(|link| link.connection.is_over()),
            Source::Http2(http2) => http2.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Http1(http1) => {
                http1.link.as_ref().map_or(SizeHint::with_exact(0), |link| link.connection.size_hint())
            }
            Source::Http2(http2) => http2.body.size_hint(),
        }
    }
}
