//! Kept-alive HTTP/1.1 connections that no request uses.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::FxHashMap;

use super::age::Age;
use super::http1::{Connection, Memory};
use super::refusal::Refusal;
use super::transport::Look;
use super::{Identity, Target};
use crate::domain::Address;

/// The most idle connections kept to one endpoint by one worker; for more, the one unused for longest is closed.
pub(super) const MAX_IDLE: usize = 1024;

/// The most destinations that requests have brought along to which one worker keeps connections.
pub(super) const MAX_ORIGINALS: usize = 256;

/// The most memory of connections that is kept for the next requests, in connections. Those that carry one at a time are few
/// beside those that are open.
const MAX_SPARE: usize = 64;

/// One HTTP/1.1 connection, and what it may be used for.
pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) address: Address,
    pub(super) identity: Identity,
    pub(super) age: Age,
    pub(super) refusal: Refusal,
    /// Requests that were sent over it.
    pub(super) requests: u32,
    /// Whether it has carried all the requests that it may.
    pub(super) spent: bool,
}

impl Link {
    /// Whether it is neither too old nor idle for too long, without a request since `since`; `looked` is the last look at the
    /// clock.
    fn is_kept(&self, since: Instant, looked: Instant) -> bool {
        !self.age.is_over() && !self.age.is_idle_by(since, looked)
    }

    /// Whether it is open still, as far as `look` tells. A look at what TLS holds takes memory, which goes again.
    fn is_open(&mut self, look: Look) -> bool {
        let quiet = self.connection.is_quiet(look);
        self.connection.give_back();
        quiet
    }
}

/// Idle connections by endpoint; the one used last is used next, so that the others can age.
pub(super) struct Idle {
    by_address: FxHashMap<Address, Vec<(Box<Link>, Instant)>>,
    /// The addresses that connections are kept to; `None` before anything was said of them.
    kept: Option<Arc<HashSet<Address>>>,
    /// What connections gave back; the one given back last is in the processor's cache, and taken first.
    spare: Vec<Memory>,
    /// The least of it that was there since the last sweep.
    unused: usize,
    /// When that was.
    looked: Instant,
}

impl Default for Idle {
    fn default() -> Self {
        Self { by_address: FxHashMap::default(), kept: None, spare: Vec::new(), unused: 0, looked: Instant::now() }
    }
}

/// Whether connections to `address` are of use where endpoints are known by `kept`. Destinations of requests are known by none.
pub(super) fn is_kept(kept: &HashSet<Address>, address: &Address) -> bool {
    matches!(address, Address::Original(_)) || kept.contains(address)
}

impl Idle {
    /// A connection to `target` that is open, as far as `look` tells, and secured as it should be. One that is found closed
    /// goes.
    pub(super) fn take(&mut self, target: Target<'_>, look: Look) -> Option<Box<Link>> {
        let idle = self.by_address.get_mut(target.address)?;
        for place in (0..idle.len()).rev() {
            let (link, since) = &mut idle[place];
            if !link.identity.fits(target) {
                continue;
            }
            link.connection.lend(self.spare.pop().unwrap_or_default());
            self.unused = self.unused.min(self.spare.len());
            let usable = link.is_kept(*since, self.looked) && link.connection.is_quiet(look);
            let (link, _) = idle.remove(place);
            if usable {
                return Some(link);
            }
        }
        None
    }

    pub(super) fn put(&mut self, mut link: Box<Link>) {
        let memory = link.connection.give_back();
        if self.spare.len() < MAX_SPARE {
            self.spare.push(memory);
        }
        if link.spent || link.age.is_over() || self.kept.as_ref().is_some_and(|kept| !is_kept(kept, &link.address)) {
            return;
        }
        let is_original = matches!(link.address, Address::Original(_));
        let since = if is_original || link.age.is_timed_closely() { Instant::now() } else { self.looked };
        if let Some(idle) = self.by_address.get_mut(&link.address) {
            if idle.len() == MAX_IDLE {
                idle.remove(0);
            }
            return idle.push((link, since));
        }
        if is_original {
            self.make_room();
        }
        self.by_address.insert(link.address.clone(), vec![(link, since)]);
    }

    /// Closes connections to `address` that have reached their end: one has, and whatever closed it may have closed others.
    pub(super) fn prune(&mut self, address: &Address) {
        if let Some(idle) = self.by_address.get_mut(address) {
            idle.retain_mut(|(link, _)| link.is_open(Look::Arrived));
        }
    }

    pub(super) fn keep(&mut self, addresses: &Arc<HashSet<Address>>) {
        self.by_address.retain(|address, _| is_kept(addresses, address));
        self.kept = Some(Arc::clone(addresses));
    }

    /// Gives up the destination whose connections have been idle for longest, where there are too many.
    fn make_room(&mut self) {
        let originals = || self.by_address.iter().filter(|(address, _)| matches!(address, Address::Original(_)));
        if originals().count() >= MAX_ORIGINALS {
            let last_used = |(_, idle): &(&Address, &Vec<(Box<Link>, Instant)>)| idle.last().map(|(_, since)| *since);
            let oldest = originals().min_by_key(last_used).map(|(address, _)| address.clone());
            oldest.map(|address| self.by_address.remove(&address));
        }
    }

    /// Closes connections that are too old or idle for too long, and those that their endpoint has closed; frees memory that
    /// no request has taken since the last time.
    pub(super) fn sweep(&mut self) {
        self.looked = Instant::now();
        for idle in self.by_address.values_mut() {
            idle.retain_mut(|(link, since)| link.is_kept(*since, self.looked) && link.is_open(Look::Heard));
        }
        self.spare.drain(..self.unused);
        self.unused = self.spare.len();
        self.by_address.retain(|_, idle| !idle.is_empty());
    }
}
