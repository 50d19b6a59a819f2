//! The body of an answer on its way out.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::Body;

use crate::domain::Reason;
use crate::proxy::relay::AnswerBody;
use crate::wire::{Encoding, Outbox};

/// A body, and what is left to write of it.
pub(super) struct Outgoing {
    body: AnswerBody,
    encoding: Encoding,
    broken: bool,
}

/// What there is to write of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gathered {
    /// As much as has come, or as may wait.
    Some,
    /// All of it.
    All,
    /// As much as comes: it broke off.
    Broken,
}

impl Outgoing {
    pub(super) fn new(body: AnswerBody, encoding: Encoding) -> Self {
        Self { body, encoding, broken: false }
    }

    /// Adds to what is to be written as much of the body as is there.
    pub(super) fn gather(&mut self, outbox: &mut Outbox, context: &mut Context<'_>) -> Gathered {
        while !self.encoding.is_over() && !self.broken {
            if !outbox.has_room() {
                return Gathered::Some;
            }
            let written = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let written = self.encoding.write(frame, outbox);
                    if self.body.is_end_stream() { written.and_then(|()| self.encoding.end(outbox)) } else { written }
                }
                Poll::Ready(Some(Err(_))) => {
                    self.broken = true;
                    break;
                }
                Poll::Ready(None) => self.encoding.end(outbox),
                Poll::Pending => return Gathered::Some,
            };
            self.broken = written.is_err();
        }
        if self.broken { Gathered::Broken } else { Gathered::All }
    }

    /// Whether the client takes the end of the connection for that of the body.
    pub(super) fn ends_with_its_connection(&self) -> bool {
        self.encoding == Encoding::UntilClose
    }

    /// Breaks it off: its client has taken nothing of it for too long.
    pub(super) fn give_up(&mut self) {
        self.body.give_up(Reason::StreamIdleTimeout);
    }
}
