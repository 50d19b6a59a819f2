//! Kept-alive HTTP/1.1 connections that no request uses.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::FxHashMap;

use super::age::Age;
use super::http1::Connection;
use super::refusal::Refusal;
use super::transport::Look;
use super::{Identity, Target};
use crate::domain::Address;

/// The most idle connections kept to one endpoint by one worker; for more, the one unused for longest is closed.
pub(super) const MAX_IDLE: usize = 1024;

/// The most destinations that requests have brought along to which one worker keeps connections.
pub(super) const MAX_ORIGINALS: usize = 256;

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
    /// Whether it is neither too old nor idle for too long, without a request since `since`.
    fn is_kept(&self, since: Instant) -> bool {
        !self.age.is_over() && !self.age.is_idle(since)
    }
}

/// Idle connections by endpoint; the one used last is used next, so that the others can age.
#[derive(Default)]
pub(super) struct Idle {
    by_address: FxHashMap<Address, Vec<(Box<Link>, Instant)>>,
    /// The addresses that connections are kept to; `None` before anything was said of them.
    kept: Option<Arc<HashSet<Address>>>,
    /// When it was last swept.
    swept: Option<Instant>,
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
            let usable = link.is_kept(*since) && link.connection.is_quiet(look);
            let (link, _) = idle.remove(place);
            if usable {
                return Some(link);
            }
        }
        None
    }

    pub(super) fn put(&mut self, link: Box<Link>) {
        if link.spent || link.age.is_over() || self.kept.as_ref().is_some_and(|kept| !is_kept(kept, &link.address)) {
            return;
        }
        if !self.by_address.contains_key(&link.address) {
            if matches!(link.address, Address::Original(_)) {
                self.make_room();
            }
            self.by_address.insert(link.address.clone(), Vec::new());
        }
        let Some(idle) = self.by_address.get_mut(&link.address) else { return };
        if idle.len() == MAX_IDLE {
            idle.remove(0);
        }
        idle.push((link, Instant::now()));
    }

    /// Closes connections to `address` that have reached their end: one has, and whatever closed it may have closed others.
    pub(super) fn prune(&mut self, address: &Address) {
        if let Some(idle) = self.by_address.get_mut(address) {
            idle.retain_mut(|(link, _)| link.connection.is_quiet(Look::Arrived));
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

    /// Closes connections that are too old or idle for too long, and those that their endpoint has closed. The others give
    /// back the memory that only a request needs.
    pub(super) fn sweep(&mut self) {
        let swept = self.swept.replace(Instant::now());
        for idle in self.by_address.values_mut() {
            idle.retain_mut(|(link, since)| link.is_kept(*since) && link.connection.is_quiet(Look::Heard));
            // The one used last stands last; those that were idle at the last sweep already stand first.
            let unused = idle.partition_point(|(_, since)| swept.is_some_and(|swept| *since < swept));
            idle[..unused].iter_mut().for_each(|(link, _)| link.connection.shrink());
        }
        self.by_address.retain(|_, idle| !idle.is_empty());
    }
}
