//! Requests that wait: how they join, are called, take their turn and give up; see `live::Room`.

use std::rc::Rc;
use std::time::Duration;

use overspill::domain::{Priority, Reason};
use overspill::pool::{Joined, Line, Terms, Ticket, Tried, Wish};
use overspill::snapshot::PoolId;

use super::{End, Event, State, Station};

impl Station {
    fn line(&mut self, request: usize, at: usize) -> (PoolId, &mut Line<usize>) {
        let snapshot = Rc::clone(&self.requests[request].snapshot);
        let id = snapshot.overflow(self.requests[request].chosen.expect("a pool was chosen"))[at];
        let pool = snapshot.pool(id);
        (
            id,
            self.lines
                .entry(pool.name.to_string())
                .or_insert_with(|| Line::new(Rc::clone(&snapshot).pool(id).queue.clone())),
        )
    }

    pub(super) fn join(&mut self, request: usize, at: usize, until: Duration, preferred: bool) -> Result<(), Reason> {
        let (now, priority) = (self.now, self.requests[request].priority);
        let tried = if self.requests[request].tried.is_empty() { Tried::None } else { Tried::Some };
        let snapshot = Rc::clone(&self.requests[request].snapshot);
        let wish = Wish { priority, until: now.after(until), tried, view: snapshot.generation() };
        let (id, line) = self.line(request, at);
        let pool = snapshot.pool(id);
        let terms = Terms { most: pool.max_pending, order: pool.queue_order };
        let (turns, joined) = (pool.queue.turns(priority), line.join(wish, terms, now, request));
        let told = line.told();
        if joined == Err(Reason::WaitTooLong) {
            self.is_justified(id, turns, until);
        }
        let (ticket, joined) = match joined {
            Ok(joined) => joined,
            Err(reason) => {
                self.tell(told);
                return Err(reason);
            }
        };
        let this = &mut self.requests[request];
        this.waits += 1;
        this.since = now;
        this.state = State::Waits { at, ticket, called: joined == Joined::Called, preferred };
        let event = Event::Timeout(request, this.waits);
        self.waiting.insert(request);
        self.at(now.after(until), event);
        if joined == Joined::Called {
            self.soon(request);
        }
        // Whoever was displaced goes on at once, and may displace this one in turn.
        self.tell(told);
        Ok(())
    }

    /// Who is sent away for the rate at which slots come free would really have waited for about as long.
    fn is_justified(&self, id: PoolId, turns: u32, until: Duration) {
        let pool = self.snapshot.pool(id);
        // Where slots or times have just changed, those that were measured say less.
        if pool.adaptive_slots.is_some() || self.snapshot.generation() > 1 {
            return;
        }
        let service = self.services[&*pool.name];
        let served = pool.slots(self.now).min(u32::try_from(service.places * pool.endpoints.len()).unwrap_or(u32::MAX));
        let wait = service.mean * turns / served.max(1);
        assert!(wait * 2 > until, "sent away from {turns} turns, {wait:?}, for {until:?}");
    }

    /// A request that is called needs a moment to look, as a thread does to wake.
    fn soon(&mut self, request: usize) {
        let moment = self.now.after(Duration::from_nanos(self.random.u64(0..100_000)));
        self.at(moment, Event::Turn(request));
    }

    pub(super) fn tell(&mut self, told: Vec<(usize, Result<(), Reason>)>) {
        for (request, called) in told {
            let priority = self.requests[request].priority;
            let State::Waits { called: flag, preferred, at, .. } = &mut self.requests[request].state else {
                panic!("only who waits is told something")
            };
            match called {
                Ok(()) => {
                    assert!(!*flag, "nobody is called twice");
                    *flag = true;
                    self.note_called(request, priority);
                    self.soon(request);
                }
                Err(reason) => {
                    let goes_on = preferred.then_some(*at + 1);
                    self.refused(request, reason, goes_on);
                }
            }
        }
    }

    /// No priority is passed over more often in a row than it may be.
    fn note_called(&mut self, request: usize, priority: Priority) {
        let snapshot = Rc::clone(&self.requests[request].snapshot);
        let State::Waits { at, .. } = self.requests[request].state else { return };
        let id = snapshot.overflow(self.requests[request].chosen.expect("a pool was chosen"))[at];
        if id.index() != 0 {
            return;
        }
        let plain = |other: &usize| {
            let other = &self.requests[*other];
            other.tried.is_empty() && other.snapshot.generation() == self.snapshot.generation()
        };
        // Those with no use for some slots are passed over for them.
        if !self.waiting.iter().all(plain) {
            self.passed_over = [0; 2];
            return;
        }
        self.passed_over[priority.index()] = 0;
        for other in Priority::ALL.into_iter().filter(|other| *other != priority) {
            let waits = snapshot.pool(id).queue.waiting(other) > 0;
            self.passed_over[other.index()] = if waits { self.passed_over[other.index()] + 1 } else { 0 };
        }
        let [urgent, standard] = self.passed_over;
        assert!(urgent <= 1 && standard <= 7, "passed over in a row: {urgent} urgent, {standard} standard");
    }

    pub(super) fn turn(&mut self, request: usize) {
        let State::Waits { at, ticket, called: true, .. } = self.requests[request].state else { return };
        let (now, draw) = (self.now, self.random.u64(..));
        let snapshot = Rc::clone(&self.requests[request].snapshot);
        let (id, _) = self.line(request, at);
        let pool = snapshot.pool(id);
        let Ok((place, slot)) = pool.take(now, draw, &self.requests[request].tried) else {
            return self.in_vain(request, at, ticket);
        };
        let several = pool.queue.pending() > 1 && pool.has_slot(now);
        let (_, line) = self.line(request, at);
        line.seated(&ticket, now);
        if several {
            line.hand_on(now);
        }
        let told = line.told();
        let since = self.requests[request].since;
        self.requests[request].waited += now.since(since);
        self.fly(request, (id, place), slot);
        self.tell(told);
    }

    /// A turn found no slot.
    fn in_vain(&mut self, request: usize, at: usize, ticket: Ticket) {
        let now = self.now;
        let (_, line) = self.line(request, at);
        let joined = line.turned_down(ticket, now, request);
        let told = line.told();
        if let State::Waits { called, .. } = &mut self.requests[request].state {
            *called = joined == Joined::Called;
        }
        if joined == Joined::Called {
            self.soon(request);
        }
        self.tell(told);
    }

    /// Leaves the queue: for `reason`, or because the client went away.
    pub(super) fn give_up(&mut self, request: usize, reason: Option<Reason>) {
        let State::Waits { at, ticket, called, preferred } = self.requests[request].state else { return };
        let now = self.now;
        let (_, line) = self.line(request, at);
        if called {
            line.pass(now);
        } else {
            assert!(line.leave(&ticket), "who waits is in the queue");
        }
        let told = line.told();
        match reason {
            None => self.end(request, End::Left),
            Some(reason) => self.refused(request, reason, preferred.then_some(at + 1)),
        }
        self.tell(told);
    }

    fn refused(&mut self, request: usize, reason: Reason, goes_on: Option<usize>) {
        self.waiting.remove(&request);
        let since = self.requests[request].since;
        self.requests[request].waited += self.now.since(since);
        match goes_on {
            // What is left of the objective was waited for: the other pools are asked as without one.
            Some(next) => {
                self.requests[request].state = State::Deciding;
                self.search(request, next, None);
            }
            None => self.end(request, End::Refused(reason)),
        }
    }
}
