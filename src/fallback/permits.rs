//! How many threads of all the local models compute at once.
//!
//! Models beside the main one, and versions on trial or on their way out, have threads of their own; the cores given to the local
//! tier are given to all of them together. Threads get their permits in the order in which they ask, so that of two models that
//! are both asked without end each has its half.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The permits of one local tier. A copy gives the same ones.
#[derive(Clone, Debug)]
pub struct Permits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when a permit has come free, or its turn has gone on to the next.
    changed: Condvar,
    /// Threads that hold a permit or wait for one.
    asking: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    most: usize,
    held: usize,
    /// Who waits, the first one first.
    line: VecDeque<u64>,
    /// What the next one in the line is known by.
    next: u64,
}

/// What one model asks for permits by.
#[derive(Debug)]
pub(super) struct Claim {
    shared: Arc<Shared>,
    /// Its threads among [`Shared::asking`].
    own: AtomicUsize,
}

/// The right to compute, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit<'c>(&'c Claim);

impl Permits {
    /// Permits for `most` threads, at least one.
    pub fn new(most: u32) -> Self {
        let permits =
            Self(Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), asking: AtomicUsize::new(0) }));
        permits.limit(most);
        permits
    }

    /// Makes them permits for `most` threads, at least one; what is held stays held.
    pub fn limit(&self, most: u32) {
        self.0.state().most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        self.0.changed.notify_all();
    }

    /// For one more model.
    pub(super) fn claim(&self) -> Claim {
        Claim { shared: Arc::clone(&self.0), own: AtomicUsize::new(0) }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Waits for a permit.
    pub(super) fn take(&self) -> Permit<'_> {
        let mut state = self.shared.state();
        self.shared.asking.fetch_add(1, Ordering::Relaxed);
        self.own.fetch_add(1, Ordering::Relaxed);
        let ticket = state.next;
        state.next += 1;
        state.line.push_back(ticket);
        while state.held >= state.most || state.line.front() != Some(&ticket) {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.line.pop_front();
        state.held += 1;
        let more = state.held < state.most && !state.line.is_empty();
        drop(state);
        if more {
            self.shared.changed.notify_all();
        }
        Permit(self)
    }

    /// Threads of other models that compute, or wait to.
    pub(super) fn others(&self) -> usize {
        let own = self.own.load(Ordering::Relaxed);
        self.shared.asking.load(Ordering::Relaxed).saturating_sub(own)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let Claim { shared, own } = self.0;
        shared.state().held -= 1;
        own.fetch_sub(1, Ordering::Relaxed);
        shared.asking.fetch_sub(1, Ordering::Relaxed);
        shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn no_more_are_held_than_there_are_and_who_asked_first_is_first() {
        let permits = Permits::new(1);
        let (one, other) = (permits.claim(), permits.claim());
        let (got, order) = mpsc::channel();
        thread::scope(|scope| {
            let held = one.take();
            for name in [1, 2, 3] {
                let (got, other) = (got.clone(), &other);
                scope.spawn(move || {
                    let _held = other.take();
                    got.send(name).unwrap();
                });
                while permits.0.state().line.len() < name {
                    thread::yield_now();
                }
            }
            assert_eq!((one.others(), other.others()), (3, 1));
            assert!(order.try_recv().is_err(), "one is held, and there is one");
            drop(held);
        });
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((one.others(), other.others()), (0, 0));
    }

    #[test]
    fn a_higher_limit_lets_those_in_who_wait() {
        let permits = Permits::new(0);
        let claim = permits.claim();
        thread::scope(|scope| {
            let held = claim.take();
            let waiting = scope.spawn(|| drop(claim.take()));
            while permits.0.state().line.is_empty() {
                thread::yield_now();
            }
            permits.limit(2);
            waiting.join().unwrap();
            drop(held);
        });
    }
}
