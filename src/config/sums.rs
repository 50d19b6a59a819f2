//! What all pools of a configuration take together.
//!
//! Each endpoint stands in every pool of its host, port and subset, and each pool may have a table of its own: a document of
//! a few kilobytes can ask for gigabytes.

use super::checked::Endpoint;
use super::finding::{Findings, TOO_MUCH, remark};
use super::problem::Place;
use crate::domain::{Balancing, HashTable, LoadBalancer};

/// Endpoints of all pools: those of a cluster of thousands of services, twenty times over.
const MOST_ENDPOINTS: u64 = 1_000_000;
/// Places of all hash tables: as many as 16 tables of the largest size have, and 256 of Istio's usual Maglev tables.
const MOST_PLACES: u64 = 16 << 20;

/// The sums so far.
#[derive(Debug, Default)]
pub(super) struct Sums {
    endpoints: u64,
    places: u64,
    /// Where the service stands whose pool was the first too many, as `file:line`.
    endpoints_over: Option<String>,
    places_over: Option<String>,
}

impl Sums {
    /// Whether `more` endpoints may be added; `origin` is where their service stands.
    pub(super) fn takes_endpoints(&mut self, more: usize, origin: &str) -> bool {
        self.endpoints = self.endpoints.saturating_add(more as u64);
        let over = self.endpoints > MOST_ENDPOINTS;
        if over && self.endpoints_over.is_none() {
            self.endpoints_over = Some(origin.to_owned());
        }
        !over
    }

    /// Whether the tables that `balancer` needs over `endpoints` may be added: one for each of their localities.
    pub(super) fn takes_tables(&mut self, balancer: &LoadBalancer, endpoints: &[Endpoint], origin: &str) -> bool {
        let Balancing::ConsistentHash(hash) = &balancer.balancing else { return true };
        let (HashTable::Ring(places) | HashTable::Maglev(places)) = hash.table;
        let mut localities: Vec<_> = endpoints.iter().map(|endpoint| &endpoint.locality).collect();
        localities.sort_unstable();
        localities.dedup();
        self.places = self.places.saturating_add(u64::from(places).saturating_mul(localities.len() as u64));
        let over = self.places > MOST_PLACES;
        if over && self.places_over.is_none() {
            self.places_over = Some(origin.to_owned());
        }
        !over
    }

    /// Reports what was too much.
    pub(super) fn report(&self, findings: &mut Findings) {
        if let Some(origin) = &self.endpoints_over {
            let message = format!("With this service, the pools have more than {MOST_ENDPOINTS} endpoints together.");
            let cure = "Give it fewer hosts, ports, subsets or endpoints, each of which multiplies the others.";
            findings.error(TOO_MUCH, place(origin), remark(message, cure));
        }
        if let Some(origin) = &self.places_over {
            let message = format!("With this service, hash tables have more than {MOST_PLACES} places together.");
            let cure = "Write a smaller `minimumRingSize` or `tableSize`, or hash in fewer subsets and ports.";
            findings.error(TOO_MUCH, place(origin), remark(message, cure));
        }
    }
}

/// The place that `file:line` names.
fn place(origin: &str) -> Place {
    let (file, line) = origin.rsplit_once(':').unwrap_or((origin, ""));
    Place { file: file.to_owned(), line: line.parse().unwrap_or_default(), column: 1, ..Place::default() }
}
