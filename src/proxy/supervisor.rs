//! Which client connections a worker has, and which of them are to end: one look over all of them at a time, so that a
//! connection needs no timer of its own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use slab::Slab;

use super::Limits;
use super::activity::{Activity, Overdue};
use crate::domain::Limit;
use crate::telemetry::LimitCounters;

/// The least time between two looks: by so much a connection may end too late.
const LEAST_WAIT: Duration = Duration::from_millis(20);

/// The least part of the greatest age that a connection reaches.
const LEAST_AGE: f32 = 0.9;

/// What a connection is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Serve,
    /// To end where that loses nothing: HTTP/2 says so to its client, and HTTP/1.1 with its next answer.
    Retire,
    /// To end with the requests that it carries.
    Finish,
    /// To end now.
    End,
}

/// The connections of one worker.
#[derive(Default)]
pub(super) struct Supervisor {
    connections: RefCell<Slab<Rc<Connection>>>,
    retiring: Cell<bool>,
    draining: Cell<bool>,
    /// Whether connections are cut off with the requests that they carry.
    cutting: Cell<bool>,
}

struct Connection {
    activity: Arc<Activity>,
    order: Cell<Order>,
    waker: RefCell<Option<Waker>>,
    born: Instant,
    /// Which part of the greatest age it reaches: connections that began together do not end together.
    share: f32,
}

impl Connection {
    /// When it has reached its part of `age`.
    fn grows_old(&self, age: Duration) -> Instant {
        self.born + age.mul_f32(self.share)
    }

    fn order(&self, order: Order) {
        if self.order.get() != order {
            self.order.set(order);
            if let Some(waker) = self.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }
}

impl Supervisor {
    /// Knows a connection for as long as the answer is held.
    pub(super) fn enter(self: &Rc<Self>, activity: Arc<Activity>) -> Supervised {
        let order = match (self.draining.get(), self.retiring.get()) {
            (true, _) => Order::Finish,
            (false, true) => Order::Retire,
            (false, false) => Order::Serve,
        };
        let order = Cell::new(order);
        let share = LEAST_AGE + (1.0 - LEAST_AGE) * fastrand::f32();
        let connection =
            Rc::new(Connection { activity, order, waker: RefCell::default(), born: Instant::now(), share });
        let key = self.connections.borrow_mut().insert(Rc::clone(&connection));
        Supervised { supervisor: Rc::clone(self), key, connection }
    }

    /// Has every connection end where that loses nothing.
    pub(super) fn retire(&self) {
        self.retiring.set(true);
        let connections = self.connections.borrow();
        let serving = connections.iter().filter(|(_, connection)| connection.order.get() < Order::Retire);
        serving.for_each(|(_, connection)| connection.order(Order::Retire));
    }

    /// Whether clients are to go elsewhere.
    pub(super) fn is_retiring(&self) -> bool {
        self.retiring.get()
    }

    /// Has every connection end with the requests that it carries, those that are still to come among them.
    pub(super) fn drain(&self) {
        self.draining.set(true);
        self.connections.borrow().iter().for_each(|(_, connection)| connection.order(Order::Finish));
    }

    /// Notes that the drain's time is over: what is still under way is cut off.
    pub(super) fn cut(&self) {
        self.cutting.set(true);
    }

    /// Whether what is broken off now is broken off by the router.
    pub(super) fn is_cutting(&self) -> bool {
        self.cutting.get()
    }

    /// Ends whatever is overdue, and says when to look again.
    pub(super) fn look(&self, limits: Limits, counters: &LimitCounters) -> Instant {
        let now = Instant::now();
        // Whatever begins after this look is overdue no sooner than this.
        let age = limits.max_connection_age.unwrap_or(limits.keepalive);
        let mut next = now + limits.header_timeout.min(limits.keepalive).min(age.mul_f32(LEAST_AGE));
        for (_, connection) in self.connections.borrow().iter() {
            if let Some(end) = limits.max_connection_age.map(|age| connection.grows_old(age)) {
                if end <= now && connection.order.get() < Order::Finish {
                    counters.count(Limit::ConnectionAge);
                    connection.order(Order::Finish);
                } else if end > now {
                    next = next.min(end);
                }
            }
            match connection.activity.next_overdue(limits) {
                Some((end, Overdue::Head)) if end <= now => connection.order(Order::End),
                // One that was told to end and does not, as a client of HTTP/2 that answers no PING, is ended.
                Some((end, Overdue::Request))
                    if end + limits.header_timeout <= now && connection.order.get() == Order::Finish =>
                {
                    connection.order(Order::End);
                }
                Some((end, Overdue::Request)) if end <= now => {
                    if connection.order.get() < Order::Finish {
                        counters.count(Limit::ConnectionIdle);
                    }
                    connection.order(Order::Finish);
                }
                Some((end, _)) => next = next.min(end),
                None => {}
            }
        }
        next.max(now + LEAST_WAIT)
    }
}

/// A connection's side of it.
pub(super) struct Supervised {
    supervisor: Rc<Supervisor>,
    key: usize,
    connection: Rc<Connection>,
}

impl Supervised {
    /// What the connection is to do now; whoever asks is woken when that changes.
    pub(super) fn order(&self, context: &Context<'_>) -> Order {
        let mut waker = self.connection.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        self.connection.order.get()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.supervisor.connections.borrow_mut().remove(self.key);
    }
}
