//! Connections of HTTP/2, which requests share.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::OnceCell;

use super::age::Age;
use super::refusal::Refusal;
use super::{Identity, Target};

/// One connection, open or still to be opened.
pub(super) struct Http2 {
    identity: Identity,
    age: Age,
    pub(super) sender: OnceCell<SendRequest<Bytes>>,
    pub(super) refusal: Refusal,
    ended: Cell<bool>,
    /// Requests that were sent over it.
    requests: Cell<u32>,
    /// Those that it carries now.
    streams: Cell<u32>,
    /// Those of them that have begun.
    begun: Cell<u32>,
    /// Those that wait to begin: the endpoint takes no more at once.
    waiting: RefCell<Vec<Waker>>,
    /// When it last came to carry none.
    quiet_since: Cell<Instant>,
}

impl Http2 {
    pub(super) fn new(target: Target<'_>) -> Rc<Self> {
        Rc::new(Self {
            identity: Identity::of(target),
            age: Age::new(target.settings),
            sender: OnceCell::new(),
            refusal: Refusal::default(),
            ended: Cell::new(false),
            requests: Cell::new(0),
            streams: Cell::new(0),
            begun: Cell::new(0),
            waiting: RefCell::default(),
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
        let idle = self.streams.get() == 0 && self.age.is_idle(self.quiet_since.get());
        !self.ended.get() && !idle && !self.age.is_over()
    }

    /// Whether it carries any request.
    pub(super) fn carries(&self) -> bool {
        self.streams.get() > 0
    }

    /// Counts one more request; true for the last that it may carry.
    pub(super) fn count(&self, most: Option<NonZeroU32>) -> bool {
        self.requests.set(self.requests.get().saturating_add(1));
        most.is_some_and(|most| self.requests.get() >= most.get())
    }

    /// Notes that it has ended.
    pub(super) fn end(&self) {
        self.ended.set(true);
        self.call();
    }

    /// Has those that wait begin if there is room by now: the endpoint takes `most` at once, which it may change. Where it takes
    /// none any more they are called too, to look for another connection.
    pub(super) fn make_room(&self, most: impl FnOnce() -> usize, context: &mut Context<'_>) {
        if self.waiting.borrow().is_empty() {
            return;
        }
        let has_room = usize::try_from(self.begun.get()).is_ok_and(|begun| begun < most());
        let mut refuses = || {
            let sender = self.sender.get().cloned();
            sender.is_some_and(|mut sender| matches!(sender.poll_ready(context), Poll::Ready(Err(_))))
        };
        if has_room || refuses() {
            self.call();
        }
    }

    fn call(&self) {
        self.waiting.take().into_iter().for_each(Waker::wake);
    }
}

/// One request on a shared connection, counted until it is dropped.
pub(super) struct Stream {
    connection: Rc<Http2>,
    begun: bool,
}

impl Stream {
    pub(super) fn open(connection: &Rc<Http2>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        Self { connection: Rc::clone(connection), begun: false }
    }

    /// Completes once the endpoint takes one more stream. The request is whole until then.
    ///
    /// # Errors
    /// The library's, where the connection takes none any more.
    pub(super) fn poll_begin(
        &mut self,
        sender: &mut SendRequest<Bytes>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), h2::Error>> {
        ready!(sender.poll_ready(context))?;
        let begun = self.connection.begun.get();
        if usize::try_from(begun).is_ok_and(|begun| begun < sender.current_max_send_streams()) {
            self.connection.begun.set(begun + 1);
            self.begun = true;
            return Poll::Ready(Ok(()));
        }
        self.connection.waiting.borrow_mut().push(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let connection = &self.connection;
        connection.streams.set(connection.streams.get() - 1);
        if connection.streams.get() == 0 {
            connection.quiet_since.set(Instant::now());
        }
        if self.begun {
            connection.begun.set(connection.begun.get() - 1);
            connection.call();
        }
    }
}
