//! What is in force: one snapshot and the waiting rooms of its pools, behind one swap.
//!
//! Owns publishing, reading, and the taking of slots with the wake-up that follows their return. One [`Publisher`] writes;
//! each worker has a [`Reader`], loads once for each request and keeps what it loaded until the request is over.

mod local;
mod room;

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::time::timeout_at;

pub use local::{Engaged, Local};
pub use room::Held;
use room::Room;

use crate::config::Checked;
use crate::domain::{Moment, Reason};
use crate::pool::Place;
use crate::snapshot::{PoolId, Snapshot, compile};

/// One generation in force.
#[derive(Debug)]
pub struct Live {
    /// The compiled table.
    pub snapshot: Snapshot,
    /// What it was compiled from.
    pub checked: Checked,
    rooms: Box<[Arc<Room>]>,
    epoch: Instant,
}

impl Live {
    /// This moment, on the clock of every snapshot's endpoint state.
    pub fn now(&self) -> Moment {
        Moment::between(self.epoch, Instant::now())
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

    /// Waits for a slot of `pool`, of another endpoint than those `tried`, until `until`.
    ///
    /// # Errors
    /// [`Reason::QueueFull`] where every place is taken, [`Reason::QueueTimeout`] where the wait was in vain.
    pub async fn wait(
        &self,
        pool: PoolId,
        draw: u64,
        tried: &[usize],
        until: Instant,
    ) -> Result<(usize, Held), Reason> {
        let queue = self.snapshot.pool(pool);
        let _place = Place::take(&queue.queue, queue.max_pending).ok_or(Reason::QueueFull)?;
        loop {
            // Listening begins before the try, so that a slot given back between the two is not missed.
            let mut freed = std::pin::pin!(self.rooms[pool.index()].freed());
            freed.as_mut().enable();
            if let Ok(taken) = self.take_in_turn(pool, draw, tried) {
                return Ok(taken);
            }
            timeout_at(until.into(), freed).await.map_err(|_| Reason::QueueTimeout)?;
        }
    }

    fn take_in_turn(&self, pool: PoolId, draw: u64, tried: &[usize]) -> Result<(usize, Held), Reason> {
        let (place, slot) = self.snapshot.pool(pool).take(self.now(), draw, tried)?;
        Ok((place, Held::new(slot, &self.rooms[pool.index()])))
    }
}

/// The one writer of what is in force.
#[derive(Debug)]
pub struct Publisher {
    live: Arc<ArcSwap<Live>>,
}

impl Publisher {
    /// Puts the first generation in force.
    pub fn new(checked: Checked) -> Self {
        let snapshot = compile(&checked, None);
        let rooms = snapshot.pools().map(|_| Arc::default()).collect();
        let live = Live { snapshot, checked, rooms, epoch: Instant::now() };
        Self { live: Arc::new(ArcSwap::from_pointee(live)) }
    }

    /// Puts a further generation in force, with the endpoint state and the queues of pools that go on.
    pub fn publish(&self, checked: Checked) -> Arc<Live> {
        let before = self.live.load_full();
        let snapshot = compile(&checked, Some(&before.snapshot));
        let known: std::collections::HashMap<_, _> =
            before.snapshot.pools().map(|(id, pool)| (&pool.key, &before.rooms[id.index()])).collect();
        let rooms =
            snapshot.pools().map(|(_, pool)| known.get(&pool.key).map(|room| Arc::clone(room)).unwrap_or_default());
        let live = Arc::new(Live { rooms: rooms.collect(), snapshot, checked, epoch: before.epoch });
        self.live.store(Arc::clone(&live));
        live
    }

    /// What is in force.
    pub fn current(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// A reader for one thread.
    pub fn reader(&self) -> Reader {
        Reader { cache: arc_swap::Cache::new(Arc::clone(&self.live)) }
    }
}

/// A cheap way to read what is in force, one a thread: it looks at shared memory, and writes to it only after a swap.
#[derive(Debug)]
pub struct Reader {
    cache: arc_swap::Cache<Arc<ArcSwap<Live>>, Arc<Live>>,
}

impl Reader {
    /// What is in force now.
    pub fn load(&mut self) -> Arc<Live> {
        Arc::clone(self.cache.load())
    }
}
