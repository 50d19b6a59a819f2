//! What all hosts and pools of a configuration take together.
//!
//! Each endpoint and port of a document is each of its hosts', an endpoint stands in every pool of its host, port and subset,
//! and each pool may have a table of its own: a document of a few kilobytes can ask for gigabytes.

use super::checked::Endpoint;
use super::finding::{Findings, TOO_MUCH, remark};
use super::problem::Place;
use crate::domain::{Balancing, HashTable, LoadBalancer};

/// Endpoints of all hosts, and of all pools: those of a cluster of thousands of services, five times over.
const MOST_ENDPOINTS: u64 = 250_000;
/// Ports of all hosts of `ServiceEntry` documents, and pools: those of a cluster of thousands of services with four each.
const MOST_PORTS: u64 = 20_000;
/// Places of all hash tables: as many as 8 tables of the largest size have, and 128 of Istio's usual Maglev tables.
const MOST_PLACES: u64 = 8 << 20;

/// The sums so far.
#[derive(Debug, Default)]
pub(super) struct Sums {
    endpoints: Sum,
    ports: Sum,
    pools: Sum,
    places: Sum,
}

/// One of them.
#[derive(Debug, Default)]
struct Sum {
    count: u64,
    /// Where the service stands that was the first too many, as `file:line`.
    over: Option<String>,
}

impl Sum {
    /// Adds what the service at `origin` takes; whether that is no more than `most` yet.
    fn takes(&mut self, more: u64, most: u64, origin: &str) -> bool {
        self.count = self.count.saturating_add(more);
        let over = self.count > most;
        if over && self.over.is_none() {
            self.over = Some(origin.to_owned());
        }
        !over
    }
}

impl Sums {
    /// Whether `more` endpoints may be added; `origin` is where their service stands.
    pub(super) fn takes_endpoints(&mut self, more: usize, origin: &str) -> bool {
        self.endpoints.takes(more as u64, MOST_ENDPOINTS, origin)
    }

    /// Whether a host with so many ports may be added.
    pub(super) fn takes_ports(&mut self, more: usize, origin: &str) -> bool {
        self.ports.takes(more as u64, MOST_PORTS, origin)
    }

    /// Whether a pool may be added.
    pub(super) fn takes_pool(&mut self, origin: &str) -> bool {
        self.pools.takes(1, MOST_PORTS, origin)
    }

    /// Whether the tables that `balancer` needs over `endpoints` may be added: one for each of their localities.
    pub(super) fn takes_tables(&mut self, balancer: &LoadBalancer, endpoints: &[Endpoint], origin: &str) -> bool {
        let Balancing::ConsistentHash(hash) = &balancer.balancing else { return true };
        let (HashTable::Ring(places) | HashTable::Maglev(places)) = hash.table;
        let mut localities: Vec<_> = endpoints.iter().map(|endpoint| &endpoint.locality).collect();
        localities.sort_unstable();
        localities.dedup();
        self.places.takes(u64::from(places).saturating_mul(localities.len() as u64), MOST_PLACES, origin)
    }

    /// Whether anything was too much.
    pub(super) fn is_over(&self) -> bool {
        [&self.endpoints, &self.ports, &self.pools, &self.places].iter().any(|sum| sum.over.is_some())
    }

    /// Reports what was too much.
    pub(super) fn report(&self, findings: &mut Findings) {
        let multiplied = "Give it fewer hosts, ports, subsets or endpoints, each of which multiplies the others.";
        let said = [
            (&self.endpoints, "the hosts and pools have", MOST_ENDPOINTS, "endpoints", multiplied),
            (&self.ports, "the hosts have", MOST_PORTS, "ports", multiplied),
            (&self.pools, "there are", MOST_PORTS, "pools", multiplied),
            (
                &self.places,
                "hash tables have",
                MOST_PLACES,
                "places",
                "Write a smaller `minimumRingSize` or `tableSize`, or hash in fewer subsets and ports.",
            ),
        ];
        for (sum, who, most, what, cure) in said {
            if let Some(origin) = &sum.over {
                let message = format!("With this service, {who} more than {most} {what} together.");
                findings.error(TOO_MUCH, place(origin), remark(message, cure));
            }
        }
    }
}

/// The place that `file:line` names.
fn place(origin: &str) -> Place {
    let (file, line) = origin.rsplit_once(':').unwrap_or((origin, ""));
    Place { file: file.to_owned(), line: line.parse().unwrap_or_default(), column: 1, ..Place::default() }
}
