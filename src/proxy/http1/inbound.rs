//! What a client sends: its stream and the body of the request under way, shared by the connection's task and by whoever
//! reads the body, in that task or another of the same thread.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::sync::oneshot;

use super::shop::Supplies;
use crate::domain::Reason;
use crate::proxy::stream::Stream;
use crate::wire::{Framing, Malformed, Next, Rewound};

/// How much of a body is read at once at most, and at least once it is known to be long.
const LONG_READ: u64 = 64 * 1024;
const READ: usize = 16 * 1024;

/// A body of which no more than this is left is read with the block that heads are read into.
const SHORT: u64 = 4 * 1024;

/// Room behind what is expected. A read that fills its buffer must be followed by another to learn that there is no more.
const SLACK: u64 = 64;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The stream behind an answer of 101, from its first byte on.
pub(in crate::proxy) type Upgraded = Rewound<Stream>;

/// The client's side of a connection.
pub(super) struct Inbound {
    /// `None` once the connection has ended, or is another protocol's.
    stream: Option<Stream>,
    /// What was read and is not understood yet.
    pub(super) read: BytesMut,
    framing: Framing,
    /// The request under way; what reads the body of another gets nothing.
    number: u32,
    asking: Asking,
    /// Whoever waits for the body.
    reader: Option<Waker>,
    /// The connection's task, where it waits for the body's end.
    watcher: Option<Waker>,
    /// Whether the client ended within a body.
    ended: bool,
    upgrade: Option<oneshot::Sender<Upgraded>>,
}

/// What becomes of a body that its client holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// Nothing is held back.
    Needless,
    /// It was not asked for.
    Due,
    /// So much of 100 (Continue) is written.
    Going(usize),
    /// It is answered without.
    Withheld,
}

impl Inbound {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream: Some(stream),
            read: BytesMut::new(),
            framing: Framing::OVER,
            number: 0,
            asking: Asking::Needless,
            reader: None,
            watcher: None,
            ended: false,
            upgrade: None,
        }
    }

    /// Begins with a request whose body is framed so.
    pub(super) fn begin(&mut self, framing: Framing, holds_back: bool) {
        self.framing = framing;
        self.number = self.number.wrapping_add(1);
        self.asking = if holds_back { Asking::Due } else { Asking::Needless };
        self.upgrade = None;
    }

    /// Ends the connection's reading: whoever waits for a body learns that none comes.
    pub(super) fn take_stream(&mut self) -> Option<Stream> {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
        self.stream.take()
    }

    /// Where an answer is written.
    pub(super) fn stream(&mut self) -> Option<&mut Stream> {
        self.stream.as_mut()
    }

    /// Who the connection goes to if the answer is 101.
    pub(super) fn take_upgrade(&mut self) -> Option<oneshot::Sender<Upgraded>> {
        self.upgrade.take()
    }

    /// Whether the body has come whole.
    pub(super) fn is_over(&self) -> bool {
        self.framing.is_over()
    }

    /// Whether the client has ended before it had sent all of a body.
    pub(super) fn has_ended(&self) -> bool {
        self.stream.is_none() || self.ended
    }

    /// Whether the client waits to be asked for the body.
    pub(super) fn holds_back(&self) -> bool {
        !matches!(self.asking, Asking::Needless)
    }

    /// Completes once nobody reads the body any more, or it is over. `holders` have the connection, its task among them.
    pub(super) fn poll_unread(&mut self, holders: usize, context: &mut Context<'_>) -> Poll<()> {
        if self.is_over() || holders == 1 {
            return Poll::Ready(());
        }
        self.watcher = Some(context.waker().clone());
        Poll::Pending
    }

    /// Whether what is left of the body is so short that it is worth waiting for.
    pub(super) fn is_short_of(&self, most: u64) -> bool {
        self.asking == Asking::Needless && self.framing.size_hint().exact().is_some_and(|left| left <= most)
    }

    /// Says that the answer begins, before which what was begun of 100 (Continue) must be written. A body that was not asked
    /// for is not from here on.
    pub(super) fn answer_begins(&mut self) -> &'static [u8] {
        let (rest, asking) = match self.asking {
            Asking::Needless => (&b""[..], Asking::Needless),
            Asking::Going(written @ 1..) => (&CONTINUE[written..], Asking::Needless),
            Asking::Due | Asking::Going(_) | Asking::Withheld => (&b""[..], Asking::Withheld),
        };
        self.asking = asking;
        rest
    }

    /// Reads what is there, with room for `wanted` bytes if that is known; how many bytes it was.
    pub(super) fn poll_fill(
        &mut self,
        wanted: u64,
        supplies: &Supplies,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(0)) };
        if self.read.is_empty() && wanted <= SHORT {
            return supplies.poll_read(stream, context).map_ok(|read| {
                self.read = read;
                self.read.len()
            });
        }
        let room = usize::try_from(wanted.saturating_add(SLACK).min(LONG_READ)).unwrap_or(READ);
        if self.read.capacity() - self.read.len() < room.min(READ) {
            self.read.reserve(room.max(READ));
        }
        pin!(stream.read_buf(&mut self.read)).poll(context)
    }

    /// Completes once the client has gone. What it sends ahead is read once, and then waits.
    pub(super) fn poll_gone(&mut self, supplies: &Supplies, context: &mut Context<'_>) -> Poll<()> {
        while self.is_over() && self.read.is_empty() {
            match ready!(self.poll_fill(0, supplies, context)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Throws away what was read of the body; whether its end has come.
    ///
    /// # Errors
    /// [`Malformed`] where it is no body.
    pub(super) fn discard_read(&mut self) -> Result<bool, Malformed> {
        loop {
            match self.framing.next(&mut self.read)? {
                Next::Data(_) | Next::Trailers(_) => {}
                Next::More => return Ok(false),
                Next::Over => return Ok(true),
            }
        }
    }

    /// Lets go of memory that an idle connection does not need.
    pub(super) fn rest(&mut self) {
        self.reader = None;
        self.upgrade = None;
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
    }

    fn poll_body(
        &mut self,
        supplies: &Supplies,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reason>>> {
        loop {
            match self.framing.next(&mut self.read) {
                Ok(Next::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Next::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Ok(Next::Over) => return Poll::Ready(None),
                Err(Malformed) => return Poll::Ready(Some(Err(Reason::MalformedRequest))),
                Ok(Next::More) => {}
            }
            let filled = match self.poll_ask(context) {
                Poll::Ready(Ok(())) => self.poll_fill(self.framing.wants(), supplies, context),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            };
            match filled {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(Reason::ClientDisconnected)));
                }
                Poll::Pending => {
                    // The stream may be gone before it wakes anybody.
                    if !self.reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
                        self.reader = Some(context.waker().clone());
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Asks for a body that is held back (RFC 9110, section 10.1.1).
    fn poll_ask(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = match self.asking {
            Asking::Needless | Asking::Withheld => return Poll::Ready(Ok(())),
            // A client that has begun to send does not wait.
            Asking::Due if !self.read.is_empty() => CONTINUE.len(),
            Asking::Due => 0,
            Asking::Going(written) => written,
        };
        let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(())) };
        while written < CONTINUE.len() {
            self.asking = Asking::Going(written);
            written += ready!(Pin::new(&mut *stream).poll_write(context, &CONTINUE[written..]))?;
        }
        ready!(Pin::new(stream).poll_flush(context))?;
        self.asking = Asking::Needless;
        Poll::Ready(Ok(()))
    }
}

/// A request's body as it comes. Broken off, it says whose fault that is.
pub(in crate::proxy) struct Incoming {
    inbound: Rc<RefCell<Inbound>>,
    supplies: Rc<Supplies>,
    number: u32,
}

impl Incoming {
    /// The body of the request that has just begun.
    pub(super) fn new(inbound: &Rc<RefCell<Inbound>>, supplies: &Rc<Supplies>) -> Self {
        let number = inbound.borrow().number;
        Self { inbound: Rc::clone(inbound), supplies: Rc::clone(supplies), number }
    }

    /// The connection, once an answer of 101 has been written over it; an error where it never was.
    pub(in crate::proxy) fn upgrade(&self) -> oneshot::Receiver<Upgraded> {
        let (sender, receiver) = oneshot::channel();
        self.inbound.borrow_mut().upgrade = Some(sender);
        receiver
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(waker) = self.inbound.borrow_mut().watcher.take() {
            waker.wake();
        }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Reason;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Reason>>> {
        let mut inbound = self.inbound.borrow_mut();
        if inbound.number != self.number {
            return Poll::Ready(None);
        }
        let frame = inbound.poll_body(&self.supplies, context);
        if inbound.is_over()
            && let Some(waker) = inbound.watcher.take()
        {
            waker.wake();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        let inbound = self.inbound.borrow();
        inbound.number != self.number || inbound.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        let inbound = self.inbound.borrow();
        if inbound.number == self.number { inbound.framing.size_hint() } else { SizeHint::with_exact(0) }
    }
}
