//! What waits to be written to a connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderName;
use tokio::io::AsyncWrite;

/// Up to this many bytes, a part of a body is copied behind what waits already: cheaper than a vectored write.
const COPIED: usize = 4 * 1024;

/// Once so many bytes wait, they are written before more is added.
const ENOUGH: usize = 16 * 1024;

/// Bytes in the order in which they are written: those copied, then one part of a body as it came, then what ends it.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    copied: Vec<u8>,
    /// How many of those are written.
    written: usize,
    part: Bytes,
    end: &'static [u8],
    touched: bool,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.written == self.copied.len() && self.part.is_empty() && self.end.is_empty()
    }

    /// Whether more may be added.
    pub(super) fn has_room(&self) -> bool {
        self.part.is_empty() && self.end.is_empty() && self.copied.len() < ENOUGH
    }

    /// Adds bytes. Only while there is room, so that the order holds.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    /// Adds a number in digits of this base, sixteen at most.
    pub(super) fn write_number(&mut self, mut number: u64, base: u64) {
        let begin = self.copied.len();
        loop {
            self.copied.push(b"0123456789abcdef"[usize::try_from(number % base).unwrap_or_default()]);
            number /= base;
            if number == 0 {
                break;
            }
        }
        self.copied[begin..].reverse();
    }

    /// Adds a header field, or a trailer's.
    pub(super) fn write_field(&mut self, name: &HeaderName, value: &[u8]) {
        for bytes in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
            self.copied.extend_from_slice(bytes);
        }
    }

    /// Adds a part of a body, and what ends it.
    pub(super) fn push(&mut self, part: Bytes, end: &'static [u8]) {
        if part.len() <= COPIED {
            self.copied.extend_from_slice(&part);
            self.copied.extend_from_slice(end);
        } else {
            self.part = part;
            self.end = end;
        }
    }

    /// Adds the last chunk.
    pub(super) fn push_last_chunk(&mut self) {
        if self.part.is_empty() {
            self.copied.extend_from_slice(b"0\r\n\r\n");
        } else {
            self.end = b"\r\n0\r\n\r\n";
        }
    }

    /// Writes until nothing waits.
    pub(super) fn poll_write(
        &mut self,
        mut into: impl AsyncWrite + Unpin,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let copied = &self.copied[self.written..];
            let into = Pin::new(&mut into);
            let count = ready!(if self.part.is_empty() && self.end.is_empty() {
                into.poll_write(context, copied)
            } else {
                let slices = [IoSlice::new(copied), IoSlice::new(&self.part), IoSlice::new(self.end)];
                into.poll_write_vectored(context, &slices)
            })?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(count);
        }
        self.copied.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, count: usize) {
        let copied = count.min(self.copied.len() - self.written);
        self.written += copied;
        let part = (count - copied).min(self.part.len());
        self.part.advance(part);
        self.end = &self.end[count - copied - part..];
        self.touched = true;
    }

    /// What is copied, which goes.
    #[cfg(test)]
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.copied)
    }

    /// Notes that something was taken of the request's body that cannot be given back.
    pub(super) fn touch(&mut self) {
        self.touched = true;
    }

    /// Whether anything was written since [`Outbox::reset`], or taken of the request's body and not kept.
    pub(super) fn is_touched(&self) -> bool {
        self.touched
    }

    /// Begins anew: forgets what was not written, and the memory that an ordinary request does not need.
    pub(super) fn reset(&mut self) {
        let mut copied = std::mem::take(self).copied;
        copied.clear();
        copied.shrink_to(ENOUGH);
        self.copied = copied;
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes so many bytes with each write, and then waits once.
    struct Slow {
        taken: Vec<u8>,
        at_once: usize,
        waits: bool,
    }

    impl AsyncWrite for Slow {
        fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(context, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.waits = !self.waits;
            if self.waits {
                return Poll::Pending;
            }
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(self.at_once).collect();
            self.taken.extend_from_slice(&bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn everything_is_written_in_order_however_little_is_taken() {
        let large = Bytes::from(vec![b'x'; COPIED + 1]);
        let expected = [b"head;small\r\n", &large[..], b"\r\n0\r\n\r\n"].concat();
        for at_once in [1, 2, 11, 12, 13, COPIED, COPIED + 14, COPIED + 15, COPIED * 2] {
            let mut outbox = Outbox::default();
            outbox.write(b"head;");
            outbox.push(Bytes::from_static(b"small"), b"\r\n");
            assert!(outbox.has_room() && !outbox.is_touched());
            outbox.push(large.clone(), b"\r\n");
            assert!(!outbox.has_room(), "what comes behind a large part waits");
            outbox.push_last_chunk();
            let mut slow = Slow { taken: Vec::new(), at_once, waits: false };
            let mut context = Context::from_waker(Waker::noop());
            while outbox.poll_write(&mut slow, &mut context).is_pending() {}
            assert!(slow.taken == expected, "{at_once} at once");
            assert!(outbox.is_empty() && outbox.has_room() && outbox.is_touched());
        }
    }

    #[test]
    fn a_stream_that_takes_nothing_is_broken() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"a"), b"");
        let mut none = Slow { taken: Vec::new(), at_once: 0, waits: true };
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(outbox.poll_write(&mut none, &mut context), Poll::Ready(Err(_))));
        assert!(!outbox.is_touched());
        outbox.reset();
        assert!(outbox.is_empty());
    }
}
