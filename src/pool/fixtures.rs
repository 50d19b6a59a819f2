//! Endpoints for the tests of this module and its parts.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::Endpoint;
use crate::domain::Address;

/// Endpoints on the ports from 1, with these weights.
pub(super) fn endpoints(weights: &[u32]) -> Vec<Endpoint> {
    let endpoint = |(port, weight): (u16, &u32)| {
        let socket = ([10, 0, 0, 1], port).into();
        let address = Address::Socket(socket);
        Endpoint {
            name: address.to_string().into(),
            address,
            socket: Some(socket),
            weight: NonZeroU32::new(*weight).expect("a weight over zero"),
            labels: Arc::default(),
            state: Arc::default(),
        }
    };
    (1..).zip(weights).map(endpoint).collect()
}
