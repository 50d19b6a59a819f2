//! One endpoint and the state that it keeps over reloads.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::gradient::Gradient;
use super::health::Permit;
use super::{Health, Load, Readiness, Slot};
use crate::domain::{Address, Moment, Reason};

/// One endpoint of a pool, as one snapshot sees it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What it is known by, over reloads too.
    pub address: Address,
    /// Where connections to it go; `None` in a snapshot that is not for connecting.
    pub socket: Option<SocketAddr>,
    /// The address as text, for logs and headers.
    pub name: Arc<str>,
    /// Its weight among its pool's endpoints.
    pub weight: NonZeroU32,
    /// Its labels.
    pub labels: Arc<BTreeMap<String, String>>,
    /// What outlives the snapshot.
    pub state: Arc<EndpointState>,
}

/// What is known of an endpoint for as long as some snapshot names it.
#[derive(Debug, Default)]
pub struct EndpointState {
    in_flight: AtomicU32,
    /// When requests were first shared out with it in the choice; zero before.
    first_seen: AtomicU64,
    /// Whether any request was sent to it.
    used: AtomicBool,
    /// The limit that follows its latency, in a pool that has it so.
    pub(super) gradient: Gradient,
    /// Whether it may be given requests.
    pub health: Health,
    /// How loaded it is, beside the requests in flight.
    pub load: Load,
}

impl EndpointState {
    /// That of a new endpoint.
    pub fn new(readiness: Readiness) -> Self {
        Self { health: Health::new(readiness), ..Self::default() }
    }

    /// Whether any request was sent to it.
    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// It is as new once more: it comes back from whatever kept it from serving.
    pub fn begin_anew(&self) {
        self.first_seen.store(0, Ordering::Relaxed);
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How long it has been known at `now`, which is the first moment of one that is new.
    pub(super) fn age(&self, now: Moment) -> Duration {
        let first = match self.first_seen.load(Ordering::Relaxed) {
            0 => {
                let known = now.as_nanos().max(1);
                self.first_seen.compare_exchange(0, known, Ordering::Relaxed, Ordering::Relaxed).err().unwrap_or(known)
            }
            first => first,
        };
        now.since(Moment::from_nanos(first))
    }

    /// In one order with what a queue counts, so that a request that finds no slot and then waits is seen by whoever gives
    /// one back after it had looked.
    pub(super) fn enter(&self, limit: NonZeroU32) -> bool {
        let below = |count| (count < limit.get()).then_some(count + 1);
        let entered = self.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, below).is_ok();
        // The common case reads only.
        if entered && !self.is_used() {
            self.used.store(true, Ordering::Relaxed);
        }
        entered
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Endpoint {
    /// Takes a slot.
    ///
    /// # Errors
    /// [`Reason::NoEndpoint`] while it is ejected, unhealthy or a probe is under way, [`Reason::SlotsTaken`] where no slot is
    /// free or it is not ready yet.
    pub(super) fn take(&self, limit: NonZeroU32, now: Moment) -> Result<Slot, Reason> {
        let permit = self.state.health.admit(now).ok_or_else(|| self.state.health.refusal())?;
        if self.state.enter(limit) {
            return Ok(Slot::new(Arc::clone(&self.state), permit));
        }
        self.state.health.give_back(permit);
        Err(Reason::SlotsTaken)
    }

    /// Takes a slot whatever the endpoint's health.
    ///
    /// # Errors
    /// [`Reason::SlotsTaken`].
    pub(super) fn take_unheeding(&self, limit: NonZeroU32) -> Result<Slot, Reason> {
        let taken = self.state.enter(limit).then(|| Slot::new(Arc::clone(&self.state), Permit::Ordinary));
        taken.ok_or(Reason::SlotsTaken)
    }
}
