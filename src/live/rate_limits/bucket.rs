//! Where the state of one limit's buckets is kept: one number, or a place in the table of all keys.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::nanos::Nanos;
use governor::state::StateStore;

use super::table::Table;

/// What is asked of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ask {
    /// A token, where there is one.
    Take,
    /// Whether there is one; nothing changes.
    Look,
}

/// The buckets of one limit. A bucket's state is the moment at which it is full again (the theoretical arrival time of the
/// generic cell rate algorithm), in nanoseconds since its limit began. Clones are the same buckets.
#[derive(Clone, Debug)]
pub(super) struct Buckets {
    place: Arc<Place>,
    /// What one request adds, in nanoseconds.
    interval: u64,
}

#[derive(Debug)]
enum Place {
    /// Zero is a bucket that nothing was taken from.
    One(AtomicU64),
    Table {
        table: Arc<Table>,
        /// What makes the limit's moments the table's.
        offset: u64,
    },
}

impl Buckets {
    /// Full buckets: one for each key of `table`, or one for all.
    pub(super) fn new(table: Option<Arc<Table>>, interval: u64) -> Self {
        let place = table.map_or(Place::One(AtomicU64::new(0)), |table| Place::Table { offset: table.age(), table });
        Self { place: Arc::new(place), interval }
    }

    /// Puts one request's token back into the bucket of `key`.
    pub(super) fn give_back(&self, key: u64) {
        match &*self.place {
            Place::One(full_at) => {
                let back = |full_at: u64| Some(full_at.saturating_sub(self.interval));
                full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, back).ok();
            }
            Place::Table { table, .. } => table.give_back(key, self.interval),
        }
    }
}

impl StateStore for Buckets {
    type Key = (u64, Ask);

    fn measure_and_replace<T, F, E>(&self, (key, ask): &(u64, Ask), decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        match (&*self.place, ask) {
            (Place::One(full_at), Ask::Take) => one(full_at, decide),
            (Place::One(full_at), Ask::Look) => decide(known(full_at.load(Ordering::Relaxed))).map(|(seen, _)| seen),
            (Place::Table { table, offset }, Ask::Take) => table.replace(*key, self.interval, |full_at| {
                let (taken, next) = decide(full_at.map(|full_at| Nanos::new(full_at.saturating_sub(*offset))))?;
                Ok((taken, next.as_u64().saturating_add(*offset)))
            }),
            (Place::Table { table, offset }, Ask::Look) => {
                let full_at = table.full_at(*key);
                decide(full_at.map(|full_at| Nanos::new(full_at.saturating_sub(*offset)))).map(|(seen, _)| seen)
            }
        }
    }
}

/// When the one bucket of a limit is full again, where something was taken from it.
fn known(full_at: u64) -> Option<Nanos> {
    NonZeroU64::new(full_at).map(|nanos| Nanos::new(nanos.get()))
}

fn one<T, E>(full_at: &AtomicU64, decide: impl Fn(Option<Nanos>) -> Result<(T, Nanos), E>) -> Result<T, E> {
    let mut before = full_at.load(Ordering::Relaxed);
    loop {
        let (taken, next) = decide(known(before))?;
        match full_at.compare_exchange_weak(before, next.as_u64(), Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Ok(taken),
            Err(changed) => before = changed,
        }
    }
}
