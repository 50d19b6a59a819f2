//! Which virtual service answers for which host.

use std::collections::BTreeMap;

use super::no_hosts;
use crate::config::catalog::{Catalog, aliases, meanings};
use crate::config::document::Document;
use crate::config::finding::{DIVERTING, Findings, HOST_TWICE, INERT, remark};
use crate::config::path::Path;
use crate::config::written::{Sourced, VirtualService};
use crate::domain::{Host, HostPattern};

/// The hosts of every virtual service, each claimed once.
pub(super) struct Claims {
    /// The patterns of each document, in the documents' order.
    pub(super) hosts: Vec<Vec<HostPattern>>,
    owners: BTreeMap<HostPattern, usize>,
}

impl Claims {
    pub(super) fn of(
        documents: &[Sourced<VirtualService>],
        catalog: &Catalog,
        workload_namespace: &str,
        findings: &mut Findings,
    ) -> Self {
        let mut claims = Self { hosts: vec![Vec::new(); documents.len()], owners: BTreeMap::new() };
        for (at, source) in documents.iter().enumerate() {
            if source.spec.hosts.is_empty() && source.intact {
                no_hosts(source, findings);
            }
            for (index, text) in source.spec.hosts.iter().enumerate() {
                let path = Path::spec().key("hosts").index(index);
                if text.is_empty() && !source.intact {
                    continue;
                }
                let Some(pattern) = pattern(&source.document, text, &path, findings) else { continue };
                let pattern = complete(pattern, &source.document.namespace, catalog);
                match claims.owners.get(&pattern) {
                    None => claims.claim(pattern, at),
                    // Two spellings of one host in one document are no fault: Istio completes short names later.
                    Some(owner) if *owner == at && !source.spec.hosts[..index].contains(text) => {}
                    Some(owner) => twice(&documents[*owner], source, &pattern, &path, findings),
                }
            }
        }
        claims.add_aliases(documents, workload_namespace);
        claims
    }

    /// Whether requests to `host` are a virtual service's, by name or by wildcard.
    pub(super) fn covers(&self, host: &Host) -> bool {
        self.owners.keys().any(|pattern| pattern.matches(host.as_str()))
    }

    /// Whether exactly `pattern` is claimed.
    pub(super) fn takes(&self, pattern: &HostPattern) -> bool {
        self.owners.contains_key(pattern)
    }

    fn claim(&mut self, pattern: HostPattern, at: usize) {
        self.hosts[at].push(pattern.clone());
        self.owners.insert(pattern, at);
    }

    /// The other names of each host, where no document names them itself.
    fn add_aliases(&mut self, documents: &[Sourced<VirtualService>], workload_namespace: &str) {
        for at in 0..documents.len() {
            let named = self.hosts[at].clone();
            let exact = named
                .iter()
                .filter_map(|pattern| if let HostPattern::Exact(host) = pattern { Some(host) } else { None });
            for alias in exact.flat_map(|host| aliases(host, workload_namespace)).map(HostPattern::Exact) {
                if !self.takes(&alias) {
                    self.claim(alias, at);
                }
            }
        }
    }
}

fn pattern(document: &Document, text: &str, path: &Path, findings: &mut Findings) -> Option<HostPattern> {
    match HostPattern::parse(text) {
        Ok(pattern) => {
            if pattern == HostPattern::Any && !document.has(&Path::spec().key("gateways")) {
                let said = remark(
                    "Istio refuses the host `*` in the mesh, which a VirtualService without `gateways` is for.",
                    "Name the hosts meant; here it answers for every host that nothing else does.",
                );
                findings.warning(INERT, document.place(path), said);
            }
            Some(pattern)
        }
        Err(error) => {
            let said = remark(format!("`{text}` is no host: {error}."), "Write a DNS name, `*.` and a domain, or `*`.");
            findings.error(document.schema_code(), document.place(path), said);
            None
        }
    }
}

/// Writes a short name out: it is a service of the document's namespace, or a host of its own where one is known by it.
fn complete(pattern: HostPattern, namespace: &str, catalog: &Catalog) -> HostPattern {
    match &pattern {
        HostPattern::Exact(host) => {
            let known = catalog.find(host.as_str(), namespace).map(|service| service.host.clone());
            let meant = known.or_else(|| meanings(host.as_str(), namespace).into_iter().next());
            meant.map_or(pattern, HostPattern::Exact)
        }
        HostPattern::Suffix(_) | HostPattern::Any => pattern,
    }
}

/// Reports the second claim on a host. Virtual services of different gateways may share one; all are served as one here.
fn twice(
    first: &Sourced<VirtualService>,
    second: &Sourced<VirtualService>,
    pattern: &HostPattern,
    path: &Path,
    findings: &mut Findings,
) {
    let (owner, place) = (first.document.full_name(), second.document.place(path));
    let itself = std::ptr::eq(first, second);
    let shared = gateways(first).iter().any(|gateway| gateways(second).contains(gateway));
    let message = if itself {
        format!("The host `{pattern}` stands twice in this VirtualService.")
    } else {
        format!("The host `{pattern}` is claimed by the VirtualService `{owner}` already.")
    };
    let (code, cure) = match (itself, shared) {
        (true, _) => (second.document.schema_code(), "Take one of the two out."),
        (false, true) => (HOST_TWICE, "Move the rules of both into one VirtualService."),
        (false, false) => (DIVERTING, "Gateways are not executed yet: keep one of the two away from this router."),
    };
    findings.error(code, place, remark(message, cure));
}

fn gateways(source: &Sourced<VirtualService>) -> Vec<&str> {
    if source.spec.gateways.is_empty() {
        vec!["mesh"]
    } else {
        source.spec.gateways.iter().map(String::as_str).collect()
    }
}
