//! Virtual services of the mesh that share a host (IST0109): of two that one client sees, the oldest has it.

use std::collections::{BTreeMap, BTreeSet};

use super::is_of_mesh;
use super::service_hosts::{ALL_NAMESPACES, full_host, seers};
use crate::config::admission::overlap;
use crate::config::finding::{Findings, HOST_TWICE, Remark, remark};
use crate::config::path::Path;
use crate::config::written::{Sourced, VirtualService};

/// A host as one virtual service has it: its place among the documents, and that of the host among its own.
type Claim = (usize, usize);

/// The claims on each host, written out, by the namespace in which they hold; `*` is all.
type Claims<'a> = BTreeMap<&'a str, BTreeMap<String, Vec<Claim>>>;

/// The hosts that one virtual service shares, and with which others.
#[derive(Default)]
struct Shared {
    hosts: BTreeSet<usize>,
    others: BTreeSet<usize>,
}

/// Reports each virtual service that shares hosts, once, at the first of them.
pub(super) fn report(virtual_services: &[Sourced<VirtualService>], findings: &mut Findings) {
    let claims = claims(virtual_services);
    let mut sharing: BTreeMap<usize, Shared> = BTreeMap::new();
    for (scope, hosts) in &claims {
        for (host, claimed) in hosts {
            let mut together = claimed.clone();
            if *scope != ALL_NAMESPACES {
                together.extend(of_all_namespaces(&claims, host));
            }
            // As istioctl counts them, a virtual service that names one host twice shares it with itself.
            for (owner, at) in together.iter().filter(|_| together.len() > 1) {
                let shared = sharing.entry(*owner).or_default();
                shared.hosts.insert(*at);
                shared.others.extend(together.iter().map(|(other, _)| *other).filter(|other| other != owner));
            }
        }
    }
    for (owner, shared) in sharing {
        let source = &virtual_services[owner];
        let first = shared.hosts.first().copied().unwrap_or_default();
        let place = source.document.place(&Path::spec().key("hosts").index(first));
        findings.tolerated(HOST_TWICE, place, twice(source, &shared, virtual_services));
    }
}

fn twice(source: &Sourced<VirtualService>, shared: &Shared, all: &[Sourced<VirtualService>]) -> Remark {
    let quoted = |names: Vec<String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let hosts = quoted(shared.hosts.iter().map(|at| source.spec.hosts[*at].clone()).collect());
    if shared.others.is_empty() {
        return remark(format!("{hosts} are one host, named twice."), "Take one of the two out.");
    }
    let others = quoted(shared.others.iter().map(|at| all[*at].document.full_name()).collect());
    let subject =
        if shared.hosts.len() == 1 { format!("The host {hosts} is") } else { format!("The hosts {hosts} are") };
    remark(
        format!("{subject} claimed by {others} as well."),
        "Move the rules of all into one VirtualService; until then the oldest has the host.",
    )
}

fn claims(virtual_services: &[Sourced<VirtualService>]) -> Claims<'_> {
    let mut claims = Claims::new();
    for (owner, Sourced { document, spec, .. }) in virtual_services.iter().enumerate() {
        if !is_of_mesh(spec) {
            continue;
        }
        for scope in seers(&spec.export_to, &document.namespace) {
            let hosts = claims.entry(scope).or_default();
            for (at, host) in spec.hosts.iter().enumerate() {
                hosts.entry(full_host(host, &document.namespace)).or_default().push((owner, at));
            }
        }
    }
    claims
}

/// The claims that hold everywhere on a host that overlaps with `host`.
fn of_all_namespaces(claims: &Claims<'_>, host: &str) -> Vec<Claim> {
    let everywhere = claims.get(ALL_NAMESPACES).into_iter().flatten();
    everywhere.filter(|(other, _)| overlap(other, host)).flat_map(|(_, claimed)| claimed.iter().copied()).collect()
}
