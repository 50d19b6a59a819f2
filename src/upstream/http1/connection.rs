//! One HTTP/1.1 connection: a request out, its answer in, both at once where the endpoint answers early.

use std::cell::Cell;
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::io::AsyncReadExt;

use super::head::{self, Head};
use super::{Failure, request};
use crate::upstream::Unread;
use crate::upstream::transport::{Look, Transport};
use crate::wire::{Encoding, Framing, HeadSpans, Malformed, Next, Outbox};

/// How much is read at once at least: most answers, and what one TLS record holds.
const READ: usize = 16 * 1024;

/// How much is read at once at most, where the answer is known to be as long.
const LONG_READ: u64 = 64 * 1024;

/// Room behind what is expected. A read that fills its buffer must be followed by another to learn that there is no more.
const SLACK: u64 = 64;

/// The most informational answers to one request.
const MAX_INFORMATIONAL: u32 = 1000;

/// What a connection reads into and writes from; one without a request needs none.
#[derive(Default)]
pub(in crate::upstream) struct Memory {
    /// What was read and is not understood yet.
    read: BytesMut,
    outbox: Outbox,
    /// What was taken of the request's body, until anything is written.
    taken: Vec<Bytes>,
    /// Where the fields of the answer's head are found, and what they are put into.
    spans: HeadSpans,
    map: HeaderMap,
}

/// A connection, and where it stands within an exchange.
pub(in crate::upstream) struct Connection {
    transport: Transport,
    memory: Memory,
    encoding: Encoding,
    upload: Upload,
    framing: Framing,
    method: Method,
    keeps_alive: bool,
    /// Informational answers to the request so far.
    informational: u32,
}

/// How far the writing of a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    Going,
    Done,
    /// The endpoint takes no more, and may have said why.
    Refused,
}

impl Connection {
    pub(in crate::upstream) fn new(transport: Transport) -> Self {
        Self {
            transport,
            memory: Memory::default(),
            encoding: Encoding::Over,
            upload: Upload::Done,
            framing: Framing::OVER,
            method: Method::GET,
            keeps_alive: true,
            informational: 0,
        }
    }

    /// Prepares to send `request`, whose answer's fields `map` is to hold; nothing is written yet.
    pub(in crate::upstream) fn begin<B: Body>(&mut self, request: &Request<B>, map: HeaderMap) {
        self.memory.map = map;
        self.memory.outbox.reset();
        self.memory.taken.clear();
        self.encoding = request::begin(request, &mut self.memory.outbox);
        self.upload = Upload::Going;
        self.informational = 0;
        self.method.clone_from(request.method());
    }

    /// Sends what `body` gives, and reads until the answer's head has come; `continued` is set where the endpoint asks for a
    /// body that is held back. With [`Failure::Unsent`], `body` is as whole as before.
    pub(in crate::upstream) fn poll_answer<B: Unread + Unpin>(
        &mut self,
        body: &mut B,
        continued: Option<&Cell<bool>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Response<()>, Failure>> {
        loop {
            if let Poll::Ready(Err(failure)) = self.poll_upload(body, context) {
                return Poll::Ready(Err(failure));
            }
            let searched = self.memory.read.len();
            match ready!(self.poll_read(READ, context)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => {
                    return Poll::Ready(Err(Failure::Closed { heard: searched > 0 || self.informational > 0 }));
                }
            }
            let mut searched = searched;
            while !self.memory.read.is_empty()
                && let Some(head) = self.take_head(searched)?
            {
                searched = 0;
                let status = head.answer.status();
                if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                    self.framing = head.framing(&self.method)?;
                    self.keeps_alive = head.keeps_alive() && status != StatusCode::SWITCHING_PROTOCOLS;
                    return Poll::Ready(Ok(head.answer));
                }
                self.informational += 1;
                if self.informational > MAX_INFORMATIONAL {
                    return Poll::Ready(Err(Failure::Malformed));
                }
                if let Some(continued) = continued.filter(|_| status == StatusCode::CONTINUE) {
                    continued.set(true);
                }
            }
        }
    }

    fn take_head(&mut self, searched: usize) -> Result<Option<Head>, Malformed> {
        let Memory { read, spans, map, .. } = &mut self.memory;
        head::take(read, searched, (spans, map))
    }

    /// Whether all of the request is written.
    pub(in crate::upstream) fn has_written(&self) -> bool {
        self.upload == Upload::Done
    }

    /// Writes what `body` gives; complete once all of it is written, or the endpoint takes no more.
    pub(in crate::upstream) fn poll_upload<B: Unread + Unpin>(
        &mut self,
        body: &mut B,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Failure>> {
        while self.upload == Upload::Going {
            self.gather(body, context)?;
            if self.memory.outbox.is_empty() && !self.encoding.is_over() {
                return Poll::Pending;
            }
            match ready!(self.memory.outbox.poll_write(&mut self.transport, context)) {
                Ok(()) => {
                    self.memory.taken.clear();
                    if self.encoding.is_over() {
                        self.upload = Upload::Done;
                    }
                }
                Err(_) if !self.memory.outbox.is_touched() => {
                    body.unread(&mut self.memory.taken);
                    return Poll::Ready(Err(Failure::Unsent));
                }
                Err(_) => self.upload = Upload::Refused,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Adds to what is to be written as much of `body` as is there.
    fn gather<B: Unread + Unpin>(&mut self, body: &mut B, context: &mut Context<'_>) -> Result<(), Failure> {
        while self.memory.outbox.has_room() && !self.encoding.is_over() {
            match Pin::new(&mut *body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    match frame.data_ref() {
                        Some(data) if !self.memory.outbox.is_touched() => self.memory.taken.push(data.clone()),
                        _ => self.memory.outbox.touch(),
                    }
                    self.encoding.write(frame, &mut self.memory.outbox)?;
                    if body.is_end_stream() {
                        self.encoding.end(&mut self.memory.outbox)?;
                    }
                }
                Poll::Ready(Some(Err(_))) => return Err(Failure::Request),
                Poll::Ready(None) => self.encoding.end(&mut self.memory.outbox)?,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// The next part of the answer's body.
    pub(in crate::upstream) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, Failure>> {
        loop {
            match self.framing.next(&mut self.memory.read)? {
                Next::Data(data) => return Poll::Ready(Ok(Some(Frame::data(data)))),
                Next::Trailers(trailers) => return Poll::Ready(Ok(Some(Frame::trailers(trailers)))),
                Next::Over => return Poll::Ready(Ok(None)),
                Next::More => {}
            }
            let wanted = self.framing.wants().saturating_add(SLACK).min(LONG_READ);
            match ready!(self.poll_read(usize::try_from(wanted).unwrap_or(READ), context)) {
                Ok(1..) => {}
                Ok(0) => {
                    self.keeps_alive = false;
                    self.framing.close()?;
                }
                Err(_) => return Poll::Ready(Err(Failure::Closed { heard: true })),
            }
        }
    }

    /// Whether the answer's body is over.
    pub(in crate::upstream) fn is_over(&self) -> bool {
        self.framing.is_over()
    }

    pub(in crate::upstream) fn size_hint(&self) -> SizeHint {
        self.framing.size_hint()
    }

    /// Whether another request may follow: the exchange is over on both sides, and nothing came behind it.
    pub(in crate::upstream) fn is_reusable(&self) -> bool {
        self.keeps_alive && self.upload == Upload::Done && self.framing.is_over() && self.memory.read.is_empty()
    }

    /// Whether neither an end nor unasked bytes have come since the last exchange.
    pub(in crate::upstream) fn is_quiet(&mut self, look: Look) -> bool {
        if self.transport.is_secured() {
            // What TLS has decrypted and not given out, or a session's ticket that is to be taken in.
            let mut context = Context::from_waker(Waker::noop());
            if self.poll_read(READ, &mut context).is_ready() {
                return false;
            }
        }
        self.transport.is_silent(look)
    }

    /// Takes memory for a request.
    pub(in crate::upstream) fn lend(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// Gives back the memory that a connection without a request does not need.
    pub(in crate::upstream) fn give_back(&mut self) -> Memory {
        mem::take(&mut self.memory)
    }

    /// The stream, and what has been read of it: the endpoint has switched protocols.
    pub(in crate::upstream) fn into_parts(self) -> (Transport, Bytes) {
        (self.transport, self.memory.read.freeze())
    }

    /// Reads what is there, with room for `wanted` bytes at least; how many bytes it was.
    fn poll_read(&mut self, wanted: usize, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Over TLS no more comes at once, whatever there is room for.
        if self.memory.read.capacity() - self.memory.read.len() < wanted.min(READ) {
            self.memory.read.reserve(wanted.max(READ));
        }
        pin!(self.transport.read_buf(&mut self.memory.read)).poll(context)
    }
}

#[cfg(test)]
mod tests;
