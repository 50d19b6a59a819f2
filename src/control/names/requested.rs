//! The hosts that requests bring along, each looked up when one asks for it, and again for as long as others do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::MAX_LOOKUPS;
use super::lookup::{Outcome, Resolver};
use super::table::Table;
use crate::config::Dns;
use crate::domain::Host;
use crate::live::{Ask, Asked, Destination, KnownHosts};
use crate::snapshot::{Addresses, Use};
use crate::telemetry::Lookup;

/// The most hosts that are known at once, Envoy's default for `max_hosts`. Requests for more are refused until some that
/// nobody asks for are forgotten.
const MAX_HOSTS: usize = 1024;

/// Looks up what requests ask for.
pub struct RequestedNames {
    resolver: Resolver,
    table: Table,
    lookups: JoinSet<(Host, Outcome)>,
    asked: Asked,
    waiting: Vec<Ask>,
}

impl RequestedNames {
    /// Names to be looked up as `settings` say.
    pub fn new(settings: Dns, asked: Asked) -> Self {
        let (resolver, table) = (Resolver::new(settings), Table::default());
        Self { resolver, table, lookups: JoinSet::new(), asked, waiting: Vec::new() }
    }

    /// Answers requests for as long as any may ask. `report` is told of every lookup.
    pub async fn serve(mut self, mut report: impl FnMut(Lookup)) {
        const IDLE: Duration = Duration::from_hours(1);
        loop {
            self.look_up_due();
            let next = self.table.next_due().filter(|_| self.lookups.len() < MAX_LOOKUPS);
            tokio::select! {
                ask = self.asked.next() => match ask {
                    Some(ask) => self.take(ask),
                    None => return,
                },
                Some(Ok((name, outcome))) = self.lookups.join_next() => {
                    report(Lookup::of(outcome.as_ref().ok().map(|answer| answer.addresses.as_slice())));
                    self.table.note(&name, outcome, Instant::now(), fastrand::f64());
                    self.publish(&name);
                }
                () = sleep_until(next.unwrap_or_else(|| Instant::now() + IDLE).into()) => {}
            }
        }
    }

    fn take(&mut self, ask: Ask) {
        if let Some(known) = self.asked.known().get(ask.host.as_str()) {
            return ask.answer(Arc::clone(known));
        }
        if self.table.len() >= MAX_HOSTS && !self.table.follows(&ask.host) {
            return ask.answer(Arc::new(Destination::new(None)));
        }
        self.table.add(&ask.host, Use::Newest, Instant::now());
        self.waiting.push(ask);
    }

    /// Looks hosts up whose time is over, and forgets those that nobody has asked for since the last time.
    fn look_up_due(&mut self) {
        let known = self.asked.known();
        let mut forgotten: Vec<Host> = Vec::new();
        while self.lookups.len() < MAX_LOOKUPS
            && let Some(name) = self.table.take_due(Instant::now())
        {
            if known.get(name.as_str()).is_none_or(|known| known.was_asked_for()) {
                let lookup = self.resolver.look_up(&name);
                self.lookups.spawn(async move { (name, lookup.await) });
            } else {
                forgotten.push(name);
            }
        }
        if !forgotten.is_empty() {
            self.table.retain(|name| !forgotten.contains(name));
            let mut left = KnownHosts::clone(&known);
            left.retain(|known, _| forgotten.iter().all(|name| name.as_str() != &**known));
            self.asked.publish(left);
        }
    }

    /// Puts in force what `name` has come to, and answers the requests that wait for it.
    fn publish(&mut self, name: &Host) {
        let newest = self.table.addresses(name).map(Addresses::newest);
        let destination = Arc::new(Destination::new(newest));
        let mut known = KnownHosts::clone(&self.asked.known());
        known.insert(name.as_str().into(), Arc::clone(&destination));
        self.asked.publish(known);
        for ask in self.waiting.extract_if(.., |ask| ask.host == *name) {
            ask.answer(Arc::clone(&destination));
        }
    }
}

#[cfg(test)]
mod tests;
