//! Kept-alive HTTP/1.1 connections that no request uses.

use std::collections::HashSet;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use hyper::client::conn::http1::SendRequest;
use rustc_hash::FxHashMap;

use super::age::Age;
use super::refusal::Refusal;
use super::{Identity, Target};
use crate::domain::Address;

/// The most idle connections kept to one endpoint by one worker; for more, the one unused for longest is closed.
pub(super) const MAX_IDLE: usize = 1024;

/// The most destinations that requests have brought along to which one worker keeps connections.
pub(super) const MAX_ORIGINALS: usize = 256;

/// One HTTP/1.1 connection: hyper's end of it, and a second handle to its socket.
pub(super) struct Link<B> {
    pub(super) sender: SendRequest<B>,
    pub(super) identity: Identity,
    pub(super) age: Age,
    pub(super) refusal: Refusal,
    /// Looked at before reuse. hyper learns that the endpoint has closed only when its task is next polled; what has
    /// reached the kernel by then must not cost a request. Over TLS that may be a session's ticket, which waits for the
    /// task as well.
    pub(super) socket: TcpStream,
    /// Requests that were sent over it.
    pub(super) requests: u32,
}

impl<B> Link<B> {
    fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether it is neither too old nor idle for too long, without a request since `since`.
    fn is_kept(&self, since: Instant) -> bool {
        !self.age.is_over() && !self.age.is_idle(since)
    }

    /// Whether a request may be sent: the last answer is over, and neither an end nor unasked bytes have come.
    fn is_ready(&self) -> bool {
        let quiet = || matches!(self.socket.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.sender.is_ready() && quiet()
    }
}

/// Idle connections by endpoint; the one used last is used next, so that the others can age.
pub(super) struct Idle<B> {
    by_address: FxHashMap<Address, Vec<(Link<B>, Instant)>>,
    /// The addresses that connections are kept to; `None` before anything was said of them.
    kept: Option<Arc<HashSet<Address>>>,
}

impl<B> Default for Idle<B> {
    fn default() -> Self {
        Self { by_address: FxHashMap::default(), kept: None }
    }
}

/// Whether connections to `address` are of use where endpoints are known by `kept`. Destinations of requests are known by none.
pub(super) fn is_kept(kept: &HashSet<Address>, address: &Address) -> bool {
    matches!(address, Address::Original(_)) || kept.contains(address)
}

impl<B> Idle<B> {
    /// A connection to `target` that is open, secured as it should be and ready for a request.
    pub(super) fn take(&mut self, target: Target<'_>) -> Option<Link<B>> {
        let idle = self.by_address.get_mut(target.address)?;
        // One that has just finished its last answer may not know yet that it is ready; it is left for later.
        let ready = idle
            .iter()
            .rposition(|(link, since)| link.identity.fits(target) && link.is_kept(*since) && link.is_ready())?;
        Some(idle.remove(ready).0)
    }

    pub(super) fn put(&mut self, address: Address, link: Link<B>) {
        if self.kept.as_ref().is_some_and(|kept| !is_kept(kept, &address)) {
            return;
        }
        if matches!(address, Address::Original(_)) && !self.by_address.contains_key(&address) {
            self.make_room();
        }
        let idle = self.by_address.entry(address).or_default();
        if link.is_closed() || link.age.is_over() {
            return;
        }
        if idle.len() == MAX_IDLE {
            idle.remove(0);
        }
        idle.push((link, Instant::now()));
    }

    pub(super) fn keep(&mut self, addresses: &Arc<HashSet<Address>>) {
        self.by_address.retain(|address, _| is_kept(addresses, address));
        self.kept = Some(Arc::clone(addresses));
    }

    /// Gives up the destination whose connections have been idle for longest, where there are too many.
    fn make_room(&mut self) {
        let originals = || self.by_address.iter().filter(|(address, _)| matches!(address, Address::Original(_)));
        if originals().count() >= MAX_ORIGINALS {
            let last_used = |(_, idle): &(&Address, &Vec<(Link<B>, Instant)>)| idle.last().map(|(_, since)| *since);
            let oldest = originals().min_by_key(last_used).map(|(address, _)| address.clone());
            oldest.map(|address| self.by_address.remove(&address));
        }
    }

    pub(super) fn sweep(&mut self) {
        for idle in self.by_address.values_mut() {
            idle.retain(|(link, since)| !link.is_closed() && link.is_kept(*since));
        }
        self.by_address.retain(|_, idle| !idle.is_empty());
    }
}
