//! The hosts of a virtual service, read and written out.

use crate::config::catalog::{Catalog, meanings};
use crate::config::finding::{Findings, remark};
use crate::config::path::Path;
use crate::config::written::{Sourced, VirtualService};
use crate::domain::HostPattern;

/// Reads them, each once. Two spellings of one host are no fault: Istio completes short names later.
pub(super) fn read(source: &Sourced<VirtualService>, catalog: &Catalog, findings: &mut Findings) -> Vec<HostPattern> {
    let document = &source.document;
    let mut hosts = Vec::new();
    for (index, text) in source.spec.hosts.iter().enumerate() {
        let path = Path::spec().key("hosts").index(index);
        if text.is_empty() && !source.intact {
            continue;
        }
        let Some(pattern) = pattern(source, text, &path, findings) else { continue };
        let pattern = complete(pattern, &document.namespace, catalog);
        if source.spec.hosts[..index].contains(text) {
            let said =
                remark(format!("The host `{text}` stands twice in this VirtualService."), "Take one of the two out.");
            source.refuse(&path, said, findings);
        } else if !hosts.contains(&pattern) {
            hosts.push(pattern);
        }
    }
    hosts
}

fn pattern(source: &Sourced<VirtualService>, text: &str, path: &Path, findings: &mut Findings) -> Option<HostPattern> {
    match HostPattern::parse(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let said = remark(format!("`{text}` is no host: {error}."), "Write a DNS name, `*.` and a domain, or `*`.");
            source.refuse(path, said, findings);
            None
        }
    }
}

/// Writes a short name out: it is a service of the document's namespace, or a host of its own where one is known by it.
fn complete(pattern: HostPattern, namespace: &str, catalog: &Catalog) -> HostPattern {
    match &pattern {
        HostPattern::Exact(host) => {
            let known = catalog.find(host.as_str(), namespace).map(|(_, host)| host);
            let meant = known.or_else(|| meanings(host.as_str(), namespace).into_iter().next());
            meant.map_or(pattern, HostPattern::Exact)
        }
        HostPattern::Suffix(_) | HostPattern::Any => pattern,
    }
}
