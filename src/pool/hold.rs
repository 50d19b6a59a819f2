//! Where requests wait for the first endpoint of a pool that has none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::domain::Hold;

/// The requests that wait, counted over every worker and every snapshot.
#[derive(Debug, Default)]
pub struct HoldState {
    requests: AtomicU32,
    bytes: AtomicU64,
    waiting: AtomicU32,
}

impl HoldState {
    /// Requests that wait now for an endpoint, and neither in a queue nor for an answer.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// One request's place in a waiting room, given back by being dropped.
#[derive(Debug)]
pub struct Holding {
    state: Arc<HoldState>,
    bytes: u64,
    waits: bool,
}

impl Holding {
    /// Takes a place for a request with a body of `bytes`, unless that is more than `hold` has room for.
    pub fn take(state: &Arc<HoldState>, hold: &Hold, bytes: u64) -> Option<Self> {
        let below = |count| (count < hold.max_requests.get()).then_some(count + 1);
        state.requests.fetch_update(Ordering::AcqRel, Ordering::Relaxed, below).ok()?;
        let fits = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= hold.max_bytes);
        if state.bytes.fetch_update(Ordering::AcqRel, Ordering::Relaxed, fits).is_err() {
            state.requests.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        state.waiting.fetch_add(1, Ordering::AcqRel);
        Some(Self { state: Arc::clone(state), bytes, waits: true })
    }

    /// It is in a queue or on its way to an endpoint, and counted there; its place is kept until it is served.
    pub fn goes_on(&mut self) {
        if std::mem::replace(&mut self.waits, false) {
            self.state.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// It was in vain.
    pub fn comes_back(&mut self) {
        if !std::mem::replace(&mut self.waits, true) {
            self.state.waiting.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.goes_on();
        self.state.requests.fetch_sub(1, Ordering::AcqRel);
        self.state.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_and_bytes_are_bounded_and_given_back() {
        let state = Arc::default();
        let hold =
            Hold { max_requests: NonZeroU32::new(2).expect("2"), max_bytes: 100, timeout: Duration::from_secs(1) };
        let one = Holding::take(&state, &hold, 60).expect("room");
        assert!(Holding::take(&state, &hold, 41).is_none(), "too many bytes");
        let _two = Holding::take(&state, &hold, 40).expect("room");
        assert!(Holding::take(&state, &hold, 0).is_none(), "too many requests");
        drop(one);
        assert_eq!(state.waiting(), 1);
        let mut again = Holding::take(&state, &hold, 60).expect("room");
        again.goes_on();
        assert_eq!(state.waiting(), 1, "who is being served does not wait");
        assert!(Holding::take(&state, &hold, 0).is_none(), "its place is kept");
        again.comes_back();
        assert_eq!(state.waiting(), 2);
        again.goes_on();
        drop(again);
        assert_eq!(state.waiting(), 1);
    }
}
