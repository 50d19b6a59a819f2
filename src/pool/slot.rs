//! The right to have one request in flight at an endpoint.

use std::sync::Arc;

use super::EndpointState;
use super::health::Permit;

/// One request in flight. It is held to the end of the answer's body, and given back by being dropped.
#[derive(Debug)]
pub struct Slot {
    state: Arc<EndpointState>,
    permit: Permit,
}

impl Slot {
    pub(super) fn new(state: Arc<EndpointState>, permit: Permit) -> Self {
        Self { state, permit }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.state.health.give_back(self.permit);
        self.state.leave();
    }
}
