//! The names of endpoints, each looked up when the last answer's time is over, and what they resolve to put in force.
//!
//! Owns every lookup: no request waits for DNS, and no traffic thread asks it. A lookup that fails leaves the last good
//! addresses in force.

mod lookup;
mod requested;
mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::config::Dns;
use crate::domain::Host;
use crate::live::Publisher;
use crate::snapshot::{Addresses, NameStatus, Use, names};
use crate::telemetry::Lookup;
pub(super) use lookup::{Outcome, Resolver};
pub use requested::RequestedNames;
pub use table::Until;
use table::{Change, Table};

/// Lookups under way at once.
const MAX_LOOKUPS: usize = 32;
/// Requests to wait for names that may themselves wait.
const MAX_ORDERS: usize = 64;

/// Follows the names of what is in force.
pub struct Names {
    publisher: Arc<Publisher>,
    resolver: Resolver,
    table: Table,
    lookups: JoinSet<(Host, Outcome)>,
    orders: mpsc::Receiver<Order>,
    waiting: Vec<Order>,
}

/// Somebody waits for names.
struct Order {
    names: Vec<Host>,
    until: Until,
    done: oneshot::Sender<()>,
}

/// What is told while names are followed.
#[derive(Clone, Copy, Debug)]
pub enum Report<'a> {
    /// A lookup of a name is over.
    LookedUp(&'a Host, Lookup),
    /// All that is known, now that some of it is new.
    Known(&'a [NameStatus]),
}

/// A way to wait for names.
#[derive(Clone)]
pub struct Waiter(mpsc::Sender<Order>);

impl Waiter {
    /// Waits until lookups of all `names` have come so far, and no longer than `limit`.
    pub async fn wait_for(&self, names: Vec<Host>, until: Until, limit: Duration) {
        let (done, settled) = oneshot::channel();
        let settled = async {
            // Where nobody takes orders there is nothing to wait for.
            if self.0.send(Order { names, until, done }).await.is_ok() {
                settled.await.ok();
            }
        };
        timeout(limit, settled).await.ok();
    }
}

impl Names {
    /// Names to be followed as `settings` say, and a way to wait for them.
    pub fn new(settings: Dns, publisher: Arc<Publisher>) -> (Self, Waiter) {
        let (sender, orders) = mpsc::channel(MAX_ORDERS);
        let names = Self {
            publisher,
            resolver: Resolver::new(settings),
            table: Table::default(),
            lookups: JoinSet::new(),
            orders,
            waiting: Vec::new(),
        };
        (names, Waiter(sender))
    }

    /// Follows them for as long as the future is polled. `report` is told of every lookup, and of all that is known.
    pub async fn follow(mut self, mut report: impl FnMut(Report<'_>)) {
        /// How long there is nothing to do where there is no name.
        const IDLE: Duration = Duration::from_hours(1);
        let mut swaps = self.publisher.swaps();
        self.take_over();
        loop {
            self.look_up_due();
            let next = self.table.next_due().filter(|_| self.lookups.len() < MAX_LOOKUPS);
            tokio::select! {
                Ok(()) = swaps.changed() => {
                    self.take_over();
                    report(Report::Known(&self.table.statuses()));
                }
                Some(order) = self.orders.recv() => self.take_order(order),
                Some(Ok((name, outcome))) = self.lookups.join_next() => {
                    let mut changed = self.note(&name, outcome, &mut report);
                    // Names that were answered at once are put in force at once.
                    while let Some(Ok((name, outcome))) = self.lookups.try_join_next() {
                        changed |= self.note(&name, outcome, &mut report);
                    }
                    if changed {
                        self.publish(&mut report);
                    }
                    self.let_go();
                }
                () = sleep_until(next.unwrap_or_else(|| Instant::now() + IDLE).into()) => {}
            }
        }
    }

    /// Follows the names of what is in force now, and no others.
    fn take_over(&mut self) {
        let live = self.publisher.current();
        let names = names(&live.checked);
        for (name, used) in &names {
            self.table.add(name, *used, Instant::now());
        }
        let waiting = &self.waiting;
        let is_awaited = |name: &Host| waiting.iter().any(|order| order.names.contains(name));
        self.table.retain(|name| names.contains_key(name) || is_awaited(name));
    }

    fn take_order(&mut self, order: Order) {
        for name in &order.names {
            self.table.add(name, Use::Every, Instant::now());
        }
        self.waiting.push(order);
        self.let_go();
    }

    fn look_up_due(&mut self) {
        while self.lookups.len() < MAX_LOOKUPS
            && let Some(name) = self.table.take_due(Instant::now())
        {
            let lookup = self.resolver.look_up(&name);
            self.lookups.spawn(async move { (name, lookup.await) });
        }
    }

    /// Notes what came of a lookup. Whether it is news.
    fn note(&mut self, name: &Host, outcome: Outcome, report: &mut impl FnMut(Report<'_>)) -> bool {
        if !self.table.follows(name) {
            return false;
        }
        let looked_up = Lookup::of(outcome.as_ref().ok().map(|answer| answer.addresses.as_slice()));
        report(Report::LookedUp(name, looked_up));
        let failure = outcome.as_ref().err().cloned().unwrap_or_default();
        let change = self.table.note(name, outcome, Instant::now(), fastrand::f64());
        let addresses = self.table.addresses(name).map(Addresses::all).unwrap_or_default();
        match (change, looked_up) {
            (Change::None, _) => {}
            (Change::Addresses, Lookup::Empty) => tracing::warn!(%name, ?addresses, "name without an address"),
            (Change::Addresses, _) => tracing::info!(%name, ?addresses, "name resolved"),
            (Change::Failed, _) => {
                tracing::warn!(%name, error = failure, ?addresses, "name not resolved; the addresses stay as they were");
            }
            (Change::Recovered, _) => tracing::info!(%name, ?addresses, "name resolved again, to what it was"),
        }
        change != Change::None
    }

    /// Puts in force what the names resolve to now.
    fn publish(&mut self, report: &mut impl FnMut(Report<'_>)) {
        let statuses = self.table.statuses();
        report(Report::Known(&statuses));
        self.publisher.resolve(|resolved| {
            resolved.retain(|name| self.table.follows(name));
            for status in statuses {
                resolved.set(status.name, status.addresses);
            }
        });
    }

    /// Answers those whose wait is over.
    fn let_go(&mut self) {
        let table = &self.table;
        let is_over = |order: &mut Order| order.names.iter().all(|name| table.is_settled(name, order.until));
        for order in self.waiting.extract_if(.., is_over) {
            // Whoever has given up waiting does not mind.
            order.done.send(()).ok();
        }
        self.waiting.retain(|order| !order.done.is_closed());
    }
}
