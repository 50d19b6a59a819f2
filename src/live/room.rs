//! Where requests wait for a slot of one pool.
//!
//! The lock is taken only by requests of a pool that is full, and by those that give a slot back while others wait; never
//! for longer than it takes to say who is next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use http::StatusCode;
use tokio::sync::oneshot;

use crate::domain::{Moment, Reason};
use crate::pool::{Called, Joined, Line, QueueState, Slot, Terms, Ticket, Wish};

/// The waiting room of one pool.
#[derive(Debug)]
pub(super) struct Room {
    state: Arc<QueueState>,
    line: Mutex<Line<oneshot::Sender<Called>>>,
    epoch: Instant,
}

impl Room {
    /// A room whose counts are `state`'s, on the clock that began at `epoch`.
    pub(super) fn new(state: Arc<QueueState>, epoch: Instant) -> Self {
        Self { line: Mutex::new(Line::new(Arc::clone(&state))), state, epoch }
    }

    fn now(&self) -> Moment {
        Moment::between(self.epoch, Instant::now())
    }

    fn line(&self) -> MutexGuard<'_, Line<oneshot::Sender<Called>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the queue, and tells whom it concerns once the lock is free again.
    fn change<A>(&self, change: impl FnOnce(&mut Line<oneshot::Sender<Called>>, Moment) -> A) -> A {
        let now = self.now();
        let mut line = self.line();
        let answer = change(&mut line, now);
        let mut told = line.told();
        drop(line);
        while !told.is_empty() {
            let mut passed = 0;
            for (caller, called) in told {
                // One that has gone away leaves its turn to the next.
                passed += usize::from(caller.send(called) == Err(Ok(())));
            }
            let mut line = if passed > 0 { self.line() } else { break };
            (0..passed).for_each(|_| line.pass(now));
            told = line.told();
        }
        answer
    }

    /// The pool has changed; see [`Line::renew`].
    pub(super) fn renew(&self, view: u64) {
        self.line().renew(view);
    }

    /// Calls the next, if there is any: an endpoint has come to admit requests, and has slots free.
    pub(super) fn call_next(&self) {
        if self.state.pending() > 0 {
            self.change(Line::hand_on);
        }
    }

    /// Takes a seat.
    ///
    /// # Errors
    /// As [`Line::join`].
    pub(super) fn join(&self, wish: Wish, terms: Terms) -> Result<Seat<'_>, Reason> {
        let (caller, answer) = oneshot::channel();
        let (ticket, joined) = self.change(|line, now| line.join(wish, terms, now, caller))?;
        Ok(Seat { room: self, ticket, state: State::new(joined, answer) })
    }
}

/// One request's place in the queue. Dropped, it is given up, and so is its turn.
pub(super) struct Seat<'r> {
    room: &'r Room,
    ticket: Ticket,
    state: State,
}

enum State {
    Waits(oneshot::Receiver<Called>),
    Called,
    Left,
}

impl State {
    fn new(joined: Joined, called: oneshot::Receiver<Called>) -> Self {
        match joined {
            Joined::Called => Self::Called,
            Joined::Waits => Self::Waits(called),
        }
    }
}

impl Seat<'_> {
    /// Waits for its turn. Nothing is lost where this is not awaited to its end.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) async fn called(&mut self) -> Called {
        if let State::Waits(called) = &mut self.state {
            // A room keeps the sender of whoever waits in it.
            let called = called.await.unwrap_or(Err(Reason::QueueTimeout));
            self.state = if called.is_ok() { State::Called } else { State::Left };
            called
        } else {
            Ok(())
        }
    }

    /// It took its turn and found no slot. True where one came free meanwhile, and it is its turn still.
    pub(super) fn turned_down(&mut self) -> bool {
        if !matches!(self.state, State::Called) {
            return false;
        }
        let (caller, answer) = oneshot::channel();
        let joined = self.room.change(|line, now| line.turned_down(self.ticket, now, caller));
        self.state = State::new(joined, answer);
        matches!(self.state, State::Called)
    }

    /// It has its slot.
    pub(super) fn taken(mut self) {
        match std::mem::replace(&mut self.state, State::Left) {
            State::Called => self.room.change(|line, now| line.seated(&self.ticket, now)),
            state => self.state = state,
        }
    }

    /// It has its slot, and another is free for the next.
    pub(super) fn taken_of_several(self) {
        let room = self.room;
        self.taken();
        room.change(Line::hand_on);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        match &mut self.state {
            State::Left => {}
            State::Called => self.room.change(Line::pass),
            State::Waits(called) => self.room.change(|line, now| {
                // Whoever is about to tell it finds that out once this is closed.
                called.close();
                if !line.leave(&self.ticket) && called.try_recv() == Ok(Ok(())) {
                    line.pass(now);
                }
            }),
        }
    }
}

/// A slot together with the wake-up that its return owes to whoever waits.
#[derive(Debug)]
pub struct Held {
    // Fields drop in this order: the slot is free before its successor is called.
    slot: Slot,
    wake: Wake,
}

impl Held {
    pub(super) fn new(slot: Slot, room: &Arc<Room>) -> Self {
        Self { slot, wake: Wake(Arc::clone(room)) }
    }

    /// Notes that the endpoint has answered, whole.
    pub fn complete(&mut self) {
        if self.slot.is_measured() {
            self.slot.complete(self.wake.0.now());
        }
    }

    /// Notes the status of the endpoint's answer: 429 and 503 turn the request away for want of room.
    pub fn answered(&mut self, status: StatusCode) {
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            self.slot.turn_away();
        }
    }
}

#[derive(Debug)]
struct Wake(Arc<Room>);

impl Drop for Wake {
    fn drop(&mut self) {
        if self.0.state.pending() > 0 {
            self.0.change(Line::give_back);
        }
    }
}
