//! A client's stream with its frames counted, and its end where they are too many.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::connection::Terms;
use super::flood::Flood;
use super::frames::{CONTINUATION, END_HEADERS, Frame, Frames, GOAWAY, HEADERS, RST_STREAM};
use crate::domain::Limit;
use crate::proxy::activity::Activity;
use crate::telemetry::LimitCounters;

/// What a client sends before its first frame (RFC 9113, section 3.4).
const PREFACE: usize = 24;
/// Error codes of RFC 9113, section 7.
const REFUSED_STREAM: u32 = 0x7;
const ENHANCE_YOUR_CALM: u32 = 0xb;
/// How long, and for how many bytes, what a flooding client still sends is read, so that it comes to read why its
/// connection ends: closed with bytes unread, a connection is reset, and takes what was said with it.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

/// A stream whose client may not flood it.
pub(in crate::proxy) struct Guarded<S> {
    stream: S,
    coming: Frames,
    going: Frames,
    flood: Flood,
    counters: LimitCounters,
    activity: Rc<Activity>,
    /// Whether frames of a head are still to come.
    head_goes_on: bool,
    ending: Option<Box<Ending>>,
}

/// The end of a connection that was flooded.
struct Ending {
    /// The `GOAWAY` frame, and how much of it is written.
    farewell: [u8; 17],
    written: usize,
    shut: bool,
    lingered: usize,
    over: Pin<Box<Sleep>>,
}

impl Ending {
    fn new(newest: u32) -> Self {
        let mut farewell = [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        farewell[9..13].copy_from_slice(&newest.to_be_bytes());
        farewell[13..].copy_from_slice(&ENHANCE_YOUR_CALM.to_be_bytes());
        Self { farewell, written: 0, shut: false, lingered: 0, over: Box::pin(sleep(LINGER)) }
    }
}

impl<S> Guarded<S> {
    /// What `terms` say of the client's frames is held; the activity of theirs is told how heads come.
    pub(super) fn new(stream: S, terms: Terms) -> Self {
        let flood = Flood::new(terms.limits, Instant::now());
        let (coming, going) = (Frames::after(PREFACE), Frames::after(0));
        let (counters, activity) = (terms.counters, terms.activity);
        Self { stream, coming, going, flood, counters, activity, head_goes_on: false, ending: None }
    }

    /// Counts what has come; whether it is too much.
    fn is_flooded(&mut self, came: &[u8]) -> bool {
        let (flood, mut breached) = (&mut self.flood, None);
        let head_goes_on = &mut self.head_goes_on;
        self.coming.walk(came, |frame| {
            if matches!(frame.kind, HEADERS | CONTINUATION) {
                *head_goes_on = frame.flags & END_HEADERS == 0;
            }
            if breached.is_none() {
                breached = flood.count(frame, Instant::now);
            }
        });
        if self.head_goes_on || self.coming.is_in_head() {
            self.activity.head_begins();
        } else {
            self.activity.head_ends();
        }
        if let Some(limit) = breached {
            self.counters.count(limit);
        }
        breached.is_some()
    }

    /// Notes what has been written, and what the library itself refuses by it.
    fn went(&mut self, bytes: &[u8]) {
        let counters = &self.counters;
        self.going.walk(bytes, |frame| match frame {
            Frame { kind: RST_STREAM, code: REFUSED_STREAM, .. } => counters.count(Limit::Http2Streams),
            Frame { kind: GOAWAY, code: ENHANCE_YOUR_CALM, .. } => counters.count(Limit::Http2Other),
            _ => {}
        });
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    /// Says why the connection ends, and reads on for a moment. Completes once it is to be closed.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(ending) = &mut self.ending else { return Poll::Pending };
        if ending.over.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        // In the middle of a frame it would be taken for a part of that one.
        while self.going.is_between() && ending.written < ending.farewell.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(context, &ending.farewell[ending.written..])) {
                Ok(written) if written > 0 => ending.written += written,
                Ok(_) | Err(_) => return Poll::Ready(()),
            }
        }
        if !ending.shut {
            if ready!(Pin::new(&mut self.stream).poll_shutdown(context)).is_err() {
                return Poll::Ready(());
            }
            ending.shut = true;
        }
        let mut scrap = [0; 4096];
        while ending.lingered < LINGER_BYTES {
            let mut scrap = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut scrap)) {
                Ok(()) if !scrap.filled().is_empty() => ending.lingered += scrap.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ending.is_none() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            if !this.is_flooded(&buffer.filled()[before..]) {
                return Poll::Ready(Ok(()));
            }
            buffer.set_filled(before);
            this.ending = Some(Box::new(Ending::new(this.flood.newest)));
        }
        ready!(this.poll_end(context));
        Poll::Ready(Err(io::Error::other("the client has flooded its connection")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // What would follow the farewell is nobody's to read.
        if self.ending.is_some() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.went(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.ending.is_some() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        let mut left = written;
        for slice in slices {
            let gone = slice.len().min(left);
            self.went(&slice[..gone]);
            left -= gone;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ending.is_some() { Poll::Ready(Ok(())) } else { Pin::new(&mut self.stream).poll_flush(context) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ending.is_some() { Poll::Ready(Ok(())) } else { Pin::new(&mut self.stream).poll_shutdown(context) }
    }
}
