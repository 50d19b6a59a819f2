//! One connection of the load: a transport, what is spoken over it, and what is still to be written.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use super::h1::{self, H1};
use super::h2::{self, H2};
use super::transport::Transport;
use super::{Answer, Broken, Load, LoadError};
use crate::exchange::Wire;
use crate::outbox::Outbox;
use crate::poll::Interest;

/// What is asked over every connection, ready to be written.
pub(super) enum Requests {
    H1(h1::Requests),
    H2(h2::Requests),
}

impl Requests {
    pub(super) fn new(load: &Load) -> Self {
        match load.exchange.wire {
            Wire::H1 => Self::H1(h1::Requests::new(&load.exchange)),
            Wire::H2 => {
                let scheme = if load.secure.is_some() { h2::SCHEME_HTTPS } else { h2::SCHEME_HTTP };
                Self::H2(h2::Requests::new(&load.exchange, scheme))
            }
        }
    }
}

enum Speaks {
    H1(H1),
    H2(H2),
}

/// An open connection.
pub(super) struct Connection {
    transport: Transport,
    speaks: Speaks,
    outbox: Outbox,
    /// What the poll watches for.
    pub(super) interest: Interest,
    /// Whether it will be flushed at the end of this turn.
    pub(super) is_dirty: bool,
}

impl Connection {
    pub(super) fn open(load: &Load) -> Result<Self, LoadError> {
        let transport = Transport::open(load.target, load.secure.as_ref())?;
        let mut outbox = Outbox::default();
        let speaks = match load.exchange.wire {
            Wire::H1 => Speaks::H1(H1::default()),
            Wire::H2 => Speaks::H2(H2::open(outbox.end())),
        };
        Ok(Self { transport, speaks, outbox, interest: Interest::Read, is_dirty: false })
    }

    pub(super) fn in_flight(&self) -> usize {
        match &self.speaks {
            Speaks::H1(h1) => h1.in_flight(),
            Speaks::H2(h2) => h2.in_flight(),
        }
    }

    pub(super) fn ask(&mut self, requests: &Requests, with_rule: bool, due: Instant) {
        match (&mut self.speaks, requests) {
            (Speaks::H1(h1), Requests::H1(requests)) => h1.ask(requests, with_rule, due, self.outbox.end()),
            (Speaks::H2(h2), Requests::H2(requests)) => h2.ask(requests, with_rule, due, self.outbox.end()),
            _ => unreachable!("requests and connections are made for one wire"),
        }
    }

    /// Reads once, and appends the answers that are whole.
    pub(super) fn read(
        &mut self,
        requests: &Requests,
        input: &mut [u8],
        answers: &mut Vec<Answer>,
    ) -> Result<(), Broken> {
        let Some(count) = self.transport.receive(input)? else { return Ok(()) };
        let input = &input[..count];
        match (&mut self.speaks, requests) {
            (Speaks::H1(h1), Requests::H1(requests)) => h1.read(requests, input, answers),
            (Speaks::H2(h2), Requests::H2(requests)) => h2.read(requests, input, (answers, self.outbox.end())),
            _ => unreachable!("requests and connections are made for one wire"),
        }
    }

    /// Writes what can be written now, and says what to watch for after it.
    pub(super) fn flush(&mut self) -> Result<Interest, Broken> {
        let left = self.transport.send(&mut self.outbox)?;
        Ok(if left { Interest::ReadAndWrite } else { Interest::Read })
    }

    pub(super) fn close(self) {
        self.transport.close();
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }
}
