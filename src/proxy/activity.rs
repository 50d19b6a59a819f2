//! What a client's connection is doing, seen from its heads and its requests.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Limits;

/// What a client has kept the router waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Any request at all: the connection is idle.
    Request,
    /// The rest of a head.
    Head,
    /// Room for more of an answer.
    Answer,
}

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    in_flight: Cell<u32>,
    /// When the last request ended, or the connection began.
    quiet_since: Cell<Instant>,
    /// When a head began of which some is still to come.
    head_since: Cell<Option<Instant>>,
    /// Since when the client has taken nothing of an answer that waits for it.
    stalled_since: Cell<Option<Instant>>,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            in_flight: Cell::new(0),
            quiet_since: Cell::new(Instant::now()),
            head_since: Cell::new(None),
            stalled_since: Cell::new(None),
        }
    }

    pub(super) fn request_begins(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
    }

    /// Notes that a request is over. Once for each that began.
    pub(super) fn request_ends(&self, now: Instant) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
        self.quiet_since.set(now);
    }

    /// Notes that a part of a head has come. Its time runs from the first on.
    pub(super) fn head_begins(&self) {
        if self.head_since.get().is_none() {
            self.head_since.set(Some(Instant::now()));
        }
    }

    /// Notes that what had begun was no head, or has come whole.
    pub(super) fn head_ends(&self) {
        self.head_since.set(None);
    }

    /// Whether some of a head is still to come.
    pub(super) fn is_in_head(&self) -> bool {
        self.head_since.get().is_some()
    }

    /// Notes that the client takes nothing more of an answer for now. Its time runs from the first on.
    pub(super) fn answer_stalls(&self) {
        if self.stalled_since.get().is_none() {
            self.stalled_since.set(Some(Instant::now()));
        }
    }

    /// Notes that the client has taken something of an answer.
    pub(super) fn answer_moves(&self) {
        self.stalled_since.set(None);
    }

    /// What will be overdue next, and when; `None` while a request is in flight. `still` is how long a client may take nothing
    /// of an answer.
    pub(super) fn next_overdue(&self, limits: Limits, still: Duration) -> Option<(Instant, Overdue)> {
        let after = |since: Instant, limit: Duration| since + limit;
        if let Some(since) = self.stalled_since.get() {
            return Some((after(since, still), Overdue::Answer));
        }
        if let Some(since) = self.head_since.get() {
            return Some((after(since, limits.header_timeout), Overdue::Head));
        }
        (self.in_flight.get() == 0).then(|| (after(self.quiet_since.get(), limits.keepalive), Overdue::Request))
    }
}
