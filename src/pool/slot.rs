//! The right to have one request in flight at an endpoint.

use std::sync::Arc;

use super::EndpointState;
use super::gradient::Bounds;
use super::health::Permit;
use super::load::{PoolLoad, Share};
use crate::domain::Moment;

/// One request in flight. It is held to the end of the answer's body, and given back by being dropped.
#[derive(Debug)]
pub struct Slot {
    state: Arc<EndpointState>,
    permit: Permit,
    measure: Option<Measure>,
    // Dropped after the endpoint's own count went down, so that the endpoints' sum is never above the pool's.
    share: Option<Share>,
}

/// What a slot's time is measured for.
#[derive(Debug)]
pub(super) struct Measure {
    pub(super) load: Arc<PoolLoad>,
    pub(super) taken: Moment,
    /// The bounds of the endpoint's limit, where that follows its latency.
    pub(super) bounds: Option<Bounds>,
}

impl Slot {
    pub(super) fn new(state: Arc<EndpointState>, permit: Permit) -> Self {
        Self { state, permit, measure: None, share: None }
    }

    pub(super) fn with(self, measure: Option<Measure>, share: Option<Share>) -> Self {
        // Taking a slot apart would give it back.
        let mut slot = self;
        (slot.measure, slot.share) = (measure, share);
        slot
    }

    /// Whether the time that it is held says anything to anyone.
    pub fn is_measured(&self) -> bool {
        self.measure.is_some()
    }

    /// Notes that the endpoint has answered, whole. The first end that is noted counts.
    pub fn complete(&mut self, now: Moment) {
        let Some(Measure { load, taken, bounds }) = self.measure.take() else { return };
        let latency = now.since(taken);
        load.measured(latency);
        if let Some(bounds) = bounds {
            self.state.gradient.answered(bounds, (latency, self.state.in_flight()), now);
        }
    }

    /// Notes that the endpoint turned the request away for want of room: its time says nothing, its answer does.
    pub fn turn_away(&mut self) {
        if let Some(Measure { bounds: Some(bounds), .. }) = self.measure.take() {
            self.state.gradient.turned_away(bounds);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.state.health.give_back(self.permit);
        self.state.leave();
    }
}
