//! What a client's connection is doing, seen from its bytes and its requests.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use std::{future, io};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Limits;

/// What a connection of HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client has kept the router waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Any request at all: the connection is idle.
    Request,
    /// The rest of a head.
    Head,
}

/// What one connection is doing.
///
/// Every field is this thread's own; they are atomics because hyper asks of a connection's stream that it could be sent
/// to another thread.
#[derive(Debug)]
pub(super) struct Activity {
    born: Instant,
    in_flight: AtomicU32,
    /// Nanoseconds after `born` at which the last request ended.
    quiet_since: AtomicU64,
    /// One more than the nanoseconds after `born` at which an HTTP/1.1 head began; zero while none is being read.
    head_since: AtomicU64,
    speaks_http2: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            born: Instant::now(),
            in_flight: AtomicU32::new(0),
            quiet_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            speaks_http2: AtomicBool::new(false),
        }
    }

    fn age(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.born).as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn request_begins(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
    }

    /// Notes that a request is over. Once for each that began.
    pub(super) fn request_ends(&self, now: Instant) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.quiet_since.store(self.age(now), Ordering::Relaxed);
    }

    fn bytes_came(&self) {
        let quiet = self.in_flight.load(Ordering::Relaxed) == 0 && self.head_since.load(Ordering::Relaxed) == 0;
        if quiet && !self.speaks_http2.load(Ordering::Relaxed) {
            self.head_since.store(self.age(Instant::now()).saturating_add(1), Ordering::Relaxed);
        }
    }

    /// What will be overdue next, and when; `None` while a request is in flight.
    pub(super) fn next_overdue(&self, limits: Limits) -> Option<(Instant, Overdue)> {
        let after = |nanos: u64, limit: Duration| self.born + Duration::from_nanos(nanos) + limit;
        if let Some(since) = self.head_since.load(Ordering::Relaxed).checked_sub(1) {
            return Some((after(since, limits.header_timeout), Overdue::Head));
        }
        let quiet = self.in_flight.load(Ordering::Relaxed) == 0;
        quiet.then(|| (after(self.quiet_since.load(Ordering::Relaxed), limits.keepalive), Overdue::Request))
    }
}

/// The version that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http2,
}

/// A client's stream that notes when bytes come, and can be asked how it begins.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    /// What was read to see which version is spoken, and how much of it was read again.
    began: [u8; PREFACE.len()],
    seen: usize,
    taken: usize,
}

impl<S: AsyncRead + Unpin> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity, began: [0; PREFACE.len()], seen: 0, taken: 0 }
    }

    /// Reads as much as it takes to see which version the client speaks. A client that ends before it has said so speaks
    /// the version in which that is nothing.
    ///
    /// # Errors
    /// The stream's.
    pub(super) async fn spoken(&mut self) -> io::Result<Spoken> {
        loop {
            let seen = &self.began[..self.seen];
            if !PREFACE.starts_with(seen) {
                return Ok(Spoken::Http1);
            }
            if seen.len() == PREFACE.len() {
                self.activity.speaks_http2.store(true, Ordering::Relaxed);
                self.activity.head_since.store(0, Ordering::Relaxed);
                return Ok(Spoken::Http2);
            }
            let mut rest = ReadBuf::new(&mut self.began[self.seen..]);
            let stream = &mut self.stream;
            future::poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut rest)).await?;
            match rest.filled().len() {
                0 => return Ok(Spoken::Http1),
                came => self.seen += came,
            }
            self.activity.bytes_came();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if this.taken < this.seen {
            let again = &this.began[this.taken..this.seen];
            let again = &again[..again.len().min(buffer.remaining())];
            buffer.put_slice(again);
            this.taken += again.len();
            // The rest of what has come is read beside it, so that a head is parsed once.
            let more = Pin::new(&mut this.stream).poll_read(context, buffer);
            return if let Poll::Ready(Err(error)) = more { Poll::Ready(Err(error)) } else { Poll::Ready(Ok(())) };
        }
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            this.activity.bytes_came();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
