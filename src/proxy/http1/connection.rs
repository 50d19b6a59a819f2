//! One client connection, a request after the other.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use http::Response;
use http::response::Parts;
use http_body::{Body, SizeHint};
use tokio::time::{Sleep, sleep};

use super::Arrived;
use super::answer::{self, After, Begun};
use super::ending::{self, WORTH_READING};
use super::head::{self, Head, HeadLimits, Manner, Unreadable};
use super::inbound::{Inbound, Incoming, Upgraded};
use super::outgoing::{Gathered, Outgoing};
use super::shop::{Place, Shop, Supplies};
use crate::proxy::activity::Activity;
use crate::proxy::relay::AnswerBody;
use crate::proxy::stream::Stream;
use crate::proxy::supervisor::{Order, Supervised};
use crate::wire::Outbox;

/// What a connection of HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a connection that has asked for nothing yet is kept once it is to end.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// How a connection ended.
pub(in crate::proxy) enum Ended {
    /// It is closed.
    Closed,
    /// Its client speaks HTTP/2.
    Http2(Upgraded),
}

/// A client's connection.
pub(in crate::proxy) struct Connection<F> {
    inbound: Rc<RefCell<Inbound>>,
    outbox: Outbox,
    shop: Rc<Shop<F>>,
    supervised: Supervised,
    activity: Rc<Activity>,
    limits: HeadLimits,
    /// How much of what was read is known not to hold the end of a head.
    searched: usize,
    /// Whether the first request is still to come: it says which version is spoken.
    fresh: bool,
    /// Whether the connection is to end with the request that it carries.
    closing: bool,
    /// How long the first request is waited for while the router drains.
    patience: Option<Pin<Box<Sleep>>>,
}

/// What has come.
#[expect(clippy::large_enum_variant, reason = "a request is the rule; to box it would be an allocation for each")]
enum Came {
    Request(Head),
    Unreadable(Box<Unreadable>),
    Preface,
    /// Nothing more will.
    End,
}

/// How the writing of an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Whole,
    /// The answer broke off, and must not look whole.
    Broken,
    /// The client has gone.
    Gone,
}

impl<F: Future<Output = Response<AnswerBody>>> Connection<F> {
    /// A connection over `stream` that has just been opened.
    pub(in crate::proxy) fn new(
        stream: Stream,
        shop: Rc<Shop<F>>,
        supervised: Supervised,
        activity: Rc<Activity>,
        limits: HeadLimits,
    ) -> Self {
        Self {
            inbound: Rc::new(RefCell::new(Inbound::new(stream))),
            outbox: Outbox::default(),
            shop,
            supervised,
            activity,
            limits,
            searched: 0,
            fresh: true,
            closing: false,
            patience: None,
        }
    }

    /// Serves it to its end: `answer` begins to answer what has come. Borrowed, since whatever is handed to a future takes its
    /// room twice.
    pub(in crate::proxy) async fn serve(&mut self, answer: impl Fn(Arrived) -> F) -> Ended {
        loop {
            let (arrived, manner) = match poll_fn(|context| self.poll_head(context)).await {
                Came::End => break,
                Came::Preface => return self.hand_over(),
                Came::Request(Head { request, framing, manner, holds_back }) => {
                    self.inbound.borrow_mut().begin(framing, holds_back);
                    let body = Incoming::new(&self.inbound, &self.shop.supplies);
                    (Arrived::Request(request.map(|()| body)), manner)
                }
                Came::Unreadable(unreadable) => (Arrived::Unreadable(unreadable), Manner::UNREADABLE),
            };
            let mut place = self.shop.seat(|| answer(arrived));
            let answered = poll_fn(|context| self.poll_answer(&mut place, context)).await;
            self.shop.clear(place);
            let Some(response) = answered else { return Ended::Closed };
            match self.send(response, manner).await {
                Some(After::Keep) if self.may_go_on().await => self.inbound.borrow_mut().rest(),
                Some(After::Keep | After::Close) => {
                    self.close(manner).await;
                    return Ended::Closed;
                }
                Some(After::Switch) => {
                    self.switch();
                    return Ended::Closed;
                }
                None => return Ended::Closed,
            }
        }
        let stream = self.inbound.borrow_mut().take_stream();
        if let Some(stream) = stream {
            ending::close(stream).await;
        }
        Ended::Closed
    }

    /// Reads until a head has come whole.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Came> {
        loop {
            if let Some(came) = self.take_head() {
                return Poll::Ready(came);
            }
            let order = self.supervised.order(context);
            let mut inbound = self.inbound.borrow_mut();
            if order == Order::End && !inbound.read.is_empty() {
                return Poll::Ready(Came::Unreadable(Unreadable::late(&inbound.read)));
            }
            match inbound.poll_fill(0, &self.shop.supplies, context) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Came::End),
                // What has come before the order to end is served: it is read first.
                Poll::Pending if inbound.read.is_empty() => {
                    self.activity.head_ends();
                    drop(inbound);
                    return if self.ends_idle(order, context) { Poll::Ready(Came::End) } else { Poll::Pending };
                }
                Poll::Pending => {
                    self.activity.head_begins();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Whether a connection that carries no request ends by this order. What a client asks for first may be on its way still: the
    /// system takes connections before their clients learn that the router ends.
    fn ends_idle(&mut self, order: Order, context: &mut Context<'_>) -> bool {
        match order {
            Order::Serve | Order::Retire => self.closing,
            Order::Finish if self.fresh => {
                let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(FIRST_REQUEST)));
                patience.as_mut().poll(context).is_ready()
            }
            Order::Finish | Order::End => true,
        }
    }

    /// Takes a head off what was read; `None` where it has not come whole.
    fn take_head(&mut self) -> Option<Came> {
        let mut inbound = self.inbound.borrow_mut();
        while inbound.read.starts_with(b"\r\n") {
            // RFC 9112, section 2.2: empty lines before a request are passed over.
            inbound.read.advance(2);
        }
        if inbound.read.is_empty() || inbound.read[..] == *b"\r" {
            return None;
        }
        if self.fresh && PREFACE.starts_with(&inbound.read[..inbound.read.len().min(PREFACE.len())]) {
            return (inbound.read.len() >= PREFACE.len()).then_some(Came::Preface);
        }
        let searched = std::mem::take(&mut self.searched);
        let Supplies { maps, spans, .. } = &*self.shop.supplies;
        match head::take(&mut inbound.read, searched, self.limits, (&mut spans.borrow_mut(), || maps.take())) {
            Ok(None) => {
                self.searched = inbound.read.len();
                None
            }
            Ok(Some(head)) => {
                self.fresh = false;
                Some(Came::Request(head))
            }
            Err(unreadable) => Some(Came::Unreadable(unreadable)),
        }
    }

    /// The answer; `None` where the client went away before.
    fn poll_answer(&mut self, place: &mut Place<F>, context: &mut Context<'_>) -> Poll<Option<Response<AnswerBody>>> {
        if let Some(future) = place.as_mut().as_pin_mut()
            && let Poll::Ready(response) = future.poll(context)
        {
            return Poll::Ready(Some(response));
        }
        self.inbound.borrow_mut().poll_gone(&self.shop.supplies, context).map(|()| None)
    }

    /// Writes an answer; `None` where it does not come to be whole.
    async fn send(&mut self, response: Response<AnswerBody>, manner: Manner) -> Option<After> {
        let (head, mut body) = response.into_parts();
        let Begun { after, encoding, bodiless } = self.begin(head, &body, manner)?;
        // Nobody asks for frames of a body that has none, even where its endpoint ends it apart from its head.
        if bodiless || encoding.is_over() {
            body.pass_over();
        }
        let mut outgoing = Outgoing::new(body, encoding);
        match poll_fn(|context| self.poll_send(&mut outgoing, context)).await {
            Sent::Whole => {}
            Sent::Broken => {
                if outgoing.ends_with_its_connection()
                    && let Some(stream) = self.inbound.borrow_mut().stream()
                {
                    stream.reset_on_close();
                }
                return None;
            }
            Sent::Gone => return None,
        }
        self.shop.supplies.keep_outbox(std::mem::take(&mut self.outbox).into_memory());
        Some(after)
    }

    /// Begins an answer: its head waits to be written. `None` where there is nobody to write it to.
    fn begin(&mut self, head: Parts, body: &AnswerBody, manner: Manner) -> Option<Begun> {
        let mut inbound = self.inbound.borrow_mut();
        if inbound.has_ended() {
            return None;
        }
        self.closing |= self.supervised.is_ending();
        let goes_on = manner.keeps_alive && !self.closing && self.body_may_end(&mut inbound);
        let after = if goes_on { After::Keep } else { After::Close };
        self.outbox = Outbox::within(self.shop.supplies.outbox());
        self.outbox.write(inbound.answer_begins());
        let size = if body.is_end_stream() { SizeHint::with_exact(0) } else { body.size_hint() };
        let begun = answer::begin(&head, &size, (manner, after), &mut self.outbox, &self.shop.supplies);
        self.shop.supplies.maps.keep(head.headers);
        Some(begun)
    }

    /// Whether the request's body may come to its end without being asked for, or be so short that it is read all the same.
    fn body_may_end(&self, inbound: &mut Inbound) -> bool {
        let is_read = Rc::strong_count(&self.inbound) > 1;
        inbound.is_over()
            || !inbound.holds_back()
                && (is_read
                    || match inbound.discard_read() {
                        Ok(over) => over || inbound.is_short_of(WORTH_READING),
                        Err(_) => false,
                    })
    }

    /// Writes what there is of an answer.
    fn poll_send(&mut self, outgoing: &mut Outgoing, context: &mut Context<'_>) -> Poll<Sent> {
        loop {
            let gathered = outgoing.gather(&mut self.outbox, context);
            if self.outbox.is_empty() {
                match gathered {
                    Gathered::All => return Poll::Ready(Sent::Whole),
                    Gathered::Broken => return Poll::Ready(Sent::Broken),
                    Gathered::Some => break,
                }
            }
            let left = self.outbox.left();
            let mut inbound = self.inbound.borrow_mut();
            let Some(stream) = inbound.stream() else { return Poll::Ready(Sent::Gone) };
            match self.outbox.poll_write(stream, context) {
                Poll::Ready(Ok(())) => self.activity.answer_moves(),
                Poll::Ready(Err(_)) => return Poll::Ready(Sent::Gone),
                Poll::Pending => {
                    if self.outbox.left() < left {
                        self.activity.answer_moves();
                    }
                    self.activity.answer_stalls();
                    break;
                }
            }
        }
        if self.supervised.order(context) == Order::End {
            outgoing.give_up();
            return Poll::Ready(Sent::Gone);
        }
        self.inbound.borrow_mut().poll_gone(&self.shop.supplies, context).map(|()| Sent::Gone)
    }

    /// Whether the next request may be read: this one's body has come to its end, or does so soon.
    async fn may_go_on(&self) -> bool {
        let unread = poll_fn(|context| {
            // Who reads it may stand still, and the connection is not to.
            let order = self.supervised.order(context);
            let unread = self.inbound.borrow_mut().poll_unread(Rc::strong_count(&self.inbound), context);
            if order < Order::Finish { unread.map(|()| true) } else { Poll::Ready(unread.is_ready()) }
        });
        unread.await && (self.inbound.borrow().is_over() || ending::reads_out(&self.inbound, &self.shop.supplies).await)
    }

    /// Gives the connection to the protocol that it switches to.
    fn switch(&self) {
        let mut inbound = self.inbound.borrow_mut();
        if let Some(upgrade) = inbound.take_upgrade()
            && inbound.is_over()
            && let Some(stream) = inbound.take_stream()
        {
            // Whoever asked for it may have gone.
            upgrade.send(Upgraded::new(stream, inbound.read.split().freeze())).ok();
        }
    }

    fn hand_over(&self) -> Ended {
        self.activity.head_ends();
        let mut inbound = self.inbound.borrow_mut();
        let read = inbound.read.split().freeze();
        inbound.take_stream().map_or(Ended::Closed, |stream| Ended::Http2(Upgraded::new(stream, read)))
    }

    /// Closes the connection behind an answer to a request of this `manner`.
    async fn close(&self, manner: Manner) {
        let lingers = poll_fn(|context| Poll::Ready(self.leaves_unread(context))).await || manner == Manner::UNREADABLE;
        let stream = self.inbound.borrow_mut().take_stream();
        match stream {
            Some(stream) if lingers => ending::linger(stream).await,
            Some(stream) => ending::close(stream).await,
            None => {}
        }
    }

    /// Whether the client has sent, or may be sending, what nobody reads.
    fn leaves_unread(&self, context: &mut Context<'_>) -> bool {
        let mut inbound = self.inbound.borrow_mut();
        inbound.poll_gone(&self.shop.supplies, context).is_pending() && !(inbound.is_over() && inbound.read.is_empty())
    }
}

impl<F> Drop for Connection<F> {
    /// Whoever still waits for a body learns that none comes.
    fn drop(&mut self) {
        self.inbound.borrow_mut().take_stream();
    }
}
