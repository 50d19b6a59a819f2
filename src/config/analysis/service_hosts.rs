//! The hosts of services by who sees them, looked up as `istioctl analyze` looks them up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::admission::Spot;
use crate::config::catalog::{CLUSTER_DOMAIN, of_endpoint};
use crate::config::written::Written;

/// The annotation by which a `Service` is exported, as `exportTo` does for Istio's kinds.
const EXPORT_TO: &str = "networking.istio.io/exportTo";
/// The scope of what every namespace sees.
pub(super) const ALL_NAMESPACES: &str = "*";

/// Every host of a service, with the namespaces that it is exported to.
pub(super) struct ServiceHosts {
    /// By the namespace that sees it, `*` for all, and by the host written out.
    listed: BTreeMap<(String, String), Listed>,
    /// The keys of hosts that begin with `*`.
    wildcards: Vec<(String, String)>,
}

/// What the documents of one host say together.
#[derive(Default)]
pub(super) struct Listed {
    /// Its ports, whatever they speak.
    pub(super) ports: BTreeSet<i64>,
    /// The labels by which it selects its workloads, where it does not list them.
    pub(super) selector: BTreeMap<String, String>,
    /// The labels of each endpoint that a `ServiceEntry` lists, by document.
    pub(super) endpoints: Vec<Arc<[BTreeMap<String, String>]>>,
}

/// What one document says of its hosts.
type Said<'a> = (&'a BTreeSet<i64>, &'a BTreeMap<String, String>, Option<&'a Arc<[BTreeMap<String, String>]>>);

impl ServiceHosts {
    /// Those of every `ServiceEntry` and `Service`.
    pub(super) fn of(written: &Written) -> Self {
        let mut hosts = Self { listed: BTreeMap::new(), wildcards: Vec::new() };
        for source in &written.service_entries {
            let (spec, namespace) = (Spot::root(&source.document).at("spec"), &source.document.namespace);
            let selector = labels(&spec.at("workloadSelector").at("labels"));
            let ports: BTreeSet<i64> = spec.at("ports").items().map(|port| port.at("number").int()).collect();
            let endpoints: Arc<[_]> = source.spec.endpoints.iter().map(|endpoint| of_endpoint(endpoint).0).collect();
            for host in &source.spec.hosts {
                let said = (&ports, &selector, Some(&endpoints));
                hosts.add(&full_host(host, namespace), namespace, &source.spec.export_to, said);
            }
        }
        for source in &written.services {
            let (root, namespace) = (Spot::root(&source.document), &source.document.namespace);
            let annotation = root.at("metadata").at("annotations").at(EXPORT_TO);
            let listed = annotation.text().split(',').filter(|namespace| !namespace.is_empty());
            let export_to: Vec<String> = listed.map(|namespace| namespace.trim().to_owned()).collect();
            let ports = root.at("spec").at("ports").items().map(|port| port.at("port").int()).collect();
            let host = full_host(&source.document.name, namespace);
            hosts.add(&host, namespace, &export_to, (&ports, &BTreeMap::new(), None));
        }
        hosts.wildcards = hosts.listed.keys().filter(|(_, host)| host.starts_with('*')).cloned().collect();
        hosts
    }

    fn add(&mut self, host: &str, namespace: &str, export_to: &[String], (ports, selector, endpoints): Said<'_>) {
        for scope in seers(export_to, namespace) {
            let listed = self.listed.entry((scope.to_owned(), host.to_owned())).or_default();
            listed.ports.extend(ports);
            listed.selector.extend(selector.clone());
            listed.endpoints.extend(endpoints.cloned());
        }
    }

    /// The service that `host` means in a document of `namespace` that is exported to `export_to`: one that all see, else
    /// one that those see whom the document is for, else one of a wildcard.
    pub(super) fn find(&self, host: &str, namespace: &str, export_to: &[String]) -> Option<&Listed> {
        let full = full_host(host, namespace);
        let own: Vec<&str> =
            if export_to.is_empty() { vec![namespace] } else { scopes(export_to, namespace).collect() };
        let seen = std::iter::once(ALL_NAMESPACES).chain(own);
        let found = seen.into_iter().find_map(|scope| self.listed.get(&(scope.to_owned(), full.clone())));
        found.or_else(|| {
            let bare = host.strip_prefix('*').unwrap_or(host);
            let is_meant = |(scope, wildcard): &&(String, String)| {
                (scope == ALL_NAMESPACES || scope == namespace) && bare.ends_with(&wildcard[1..])
            };
            // istioctl takes any that matches; the longest is the one that a request is sent to.
            let longest = self.wildcards.iter().filter(is_meant).max_by_key(|(_, wildcard)| wildcard.len());
            longest.and_then(|key| self.listed.get(key))
        })
    }
}

/// The namespaces of an `exportTo`, the document's own written out.
fn scopes<'a>(export_to: &'a [String], own: &'a str) -> impl Iterator<Item = &'a str> {
    export_to.iter().map(move |to| if to == "." { own } else { to.as_str() })
}

/// The namespaces that see what is exported so, or [`ALL_NAMESPACES`] alone.
pub(super) fn seers<'a>(export_to: &'a [String], own: &'a str) -> BTreeSet<&'a str> {
    let to_all = export_to.is_empty() || export_to.iter().any(|to| to == ALL_NAMESPACES);
    if to_all { [ALL_NAMESPACES].into() } else { scopes(export_to, own).collect() }
}

/// A host as Istio writes it out: a name without a dot is a service of the document's namespace.
pub(super) fn full_host(host: &str, namespace: &str) -> String {
    let is_short = !host.contains('.') && !host.starts_with('*');
    let full = if is_short { format!("{host}.{namespace}.{CLUSTER_DOMAIN}") } else { host.to_owned() };
    full.to_ascii_lowercase()
}

/// The labels at a place.
pub(super) fn labels(spot: &Spot<'_>) -> BTreeMap<String, String> {
    spot.entries().map(|(key, value)| (key.to_owned(), value.text().to_owned())).collect()
}
