//! The streams of one connection, which are polled within its task.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use tokio::task::coop::unconstrained;

use super::ready::Ready;
use crate::proxy::http1::{Place, Shop};

/// The number of the connection itself; those of streams follow.
const CONNECTION: usize = 0;

/// The futures that answer the requests of one connection.
pub(super) struct Streams<F> {
    shop: Rc<Shop<F>>,
    ready: Ready,
    /// What wakes the connection.
    connection: Waker,
    slots: Vec<Slot<F>>,
    vacant: Vec<usize>,
}

/// Room for one stream, and then for the next.
struct Slot<F> {
    waker: Waker,
    place: Option<Place<F>>,
}

impl<F: Future<Output = ()>> Streams<F> {
    /// None yet. The connection itself is to be polled.
    pub(super) fn new(shop: Rc<Shop<F>>) -> Self {
        let mut ready = Ready::default();
        let connection = ready.waker(CONNECTION);
        connection.wake_by_ref();
        Self { shop, ready, connection, slots: Vec::new(), vacant: Vec::new() }
    }

    /// What wakes the connection.
    pub(super) fn connection(&self) -> &Waker {
        &self.connection
    }

    /// The task of `waker` polls what is ready from now on.
    pub(super) fn look(&self, waker: &Waker) {
        self.ready.look(waker);
    }

    /// The task has polled what it saw, and is woken for the rest.
    pub(super) fn rest(&self) {
        self.ready.rest();
    }

    /// Whether the connection or any of its streams is to be polled.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.any()
    }

    /// Adds a stream, which is to be polled.
    pub(super) fn add(&mut self, begin: impl FnOnce() -> F) {
        let place = self.shop.seat(begin);
        let slot = self.vacant.pop().unwrap_or_else(|| {
            let waker = self.ready.waker(CONNECTION + 1 + self.slots.len());
            self.slots.push(Slot { waker, place: None });
            self.slots.len() - 1
        });
        let slot = &mut self.slots[slot];
        slot.place = Some(place);
        slot.waker.wake_by_ref();
    }

    /// Polls the streams that are ready; whether the connection is to be polled too.
    pub(super) fn poll(&mut self) -> bool {
        let mut connection = false;
        for word in 0.. {
            let Some(numbers) = self.ready.take(word) else { break };
            for number in numbers {
                match number.checked_sub(CONNECTION + 1) {
                    Some(slot) => self.poll_stream(slot),
                    None => connection = true,
                }
            }
        }
        connection
    }

    fn poll_stream(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        // Its stream may have ended before what woke it.
        let Some(future) = slot.place.as_mut().and_then(|place| place.as_mut().as_pin_mut()) else { return };
        let mut context = Context::from_waker(&slot.waker);
        // Streams in one task must not use up each other's share of its time; how often they are polled is bounded by rounds. A
        // panic takes the stream down, and not those beside it.
        let polled = catch_unwind(AssertUnwindSafe(|| pin!(unconstrained(future)).poll(&mut context)));
        if polled.is_ok_and(|polled| polled.is_pending()) {
            return;
        }
        if let Some(place) = slot.place.take() {
            self.shop.clear(place);
        }
        self.vacant.push(number);
    }
}
