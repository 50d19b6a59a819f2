//! What documents say of each other, judged as `istioctl analyze` judges it.
//!
//! Facts: Istio's analyzers and the warnings of its validation, read in July 2026. What istioctl calls information is a
//! warning here. Left out is what only a cluster knows: namespaces, deployments, and pods and secrets where no document is of
//! one. Nothing here decides where a request goes.

mod addresses;
mod certificates;
mod claims;
mod delegates;
mod deprecated;
mod destinations;
mod gateway_conflicts;
mod gateway_pods;
mod gateway_ports;
mod gateways;
mod ingress;
mod mesh_hosts;
mod pods;
mod port_names;
mod protocols;
mod reach;
mod service_hosts;
mod subsets;
mod unverified;

use super::catalog::Catalog;
use super::finding::Findings;
use super::viewpoint::Viewpoint;
use super::written::{Sourced, VirtualService, Written};
use pods::Pods;
use service_hosts::ServiceHosts;

/// Reports what is wrong between the documents. `catalog` is what the router makes of their services, `viewpoint` what it
/// serves.
pub(super) fn report(written: &Written, catalog: &Catalog, viewpoint: &Viewpoint, findings: &mut Findings) {
    let hosts = ServiceHosts::of(written);
    let pods = Pods::of(written);
    for source in &written.virtual_services {
        gateways::report(source, &written.gateways, findings);
    }
    for source in intact(&written.virtual_services) {
        reach::report(source, findings);
        deprecated::report(source, findings);
    }
    destinations::report((written, &hosts), catalog, viewpoint, findings);
    claims::report(written, &pods, findings);
    ingress::report(&written.virtual_services, findings);
    delegates::report(&written.virtual_services, findings);
    mesh_hosts::report(&written.virtual_services, findings);
    for source in &written.destination_rules {
        subsets::report(source, (written, &hosts), &pods, catalog, findings);
    }
    for source in intact(&written.destination_rules) {
        unverified::report(source, findings);
    }
    gateway_conflicts::report(written, findings);
    gateway_ports::report(written, &pods, findings);
    gateway_pods::report(written, &pods, findings);
    certificates::report(&written.gateways, findings);
    protocols::report(&written.service_entries, findings);
    for source in intact(&written.service_entries) {
        addresses::report(source, findings);
    }
    for source in intact(&written.services) {
        port_names::report(source, findings);
    }
}

/// The documents of which the schema has left nothing out: of others, what is absent may be what is wrong.
fn intact<T>(sources: &[Sourced<T>]) -> impl Iterator<Item = &Sourced<T>> {
    sources.iter().filter(|source| source.intact)
}

/// `namespace/name` of what a document of `namespace` names, as istioctl reads it: a name without a slash is of its own.
fn namespaced(name: &str, namespace: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("{namespace}/{name}") }
}

/// Whether requests of the mesh are among those that the document is for.
fn is_of_mesh(spec: &VirtualService) -> bool {
    spec.gateways.is_empty() || spec.gateways.iter().any(|gateway| gateway == "mesh")
}
