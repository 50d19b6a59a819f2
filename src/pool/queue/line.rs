//! The queue itself.
//!
//! Slots are not handed over: a request is *called*, which is its turn to take one, and until it has done so or has given
//! up nobody who comes later may. As many are called as slots come free. A slot that comes free while all who wait are
//! called already is remembered, since one of them may just have looked in vain.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{QueueState, URGENT_IN_A_ROW, ahead, share};
use crate::domain::{Moment, Priority, QueueOrder, Reason};

/// Slots that must have come free since the queue was last empty before anyone is sent away for their rate.
const LEAST_MEASURED: u32 = 8;
/// Each measured interval moves the average by one part in this many; the first ones by more.
const INERTIA: u32 = 16;

/// The limits of a queue, which a reload may change.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The most requests that wait.
    pub most: u32,
    /// Which of one priority is served first.
    pub order: QueueOrder,
}

/// Which slots a request has use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Any: it has tried no endpoint.
    None,
    /// Those of endpoints that it has not tried.
    Some,
}

/// What a request that is to wait asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Its priority.
    pub priority: Priority,
    /// When a slot is of no more use to it.
    pub until: Moment,
    /// Which slots are.
    pub tried: Tried,
    /// How often the pool had changed, as this request sees it.
    pub view: u64,
}

/// A request's place, which it keeps where it takes its turn in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    number: u64,
    priority: Priority,
    joined: Moment,
    until: Moment,
    tried: Tried,
    view: u64,
}

/// What a request is told: it is its turn, or it is refused.
pub type Called = Result<(), Reason>;

/// Whether a request that has joined, or has come back, waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It is called at once.
    Called,
    /// It is told.
    Waits,
}

#[derive(Debug)]
struct Waiting<T> {
    ticket: Ticket,
    caller: T,
}

/// Requests in the order of their arrival, by priority. `T` is the way to tell a request what became of it.
#[derive(Debug)]
pub struct Line<T> {
    shared: Arc<QueueState>,
    order: QueueOrder,
    classes: [VecDeque<Waiting<T>>; 2],
    next: u64,
    /// Slots in a row that the urgent got while the others waited.
    urgent_in_a_row: u32,
    /// Requests that are called and have not said yet what came of it.
    called: u32,
    /// Slots that came free while all who waited were called.
    spare: u32,
    /// When a slot last came free, or when the queue began; `None` while it is empty.
    last: Option<Moment>,
    /// Slots that came free since it was last empty.
    measured: u32,
    /// How often the pool has changed.
    view: u64,
    told: Vec<(T, Called)>,
}

/// Whom to call.
#[derive(Clone, Copy, Debug)]
enum Among {
    All,
    ThoseThatTakeAny,
}

impl<T> Line<T> {
    /// An empty queue, whose counts are `shared`'s.
    pub fn new(shared: Arc<QueueState>) -> Self {
        Self {
            shared,
            order: QueueOrder::default(),
            classes: [VecDeque::new(), VecDeque::new()],
            next: 0,
            urgent_in_a_row: 0,
            called: 0,
            spare: 0,
            last: None,
            measured: 0,
            view: 0,
            told: Vec::new(),
        }
    }

    /// Whom to tell what, since this was last asked.
    pub fn told(&mut self) -> Vec<(T, Called)> {
        std::mem::take(&mut self.told)
    }

    /// Lets a request wait. One that finds nobody with a use for every slot is called at once, for one may be free.
    ///
    /// # Errors
    /// [`Reason::QueueFull`], or [`Reason::WaitTooLong`] where it would not be served in time.
    pub fn join(&mut self, wish: Wish, terms: Terms, now: Moment, caller: T) -> Result<(Ticket, Joined), Reason> {
        self.order = terms.order;
        if self.pending() == 0 {
            (self.last, self.measured) = (Some(now), 0);
        }
        let Wish { priority, until, tried, view } = wish;
        let ticket = Ticket { number: self.next, priority, joined: now, until, tried, view };
        let before = if self.serves_newest(priority, now) { 0 } else { self.class(priority).len() };
        if self.hopeless(&ticket, before, now) {
            return Err(Reason::WaitTooLong);
        }
        if self.pending() >= terms.most && !self.displace(priority, terms.most, now) {
            return Err(Reason::QueueFull);
        }
        self.next += 1;
        // Those who have tried some endpoints may all have left a free slot alone.
        let any = |waiting: &Waiting<T>| self.takes_any(&waiting.ticket);
        let first = self.called == 0 && !self.classes.iter().flatten().any(any);
        if first || self.spare > 0 {
            self.spare = self.spare.saturating_sub(1);
            self.called += 1;
            self.publish();
            return Ok((ticket, Joined::Called));
        }
        self.class_mut(priority).push_back(Waiting { ticket, caller });
        self.publish();
        Ok((ticket, Joined::Waits))
    }

    /// The pool has changed for the `view`th time: who sees it as it was may have no use for slots that others have.
    pub fn renew(&mut self, view: u64) {
        self.view = self.view.max(view);
    }

    /// A slot came free: calls the next, and sends those away who would wait in vain.
    pub fn give_back(&mut self, now: Moment) {
        if self.pending() == 0 {
            return;
        }
        self.measure(now);
        self.hand_on(now);
        self.send_away(now);
        self.publish();
    }

    /// A slot is free, whether or not one came back: calls the next.
    pub fn hand_on(&mut self, now: Moment) {
        match self.pop(now, Among::All) {
            Some(next) => self.call(next),
            None if self.called > 0 => self.spare = (self.spare + 1).min(self.called),
            None => {}
        }
        self.publish();
    }

    /// One that was called has its slot. Of a pool that has changed since, it does not know whether others are free.
    pub fn seated(&mut self, ticket: &Ticket, now: Moment) {
        self.called = self.called.saturating_sub(1);
        self.spare = self.spare.min(self.called);
        if ticket.view < self.view {
            self.hand_on(now);
        }
        self.publish();
    }

    /// One that was called found no slot: it looks again where one came free meanwhile, and else waits in its old place.
    pub fn turned_down(&mut self, ticket: Ticket, now: Moment, caller: T) -> Joined {
        if self.spare > 0 {
            self.spare -= 1;
            return Joined::Called;
        }
        self.called = self.called.saturating_sub(1);
        let class = self.class_mut(ticket.priority);
        let place = class.partition_point(|other| other.ticket.number < ticket.number);
        class.insert(place, Waiting { ticket, caller });
        if !self.takes_any(&ticket) {
            // The slot that it has no use for may be another's: one of its own priority before all others.
            if ticket.priority == Priority::Standard {
                self.urgent_in_a_row = URGENT_IN_A_ROW;
            }
            if let Some(next) = self.pop(now, Among::ThoseThatTakeAny) {
                self.call(next);
            }
        }
        self.publish();
        Joined::Waits
    }

    /// A request that waits gives up; false where it has been told something already.
    pub fn leave(&mut self, ticket: &Ticket) -> bool {
        let class = self.class_mut(ticket.priority);
        let place = class.binary_search_by_key(&ticket.number, |waiting| waiting.ticket.number);
        let left = place.is_ok_and(|place| class.remove(place).is_some());
        self.publish();
        left
    }

    /// One that was called gives up: its turn goes to the next.
    pub fn pass(&mut self, now: Moment) {
        self.called = self.called.saturating_sub(1);
        self.spare = self.spare.min(self.called);
        self.hand_on(now);
    }

    fn class(&self, priority: Priority) -> &VecDeque<Waiting<T>> {
        &self.classes[priority.index()]
    }

    fn class_mut(&mut self, priority: Priority) -> &mut VecDeque<Waiting<T>> {
        &mut self.classes[priority.index()]
    }

    fn waiting(&self) -> [u32; 2] {
        [0, 1].map(|class: usize| u32::try_from(self.classes[class].len()).unwrap_or(u32::MAX))
    }

    fn pending(&self) -> u32 {
        self.waiting().iter().sum::<u32>() + self.called
    }

    fn publish(&mut self) {
        if self.pending() == 0 {
            self.last = None;
        }
        for (shared, count) in self.shared.waiting.iter().zip(self.waiting()) {
            shared.store(count, Ordering::Relaxed);
        }
        // In one order with the slots; see `EndpointState::enter`.
        self.shared.pending.store(self.pending(), Ordering::SeqCst);
    }

    fn call(&mut self, next: Waiting<T>) {
        self.called += 1;
        self.told.push((next.caller, Ok(())));
    }

    fn refuse(&mut self, waiting: Waiting<T>, reason: Reason) {
        self.told.push((waiting.caller, Err(reason)));
    }

    /// Whether the newest of `priority` is served first.
    fn serves_newest(&self, priority: Priority, now: Moment) -> bool {
        match self.order {
            QueueOrder::Fifo => false,
            QueueOrder::Lifo => true,
            QueueOrder::Adaptive => self.class(priority).front().is_some_and(|oldest| {
                let Ticket { joined, until, .. } = oldest.ticket;
                now.since(joined) > until.since(joined) / 2
            }),
        }
    }

    /// Whether a request has a use for every slot that newcomers have.
    fn takes_any(&self, ticket: &Ticket) -> bool {
        ticket.tried == Tried::None && ticket.view >= self.view
    }

    /// Takes the next out; those whose time is over are told so.
    fn pop(&mut self, now: Moment, among: Among) -> Option<Waiting<T>> {
        let view = self.view;
        let fits = |waiting: &Waiting<T>| match among {
            Among::All => true,
            Among::ThoseThatTakeAny => waiting.ticket.tried == Tried::None && waiting.ticket.view >= view,
        };
        loop {
            let some = Priority::ALL.map(|priority| self.class(priority).iter().any(fits));
            let priority = match some {
                [false, false] => return None,
                [true, true] if self.urgent_in_a_row >= URGENT_IN_A_ROW => Priority::Standard,
                [true, _] => Priority::LatencySensitive,
                [false, true] => Priority::Standard,
            };
            let newest = self.serves_newest(priority, now);
            let class = self.class(priority);
            let place = if newest { class.iter().rposition(fits) } else { class.iter().position(fits) };
            let next = place.and_then(|place| self.class_mut(priority).remove(place))?;
            if next.ticket.until <= now {
                self.refuse(next, Reason::QueueTimeout);
                continue;
            }
            if some == [true, true] {
                let urgent = priority == Priority::LatencySensitive;
                self.urgent_in_a_row = if urgent { self.urgent_in_a_row + 1 } else { 0 };
            }
            return Some(next);
        }
    }

    /// Makes room for one of `priority` at the other's cost, if that has more than its share of the places.
    fn displace(&mut self, priority: Priority, most: u32, now: Moment) -> bool {
        let other = match priority {
            Priority::LatencySensitive => Priority::Standard,
            Priority::Standard => Priority::LatencySensitive,
        };
        let own = self.waiting()[priority.index()];
        let newest = self.serves_newest(other, now);
        let class = self.class_mut(other);
        let last = if own >= share(priority, most) {
            None
        } else if newest {
            class.pop_front()
        } else {
            class.pop_back()
        };
        let Some(last) = last else { return false };
        self.refuse(last, Reason::QueueFull);
        true
    }

    fn measure(&mut self, now: Moment) {
        let Some(last) = self.last.replace(now) else { return };
        self.measured = self.measured.saturating_add(1);
        let interval = now.since(last);
        let average = match self.shared.interval() {
            None => interval,
            Some(average) => {
                let parts = (self.measured + 1).min(INERTIA);
                (average * (parts - 1) + interval) / parts
            }
        };
        let nanos = u64::try_from(average.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.shared.interval.store(nanos, Ordering::Relaxed);
    }

    /// Sends those away who are last to be served and would not be in time.
    fn send_away(&mut self, now: Moment) {
        for priority in Priority::ALL {
            let newest = self.serves_newest(priority, now);
            loop {
                let class = self.class(priority);
                let Some(last) = (if newest { class.front() } else { class.back() }) else { break };
                if !self.hopeless(&last.ticket, class.len() - 1, now) {
                    break;
                }
                let class = self.class_mut(priority);
                if let Some(last) = if newest { class.pop_front() } else { class.pop_back() } {
                    self.refuse(last, Reason::WaitTooLong);
                }
            }
        }
    }

    /// Whether a request with `before` of its own priority before it would not be served in time, even if slots came free
    /// sooner than they have by two standard deviations (of a Poisson process, whose N events come within `N ± √N` intervals).
    fn hopeless(&self, ticket: &Ticket, before: usize, now: Moment) -> bool {
        let Some(interval) = self.shared.interval().filter(|_| self.measured >= LEAST_MEASURED) else { return false };
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        let turns = f64::from(ahead(ticket.priority, before, self.waiting()).saturating_add(1));
        let soonest = interval.as_secs_f64() * (turns - 2.0 * turns.sqrt());
        soonest > ticket.until.since(now).as_secs_f64() && ticket.until.since(now) > Duration::ZERO
    }
}
