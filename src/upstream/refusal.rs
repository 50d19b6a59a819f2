//! What an endpoint says over TLS when it refuses.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::domain::Reason;

/// Whether an endpoint has sent an alert. In TLS 1.3 a client learns only after its handshake that its certificate was
/// refused (RFC 8446, section 4.4.2.4), which looks like a connection that breaks off.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusal(Rc<Cell<bool>>);

impl Refusal {
    /// Whether the endpoint has refused.
    pub(super) fn came(&self) -> bool {
        self.0.get()
    }

    fn note(&self, heard: &io::Result<()>) {
        let error = heard.as_ref().err().and_then(io::Error::get_ref);
        let cause = error.and_then(|cause| cause.downcast_ref::<rustls::Error>());
        if matches!(cause, Some(rustls::Error::AlertReceived(_))) {
            self.0.set(true);
        }
    }

    /// Why a connection that broke off while it was opened did so.
    pub(super) fn reason(&self) -> Reason {
        if self.came() { Reason::UpstreamTlsFailed } else { Reason::ConnectFailed }
    }
}

/// A secured stream that notes a refusal.
pub(super) struct Noted {
    stream: Box<TlsStream<TcpStream>>,
    refusal: Refusal,
}

impl Noted {
    /// The socket beneath.
    pub(super) fn socket(&self) -> &TcpStream {
        self.stream.get_ref().0
    }

    pub(super) fn new(stream: TlsStream<TcpStream>, refusal: Refusal) -> Self {
        Self { stream: Box::new(stream), refusal }
    }
}

impl AsyncRead for Noted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut *self.stream).poll_read(context, buffer));
        self.refusal.note(&read);
        Poll::Ready(read)
    }
}

impl Noted {
    /// Passes on what came of writing. Where the endpoint has closed, it may have said why: its last words are awaited,
    /// which the end of the connection bounds.
    fn written<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let closed = |error: &io::Error| matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        if matches!(&written, Poll::Ready(Err(error)) if closed(error)) {
            // Looked at and not taken: it may be an answer that came before the request had gone out.
            let heard = ready!(Pin::new(&mut *self.stream).poll_fill_buf(context)).map(|_| ());
            self.refusal.note(&heard);
        }
        written
    }
}

impl AsyncWrite for Noted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream).poll_write_vectored(context, slices);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut *self.stream).poll_flush(context);
        self.written(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_shutdown(context)
    }
}
