//! Connections of HTTP/2, which requests share.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Instant;

use hyper::client::conn::http2;
use tokio::sync::OnceCell;

use super::age::Age;
use super::refusal::Refusal;
use super::{Identity, Target};

/// One connection, open or still to be opened.
pub(super) struct Http2<B> {
    identity: Identity,
    age: Age,
    pub(super) sender: OnceCell<http2::SendRequest<B>>,
    pub(super) refusal: Refusal,
    /// Requests that were sent over it.
    requests: Cell<u32>,
    /// Those that it carries now.
    streams: Cell<u32>,
    /// When it last came to carry none.
    quiet_since: Cell<Instant>,
}

impl<B> Http2<B> {
    pub(super) fn new(target: Target<'_>) -> Rc<Self> {
        Rc::new(Self {
            identity: Identity::of(target),
            age: Age::new(target.settings),
            sender: OnceCell::new(),
            refusal: Refusal::default(),
            requests: Cell::new(0),
            streams: Cell::new(0),
            quiet_since: Cell::new(Instant::now()),
        })
    }

    /// Whether a request for `target` may use it.
    pub(super) fn takes(&self, target: Target<'_>) -> bool {
        let has_room = |most: NonZeroU32| self.streams.get() < most.get();
        self.identity.fits(target) && self.is_kept() && target.settings.max_streams.is_none_or(has_room)
    }

    /// Whether any request may use it.
    pub(super) fn is_kept(&self) -> bool {
        let closed = self.sender.get().is_some_and(http2::SendRequest::is_closed);
        let idle = self.streams.get() == 0 && self.age.is_idle(self.quiet_since.get());
        !closed && !idle && !self.age.is_over()
    }

    /// Counts one more request; true for the last that it may carry.
    pub(super) fn count(&self, most: Option<NonZeroU32>) -> bool {
        self.requests.set(self.requests.get().saturating_add(1));
        most.is_some_and(|most| self.requests.get() >= most.get())
    }
}

/// One request on a shared connection, counted until it is dropped.
pub(super) struct Stream<B>(Rc<Http2<B>>);

impl<B> Stream<B> {
    pub(super) fn open(connection: &Rc<Http2<B>>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        Self(Rc::clone(connection))
    }
}

impl<B> Drop for Stream<B> {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        if self.0.streams.get() == 0 {
            self.0.quiet_since.set(Instant::now());
        }
    }
}
