//! What is in force: one snapshot and the waiting rooms of its pools, behind one swap.
//!
//! Owns publishing, reading, and the taking of slots with the wake-up that follows their return. One [`Publisher`] writes;
//! each worker has a [`Reader`], loads once for each request and keeps what it loaded until the request is over.

mod destinations;
mod local;
mod rate_limits;
mod room;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::timeout_at;

pub use destinations::{Ask, Asked, Destination, Destinations, KnownHosts};
pub use local::{Engaged, Local};
pub use rate_limits::{Judged, PolicyLimits, RateLimits};
pub use room::Held;
use room::Room;

use crate::config::Checked;
use crate::domain::{Address, Host, Moment, Priority, Reason};
use crate::pool::{Pool, Terms, Tried, Wish};
use crate::snapshot::{PoolId, Resolved, Snapshot, Use, compile, names, resolve};
use crate::tls::{self, Clients};

/// One generation in force.
#[derive(Debug)]
pub struct Live {
    /// The compiled table.
    pub snapshot: Snapshot,
    /// What it was compiled from.
    pub checked: Arc<Checked>,
    /// What its endpoints are known by; connections to others are of no more use.
    pub addresses: Arc<HashSet<Address>>,
    /// How often its routes let requests through.
    pub rate_limits: Arc<RateLimits>,
    rooms: Box<[Arc<Room>]>,
    clients: Clients,
    epoch: Instant,
    /// Told of the first request for a pool that nothing was asked of.
    woken: watch::Sender<()>,
    /// How often there was something else in force before.
    view: u64,
}

impl Live {
    /// This moment, on the clock of every snapshot's endpoint state.
    pub fn now(&self) -> Moment {
        Moment::between(self.epoch, Instant::now())
    }

    /// What the endpoints of `pool` are spoken to with over TLS; `None` where they are spoken to in clear.
    pub fn tls(&self, pool: PoolId) -> Option<&tls::Client> {
        self.clients[pool.index()].as_deref()
    }

    /// The same to keep; see [`Live::tls`].
    pub fn tls_client(&self, pool: PoolId) -> Option<Arc<tls::Client>> {
        self.clients[pool.index()].clone()
    }

    /// Has the first request that waits for a slot of `pool` ask again: an endpoint has come to admit requests.
    pub fn admits(&self, pool: PoolId) {
        self.rooms[pool.index()].call_next();
    }

    /// Tells whoever follows the demand that a pool is asked for of which nothing was asked before.
    pub fn wake(&self) {
        self.woken.send_replace(());
    }

    /// Takes a slot of `pool`, unless requests wait for one already: those come first. The endpoint's place comes with it.
    ///
    /// # Errors
    /// [`Reason::SlotsTaken`] or [`Reason::NoEndpoint`].
    pub fn take(&self, pool: PoolId, draw: u64, tried: &[usize]) -> Result<(usize, Held), Reason> {
        if self.snapshot.pool(pool).queue.pending() > 0 {
            return Err(Reason::SlotsTaken);
        }
        self.take_in_turn(pool, draw, tried)
    }

    /// Waits for a slot of `pool`, of another endpoint than those tried.
    ///
    /// # Errors
    /// [`Reason::QueueFull`] where every place is taken, [`Reason::QueueTimeout`] where the wait was in vain,
    /// [`Reason::WaitTooLong`] as soon as it can be seen to be.
    pub async fn wait(&self, pool: PoolId, wait: Wait<'_>) -> Result<(usize, Held), Reason> {
        let Wait { draw, tried, priority, until } = wait;
        let to = self.snapshot.pool(pool);
        let terms = Terms { most: to.max_pending, order: to.queue_order };
        let picky = if tried.is_empty() { Tried::None } else { Tried::Some };
        let wish = Wish { priority, until: Moment::between(self.epoch, until), tried: picky, view: self.view };
        let mut seat = self.rooms[pool.index()].join(wish, terms)?;
        let mut look_again = until;
        loop {
            match timeout_at(look_again.into(), seat.called()).await {
                Ok(called) => called?,
                Err(_) if look_again >= until => return Err(Reason::QueueTimeout),
                Err(_) => {}
            }
            match self.take_in_turn(pool, draw, tried) {
                Ok(taken) if to.queue.pending() > 1 && to.has_slot(self.now()) => {
                    seat.taken_of_several();
                    return Ok(taken);
                }
                Ok(taken) => {
                    seat.taken();
                    return Ok(taken);
                }
                Err(reason) => {
                    seat.turned_down();
                    // No slot that comes free tells that an ejection is over.
                    let soon = (reason == Reason::NoEndpoint).then(|| Instant::now() + EJECTION_LOOK);
                    look_again = soon.map_or(until, |soon| soon.min(until));
                }
            }
        }
    }

    fn take_in_turn(&self, pool: PoolId, draw: u64, tried: &[usize]) -> Result<(usize, Held), Reason> {
        let (place, slot) = self.snapshot.pool(pool).take(self.now(), draw, tried)?;
        Ok((place, Held::new(slot, &self.rooms[pool.index()])))
    }
}

/// How often a request that waits looks whether an endpoint is admitted again, where none is.
const EJECTION_LOOK: Duration = Duration::from_millis(20);

/// What a request that waits asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wait<'t> {
    /// What its endpoint is chosen by.
    pub draw: u64,
    /// The endpoints that it leaves out.
    pub tried: &'t [usize],
    /// Its priority.
    pub priority: Priority,
    /// When it gives up.
    pub until: Instant,
}

/// What the endpoints of `snapshot` are known by.
fn addresses(snapshot: &Snapshot) -> Arc<HashSet<Address>> {
    let endpoints = snapshot.pools().flat_map(|(_, pool)| &pool.endpoints);
    Arc::new(endpoints.map(|endpoint| endpoint.address.clone()).collect())
}

fn room(pool: &Pool, epoch: Instant) -> Arc<Room> {
    Arc::new(Room::new(Arc::clone(&pool.queue), epoch))
}

/// The one writer of what is in force.
#[derive(Debug)]
pub struct Publisher {
    live: Arc<ArcSwap<Live>>,
    /// The addresses of names. Whoever holds the lock may publish.
    resolved: Mutex<Resolved>,
    swaps: watch::Sender<()>,
}

impl Publisher {
    /// Puts the first generation in force; `clients` are those of its pools. No name has an address yet.
    pub fn new(checked: Checked, clients: Clients) -> Self {
        let resolved = Resolved::default();
        let snapshot = compile(&checked, &resolved, None);
        let epoch = Instant::now();
        let rooms = snapshot.pools().map(|(_, pool)| room(pool, epoch)).collect();
        let live = Live {
            addresses: addresses(&snapshot),
            rate_limits: Arc::new(RateLimits::of(&snapshot, None)),
            snapshot,
            checked: Arc::new(checked),
            rooms,
            clients,
            epoch,
            woken: watch::Sender::new(()),
            view: 0,
        };
        Self {
            live: Arc::new(ArcSwap::from_pointee(live)),
            resolved: Mutex::new(resolved),
            swaps: watch::Sender::new(()),
        }
    }

    /// Puts a further generation in force, with the endpoint state and the queues of pools that go on.
    pub fn publish(&self, checked: Checked, clients: Clients) -> Arc<Live> {
        let resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.live.load_full();
        let snapshot = compile(&checked, &resolved, Some(&before.snapshot));
        self.swap(&before, snapshot, (Arc::new(checked), clients))
    }

    /// Notes what names resolve to. What is in force follows, in the same generation, where it goes by one of them.
    pub fn resolve(&self, change: impl FnOnce(&mut Resolved)) {
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.live.load_full();
        let names = names(&before.checked);
        let seen = |resolved: &Resolved| -> Vec<_> {
            let seen = |(name, used): (&&Host, &Use)| {
                let addresses = resolved.of(name)?;
                Some(((*name).clone(), addresses.all().to_vec(), (*used == Use::Newest).then(|| addresses.newest())))
            };
            names.iter().filter_map(seen).collect()
        };
        let known = seen(&resolved);
        change(&mut resolved);
        if known != seen(&resolved) {
            let snapshot = resolve(&before.checked, &resolved, &before.snapshot);
            self.swap(&before, snapshot, (Arc::clone(&before.checked), before.clients.clone()));
        }
    }

    fn swap(&self, before: &Live, snapshot: Snapshot, (checked, clients): (Arc<Checked>, Clients)) -> Arc<Live> {
        let known: HashMap<_, _> =
            before.snapshot.pools().map(|(id, pool)| (&pool.key, &before.rooms[id.index()])).collect();
        let new = |pool| room(pool, before.epoch);
        let rooms = snapshot
            .pools()
            .map(|(_, pool)| known.get(&pool.key).map_or_else(|| new(pool), |room| Arc::clone(room)))
            .inspect(|room| room.renew(before.view + 1));
        let rate_limits = if Arc::ptr_eq(&checked, &before.checked) {
            Arc::clone(&before.rate_limits)
        } else {
            Arc::new(RateLimits::of(&snapshot, Some(&before.rate_limits)))
        };
        let live = Live {
            addresses: addresses(&snapshot),
            rate_limits,
            rooms: rooms.collect(),
            clients,
            snapshot,
            checked,
            epoch: before.epoch,
            woken: before.woken.clone(),
            view: before.view + 1,
        };
        let live = Arc::new(live);
        self.live.store(Arc::clone(&live));
        self.swaps.send_replace(());
        live
    }

    /// Tells of each swap.
    pub fn swaps(&self) -> watch::Receiver<()> {
        self.swaps.subscribe()
    }

    /// Tells of the first request for a pool that nothing was asked of.
    pub fn wakes(&self) -> watch::Receiver<()> {
        self.current().woken.subscribe()
    }

    /// What is in force.
    pub fn current(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// A reader for one thread.
    pub fn reader(&self) -> Reader {
        Reader { cache: arc_swap::Cache::new(Arc::clone(&self.live)), swaps: self.swaps.subscribe() }
    }
}

/// A cheap way to read what is in force, one a thread: it looks at shared memory, and writes to it only after a swap.
#[derive(Debug)]
pub struct Reader {
    cache: arc_swap::Cache<Arc<ArcSwap<Live>>, Arc<Live>>,
    swaps: watch::Receiver<()>,
}

impl Reader {
    /// Tells of each swap after this reader was made.
    pub fn swaps(&self) -> watch::Receiver<()> {
        self.swaps.clone()
    }

    /// What is in force now.
    pub fn load(&mut self) -> Arc<Live> {
        Arc::clone(self.cache.load())
    }
}
