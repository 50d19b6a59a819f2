//! A request's body as its connection has it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

use crate::domain::Reason;
use crate::proxy::http1::{self, Upgraded};
use crate::wire::http2::Received;

/// A body of either version. Broken off, it says for which reason.
pub(in crate::proxy) enum Arriving {
    Http1(http1::Incoming),
    Http2(Received),
}

impl Arriving {
    /// The client's connection, once it has been told that it becomes another protocol's.
    pub(in crate::proxy) fn upgrade(&self) -> Option<oneshot::Receiver<Upgraded>> {
        match self {
            Self::Http1(body) => Some(body.upgrade()),
            Self::Http2(_) => None,
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Reason;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Reason>>> {
        match &mut *self {
            Self::Http1(body) => Pin::new(body).poll_frame(context),
            Self::Http2(body) => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map_err(|_| Reason::ClientDisconnected)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}
