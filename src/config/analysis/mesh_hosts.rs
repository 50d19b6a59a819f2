//! Virtual services of the mesh that share a host (IST0109): of two that one client sees, the oldest has it.

use std::collections::{BTreeMap, BTreeSet};

use super::is_of_mesh;
use super::service_hosts::{full_host, scopes};
use crate::config::admission::overlap;
use crate::config::finding::{Findings, HOST_TWICE, remark};
use crate::config::path::Path;
use crate::config::written::{Sourced, VirtualService};

const ALL_NAMESPACES: &str = "*";

/// A host as one virtual service has it: its place among the documents, and that of the host among its own.
type Claim = (usize, usize);

/// The claims on each host, written out, by the namespace in which they hold; `*` is all.
type Claims<'a> = BTreeMap<&'a str, BTreeMap<String, Vec<Claim>>>;

/// Reports each host, of each virtual service that shares it.
pub(super) fn report(virtual_services: &[Sourced<VirtualService>], findings: &mut Findings) {
    let claims = claims(virtual_services);
    let mut conflicts: BTreeMap<Claim, BTreeSet<usize>> = BTreeMap::new();
    for (scope, hosts) in &claims {
        for (host, claimed) in hosts {
            let mut together = claimed.clone();
            if *scope != ALL_NAMESPACES {
                together.extend(of_all_namespaces(&claims, host));
            }
            for claim in &together {
                let others = together.iter().map(|(owner, _)| *owner).filter(|owner| *owner != claim.0);
                conflicts.entry(*claim).or_default().extend(others);
            }
        }
    }
    for ((owner, at), others) in conflicts.iter().filter(|(_, others)| !others.is_empty()) {
        let source = &virtual_services[*owner];
        let name = |other: &usize| format!("`{}`", virtual_services[*other].document.full_name());
        let others: Vec<String> = others.iter().map(name).collect();
        let said = remark(
            format!("The host `{}` is claimed by {} as well.", source.spec.hosts[*at], others.join(", ")),
            "Move the rules of all into one VirtualService; until then the oldest has the host.",
        );
        findings.error(HOST_TWICE, source.document.place(&Path::spec().key("hosts").index(*at)), said);
    }
}

fn claims(virtual_services: &[Sourced<VirtualService>]) -> Claims<'_> {
    let mut claims = Claims::new();
    for (owner, Sourced { document, spec, .. }) in virtual_services.iter().enumerate() {
        if !is_of_mesh(spec) {
            continue;
        }
        let to_all = spec.export_to.is_empty() || spec.export_to.iter().any(|to| to == ALL_NAMESPACES);
        let scopes: BTreeSet<&str> =
            if to_all { [ALL_NAMESPACES].into() } else { scopes(&spec.export_to, &document.namespace).collect() };
        for scope in scopes {
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
