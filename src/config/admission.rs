//! What Istio's webhook admits: rules over one document by itself, after its schema has been checked.
//!
//! Facts: Istio's validation package, read in July 2026. Never looks at another document, and never asks whether the
//! router executes what is written.

mod gateway;
mod judge;
mod names;
mod protocol;
mod references;
mod server_tls;
mod spot;
mod streams;

use super::document::{Document, Kind};
use super::finding::Findings;
use super::path::Path;
use judge::Judge;
use spot::Spot;

/// Judges `document`, in whose `spec` the schema has found `faults`.
pub(super) fn judge(document: &Document, faults: &[Path], findings: &mut Findings) {
    let spec = Spot::root(document).at("spec");
    let mut judge = Judge::new(document, faults, findings);
    match document.kind {
        Kind::Gateway => gateway::judge(&mut judge, &spec),
        Kind::VirtualService => streams::judge(&mut judge, &spec),
        _ => {}
    }
}
