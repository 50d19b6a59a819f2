//! Service entries that give one port of a host different protocols (IST0177): which of them holds is chance.

use std::collections::{BTreeMap, BTreeSet};

use super::intact;
use super::service_hosts::{ALL_NAMESPACES, seers};
use crate::config::finding::{Findings, PROTOCOLS_CONFLICT, remark};
use crate::config::path::Path;
use crate::config::written::{ServiceEntry, Sourced};

/// Who sees a host, the host as written, and the number of the port.
type Key<'a> = (&'a str, &'a str, u16);

/// A port as one entry has it: the entry, and the port's place there.
type Claim<'a> = (&'a Sourced<ServiceEntry>, usize);

/// Reports each entry that shares such a port, at the first one.
pub(super) fn report(service_entries: &[Sourced<ServiceEntry>], findings: &mut Findings) {
    let claims = claims(service_entries);
    let mut reported = BTreeSet::new();
    for ((scope, host, port), claimed) in &claims {
        let everywhere = claims.get(&(ALL_NAMESPACES, *host, *port)).filter(|_| *scope != ALL_NAMESPACES);
        let together: Vec<Claim<'_>> = claimed.iter().chain(everywhere.into_iter().flatten()).copied().collect();
        let protocols: BTreeSet<String> = together.iter().map(|claim| protocol(*claim)).collect();
        if protocols.len() < 2 {
            continue;
        }
        for (source, at) in &together {
            let name = source.document.full_name();
            if !reported.insert(name.clone()) {
                continue;
            }
            let others = together.iter().map(|(other, _)| other.document.full_name()).filter(|other| *other != name);
            let others: BTreeSet<String> = others.map(|other| format!("`{other}`")).collect();
            let said = remark(
                format!(
                    "Port {port} of `{host}` speaks {}, by this ServiceEntry and {}.",
                    protocols.iter().cloned().collect::<Vec<_>>().join(" and "),
                    others.into_iter().collect::<Vec<_>>().join(", ")
                ),
                "Write one protocol in all of them, or give each its own port.",
            );
            let path = Path::spec().key("ports").index(*at).key("protocol");
            findings.warning(PROTOCOLS_CONFLICT, source.document.place(&path), said);
        }
    }
}

fn claims(service_entries: &[Sourced<ServiceEntry>]) -> BTreeMap<Key<'_>, Vec<Claim<'_>>> {
    let mut claims: BTreeMap<Key<'_>, Vec<Claim<'_>>> = BTreeMap::new();
    for source in intact(service_entries) {
        for scope in seers(&source.spec.export_to, &source.document.namespace) {
            for host in &source.spec.hosts {
                for (at, port) in source.spec.ports.iter().enumerate() {
                    claims.entry((scope, host, port.number)).or_default().push((source, at));
                }
            }
        }
    }
    claims
}

/// The protocol of a port, in capitals.
fn protocol((source, at): Claim<'_>) -> String {
    let written = &source.spec.ports[at].protocol;
    if written.is_empty() { "no protocol".to_owned() } else { written.to_ascii_uppercase() }
}
