//! The buckets of all keys, in a table that never grows.
//!
//! A key has its place in one of a set of eight. A new key takes an empty place, else that of the bucket which is full
//! soonest: what is forgotten is what a key had used up least of. So a flood of keys makes others forgotten that hardly
//! asked, and one that is refused stays refused, unless eight others of its set have used up more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

const WAYS: u32 = 8;

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Zero is no key.
    key: u64,
    /// Nanoseconds since the table's beginning.
    full_at: u64,
}

type Set = [Bucket; WAYS as usize];

/// The table. A set is locked for a few comparisons at a time.
#[derive(Debug)]
pub(super) struct Table {
    sets: Box<[Mutex<Set>]>,
    evicted: AtomicU64,
    began: Instant,
}

impl Table {
    /// An empty table for at most `capacity` keys, and at least eight.
    pub(super) fn new(capacity: u32) -> Self {
        let sets = Self::capacity_for(capacity) / WAYS;
        Self { sets: (0..sets).map(|_| Mutex::default()).collect(), evicted: AtomicU64::new(0), began: Instant::now() }
    }

    /// How many keys a table holds that is made for `capacity`.
    pub(super) const fn capacity_for(capacity: u32) -> u32 {
        if capacity < WAYS { WAYS } else { capacity / WAYS * WAYS }
    }

    /// How many keys it holds.
    pub(super) fn capacity(&self) -> u32 {
        u32::try_from(self.sets.len()).unwrap_or(u32::MAX).saturating_mul(WAYS)
    }

    /// Nanoseconds since it was made.
    pub(super) fn age(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The keys that have a place now.
    pub(super) fn tracked(&self) -> u64 {
        let tracked = |set: &Mutex<Set>| lock(set).iter().filter(|bucket| bucket.key != 0).count() as u64;
        self.sets.iter().map(tracked).sum()
    }

    /// The keys that were forgotten before their buckets were full.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Has `decide` say what becomes of the bucket of `key`, given when it is full again, `None` for a full one. A request
    /// adds `interval`. Where `decide` errs, nothing changes.
    pub(super) fn replace<T, E>(
        &self,
        key: u64,
        interval: u64,
        decide: impl FnOnce(Option<u64>) -> Result<(T, u64), E>,
    ) -> Result<T, E> {
        let (key, mut set) = self.set_of(key);
        if let Some(known) = set.iter_mut().find(|bucket| bucket.key == key) {
            let (taken, full_at) = decide(Some(known.full_at))?;
            known.full_at = full_at;
            return Ok(taken);
        }
        let (taken, full_at) = decide(None)?;
        if let Some(fullest) = set.iter_mut().min_by_key(|bucket| bucket.full_at) {
            // What a full bucket has now is one request, so that this is the present.
            let now = full_at.saturating_sub(interval);
            if fullest.full_at > now {
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
            *fullest = Bucket { key, full_at };
        }
        Ok(taken)
    }

    /// When the bucket of `key` is full again, if it has one.
    pub(super) fn full_at(&self, key: u64) -> Option<u64> {
        let (key, set) = self.set_of(key);
        set.iter().find(|bucket| bucket.key == key).map(|bucket| bucket.full_at)
    }

    /// Takes `interval` off the bucket of `key`, if it still has one.
    pub(super) fn give_back(&self, key: u64, interval: u64) {
        let (key, mut set) = self.set_of(key);
        if let Some(known) = set.iter_mut().find(|bucket| bucket.key == key) {
            known.full_at = known.full_at.saturating_sub(interval);
        }
    }

    fn set_of(&self, key: u64) -> (u64, MutexGuard<'_, Set>) {
        let key = key.max(1);
        let set = usize::try_from(key).unwrap_or_default() % self.sets.len();
        (key, lock(&self.sets[set]))
    }
}

/// A set is whole at every moment, whatever became of a thread that held it.
fn lock(set: &Mutex<Set>) -> MutexGuard<'_, Set> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}
