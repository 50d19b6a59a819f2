//! A stream whose small writes are gathered: one call into the kernel, and one record of TLS, for the frames of many messages.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Up to so many bytes wait. What is more is written at once, together with what waits.
const ENOUGH: usize = 32 * 1024;

/// How much memory is kept while nothing waits.
const KEPT: usize = 16 * 1024;

/// How many parts are written at once at most.
const PARTS: usize = 8;

/// A stream that holds back what is written, flushed or not, until its owner drains it: the protocol's library flushes after each
/// frame. Its clones are the same stream, one for the library and one for the owner.
pub struct Gathered<S>(Rc<RefCell<State<S>>>);

struct State<S> {
    stream: S,
    waiting: Vec<u8>,
    /// How many bytes of those are written.
    written: usize,
    /// Whether the stream itself may hold back what was written.
    unflushed: bool,
    heard: bool,
}

impl<S> Clone for Gathered<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<S> Gathered<S> {
    /// Gathers what is written to `stream`.
    pub fn new(stream: S) -> Self {
        let state = State { stream, waiting: Vec::new(), written: 0, unflushed: false, heard: false };
        Self(Rc::new(RefCell::new(state)))
    }

    /// Whether anything was read since this was last asked.
    pub fn has_heard(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().heard)
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    /// Writes until nothing waits, here or in the stream.
    ///
    /// # Errors
    /// The stream's.
    pub fn poll_drain(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_drain(context)
    }
}

impl<S: AsyncWrite + Unpin> State<S> {
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.left() > 0 {
            ready!(self.poll_write(&[], context))?;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn left(&self) -> usize {
        self.waiting.len() - self.written
    }

    /// Writes what waits and then `slices`; how many bytes of these were taken.
    fn poll_write(&mut self, slices: &[IoSlice<'_>], context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut parts = [IoSlice::new(&[]); PARTS];
        parts[0] = IoSlice::new(&self.waiting[self.written..]);
        let count = slices.len().min(PARTS - 1);
        parts[1..=count].copy_from_slice(&slices[..count]);
        let taken = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, &parts[..=count]))?;
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.unflushed = true;
        let own = taken.min(self.left());
        self.written += own;
        if self.left() == 0 {
            self.written = 0;
            self.waiting.clear();
            if self.waiting.capacity() > KEPT {
                self.waiting = Vec::new();
            }
        }
        Poll::Ready(Ok(taken - own))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        ready!(Pin::new(&mut state.stream).poll_read(context, buffer))?;
        state.heard = true;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.borrow_mut();
        let coming: usize = slices.iter().map(|slice| slice.len()).sum();
        loop {
            if state.left() + coming <= ENOUGH {
                for slice in slices {
                    state.waiting.extend_from_slice(slice);
                }
                return Poll::Ready(Ok(coming));
            }
            let taken = ready!(state.poll_write(slices, context))?;
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is written by it: [`Gathered::poll_drain`] does so.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        ready!(state.poll_drain(context))?;
        Pin::new(&mut state.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes so many bytes with each call; none, once it is full.
    struct Socket {
        taken: Vec<u8>,
        at_once: usize,
        room: usize,
        calls: usize,
    }

    impl AsyncWrite for Socket {
        fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(context, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let most = self.at_once.min(self.room);
            if most == 0 {
                return Poll::Pending;
            }
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(most).collect();
            self.taken.extend_from_slice(&bytes);
            self.room -= bytes.len();
            self.calls += 1;
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn gathered(at_once: usize, room: usize) -> Gathered<Socket> {
        Gathered::new(Socket { taken: Vec::new(), at_once, room, calls: 0 })
    }

    /// Writes all of `bytes` for as long as they are taken; how many were.
    fn write(gathered: &mut Gathered<Socket>, mut bytes: &[u8]) -> usize {
        let (before, mut context) = (bytes.len(), Context::from_waker(Waker::noop()));
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at(bytes.len() / 2);
            let slices = [IoSlice::new(head), IoSlice::new(rest)];
            let Poll::Ready(taken) = Pin::new(&mut *gathered).poll_write_vectored(&mut context, &slices) else { break };
            bytes = &bytes[taken.expect("a socket that takes bytes")..];
        }
        before - bytes.len()
    }

    #[test]
    fn small_writes_are_one() {
        let mut gathered = gathered(usize::MAX, usize::MAX);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..10 {
            assert_eq!(write(&mut gathered, b"frame"), 5);
            assert!(Pin::new(&mut gathered).poll_flush(&mut context).is_ready());
        }
        assert_eq!(gathered.0.borrow().stream.calls, 0);
        assert!(matches!(gathered.poll_drain(&mut context), Poll::Ready(Ok(()))));
        assert_eq!(gathered.0.borrow().stream.calls, 1);
        assert_eq!(gathered.0.borrow().stream.taken, b"frame".repeat(10));
    }

    #[test]
    fn everything_is_written_in_order_however_little_is_taken() {
        for (at_once, lengths) in [(1, [3, 40, 5]), (7, [50, 40_000, 3]), (16_384, [16_393, 16_393, 65_600])] {
            let mut gathered = gathered(at_once, usize::MAX);
            let mut context = Context::from_waker(Waker::noop());
            let mut expected = Vec::new();
            for (number, length) in (b'a'..).zip(lengths) {
                let bytes = vec![number; length];
                assert_eq!(write(&mut gathered, &bytes), length);
                expected.extend_from_slice(&bytes);
            }
            assert!(matches!(Pin::new(&mut gathered).poll_shutdown(&mut context), Poll::Ready(Ok(()))));
            assert!(gathered.0.borrow().stream.taken == expected, "{at_once} at once");
            assert!(gathered.0.borrow().waiting.capacity() <= KEPT);
        }
    }

    #[test]
    fn no_more_waits_than_is_enough() {
        let mut gathered = gathered(usize::MAX, 0);
        let taken = (0..100).map(|_| write(&mut gathered, &[0; 1000])).sum::<usize>();
        assert_eq!(taken, ENOUGH / 1000 * 1000);
        assert!(gathered.poll_drain(&mut Context::from_waker(Waker::noop())).is_pending());
    }
}
