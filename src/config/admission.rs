//! What Istio's webhook admits: rules over one document by itself, after its schema has been checked.
//!
//! Facts: Istio's validation package, read in July 2026. Never looks at another document, and never asks whether the
//! router executes what is written.

mod client_tls;
mod cors;
mod destination_rule;
mod fault;
mod gateway;
mod header;
mod http_answer;
mod http_match;
mod http_route;
mod judge;
mod load_balancer;
mod metadata;
mod names;
mod protocol;
mod references;
mod retries;
mod server_tls;
mod service_entry;
mod spot;
mod streams;
mod string_match;
mod traffic_policy;
mod virtual_service;
mod workload;

use super::document::{Document, Kind};
use super::finding::Findings;
use super::path::Path;
pub(super) use header::is_claim;
use judge::Judge;
pub(super) use names::overlap;
pub(super) use protocol::Protocol;
pub(super) use spot::Spot;

/// Judges `document`, in whose `spec` the schema has found `faults`; says whether it is admitted.
pub(super) fn judge(document: &Document, faults: &[Path], findings: &mut Findings) -> bool {
    let spec = Spot::root(document).at("spec");
    let mut judge = Judge::new(document, faults, findings);
    metadata::judge(&mut judge, &Spot::root(document).at("metadata"));
    match document.kind {
        Kind::Gateway => gateway::judge(&mut judge, &spec),
        Kind::VirtualService => virtual_service::judge(&mut judge, &spec),
        Kind::DestinationRule => destination_rule::judge(&mut judge, &spec),
        Kind::ServiceEntry => service_entry::judge(&mut judge, &spec),
        _ => {}
    }
    judge.admits()
}
