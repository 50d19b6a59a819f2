//! The documents as written, by kind, each held against its table and against Istio's rules.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::kubernetes::{EndpointSlice, Pod, Service};
use super::{DestinationRule, Gateway, PoolPolicy, RoutePolicy, ServiceEntry, Settings, VirtualService};
use crate::config::admission;
use crate::config::document::{Document, Documents, Kind};
use crate::config::finding::{Findings, Remark, SCHEMA, TWICE, remark};
use crate::config::path::Path;
use crate::config::schema::{
    DESTINATION_RULE, GATEWAY, METADATA, POOL_POLICY, ROUTE_POLICY, SERVICE_ENTRY, SETTINGS, Table, VIRTUAL_SERVICE,
    Walked, report_unknown, walk, walk_metadata,
};
use crate::config::unexecuted::NO_FORM;

/// A document and what it says.
#[derive(Debug)]
pub(in crate::config) struct Sourced<T> {
    pub(in crate::config) document: Document,
    pub(in crate::config) spec: T,
    /// Whether the schema walk took nothing out: only then is something absent absent on purpose.
    pub(in crate::config) intact: bool,
    /// Whether Istio's API server and webhook take it: where they do not, everything wrong with it has been said.
    pub(in crate::config) admitted: bool,
}

impl<T> Sourced<T> {
    /// Reports what Istio takes and the router cannot do.
    pub(in crate::config) fn refuse(&self, path: &Path, remark: Remark, findings: &mut Findings) {
        if self.admitted {
            findings.not_executed(&NO_FORM, self.document.place(path), remark);
        }
    }
}

/// Every document by kind; of a kind that others refer to, in the order in which Istio lets older ones win.
#[derive(Debug, Default)]
pub(in crate::config) struct Written {
    pub(in crate::config) virtual_services: Vec<Sourced<VirtualService>>,
    pub(in crate::config) destination_rules: Vec<Sourced<DestinationRule>>,
    pub(in crate::config) service_entries: Vec<Sourced<ServiceEntry>>,
    pub(in crate::config) services: Vec<Sourced<Service>>,
    pub(in crate::config) endpoint_slices: Vec<Sourced<EndpointSlice>>,
    pub(in crate::config) pods: Vec<Sourced<Pod>>,
    pub(in crate::config) gateways: Vec<Sourced<Gateway>>,
    pub(in crate::config) settings: Vec<Sourced<Settings>>,
    pub(in crate::config) policies: Vec<Sourced<PoolPolicy>>,
    pub(in crate::config) route_policies: Vec<Sourced<RoutePolicy>>,
    /// Those of kinds that are passed over, for others to refer to.
    pub(in crate::config) passed_over: Vec<Document>,
    /// Whether some document could not be read, so that whatever is missing may stand there.
    pub(in crate::config) unreadable: bool,
    /// Whether a service may stand in a document that could not be read whole.
    pub(in crate::config) services_unknown: bool,
    /// Whether a subset may.
    pub(in crate::config) subsets_unknown: bool,
}

/// Walks every document against its table and sorts them by kind.
pub(in crate::config) fn sort(documents: Documents, findings: &mut Findings) -> Written {
    let mut written = Written {
        unreadable: documents.unreadable,
        services_unknown: documents.unreadable,
        subsets_unknown: documents.unreadable,
        ..Written::default()
    };
    for document in unique(documents.read, findings) {
        match document.kind {
            Kind::VirtualService => written.virtual_services.push(sourced(document, &VIRTUAL_SERVICE, findings)),
            Kind::DestinationRule => written.destination_rules.push(sourced(document, &DESTINATION_RULE, findings)),
            Kind::ServiceEntry => written.service_entries.push(sourced(document, &SERVICE_ENTRY, findings)),
            Kind::Service => {
                report_unknown(&document, findings);
                written.services.push(unwalked(document, findings));
            }
            Kind::EndpointSlice => written.endpoint_slices.push(unwalked(document, findings)),
            Kind::Pod => written.pods.push(unwalked(document, findings)),
            Kind::Gateway => written.gateways.push(sourced(document, &GATEWAY, findings)),
            Kind::Settings => written.settings.push(sourced(document, &SETTINGS, findings)),
            Kind::PoolPolicy => written.policies.push(sourced(document, &POOL_POLICY, findings)),
            Kind::RoutePolicy => written.route_policies.push(sourced(document, &ROUTE_POLICY, findings)),
            Kind::Secret | Kind::Node | Kind::RequestAuthentication => written.passed_over.push(document),
        }
    }
    written.services_unknown |= written.service_entries.iter().any(|entry| !entry.intact)
        || written.services.iter().any(|service| !service.intact);
    written.subsets_unknown |= written.destination_rules.iter().any(|rule| !rule.intact);
    written
}

/// Reports what is wrong with one document by itself.
pub(in crate::config) fn judge(document: &Document, findings: &mut Findings) {
    let table = match document.kind {
        Kind::VirtualService => &VIRTUAL_SERVICE,
        Kind::DestinationRule => &DESTINATION_RULE,
        Kind::ServiceEntry => &SERVICE_ENTRY,
        Kind::Gateway => &GATEWAY,
        Kind::Settings => &SETTINGS,
        Kind::PoolPolicy => &POOL_POLICY,
        Kind::RoutePolicy => &ROUTE_POLICY,
        Kind::Service => return report_unknown(document, findings),
        // Kubernetes' own are the API server's to check, as are those that are passed over.
        Kind::EndpointSlice | Kind::Pod | Kind::Secret | Kind::Node | Kind::RequestAuthentication => return,
    };
    admit(document, table, findings);
}

/// Holds a document against its table and the rules of the webhook; says what is left of it, and whether it is admitted.
fn admit(document: &Document, table: &'static Table, findings: &mut Findings) -> (Walked, bool) {
    let mut faults = walk_metadata(document, &METADATA, findings);
    let walked = walk(document, table, findings);
    faults.extend(walked.faults.iter().cloned());
    let admitted = admission::judge(document, &faults, findings);
    (walked, admitted)
}

fn sourced<T: DeserializeOwned + Default>(
    document: Document,
    table: &'static Table,
    findings: &mut Findings,
) -> Sourced<T> {
    let (walked, admitted) = admit(&document, table, findings);
    if walked.spec.is_null() {
        return Sourced { document, spec: T::default(), intact: false, admitted: false };
    }
    match serde_yaml::from_value(walked.spec) {
        Ok(spec) => Sourced { document, spec, intact: walked.intact, admitted },
        Err(error) => {
            let place = document.place(&Path::spec());
            let said = remark(format!("The `spec` cannot be read: {error}."), "Correct the value named.");
            findings.error(document.schema_code(), place, said);
            Sourced { document, spec: T::default(), intact: false, admitted: false }
        }
    }
}

/// Reads a document of Kubernetes' own, whole: what it holds beyond what is needed is the API server's to check.
fn unwalked<T: DeserializeOwned + Default>(document: Document, findings: &mut Findings) -> Sourced<T> {
    let read = serde_yaml::from_value(document.root.to_yaml());
    let intact = read.is_ok();
    let spec = read.unwrap_or_else(|error| {
        let said =
            remark(format!("The {} cannot be read: {error}.", document.kind.as_str()), "Correct the value named.");
        findings.error(SCHEMA, document.place(&Path::root()), said);
        T::default()
    });
    Sourced { document, spec, intact, admitted: intact }
}

/// Reports the later of two documents of one kind and name, and orders them as Istio does: by age, then by name.
fn unique(mut documents: Vec<Document>, findings: &mut Findings) -> Vec<Document> {
    let mut seen: BTreeMap<(Kind, String), String> = BTreeMap::new();
    documents.retain(|document| {
        if document.kind.is_passed_over() {
            return true;
        }
        let key = (document.kind, document.full_name());
        let Some(first) = seen.get(&key) else {
            seen.insert(key, document.origin(&Path::root()));
            return true;
        };
        let said = remark(
            format!("The {} `{}` stands at {first} already.", document.kind.as_str(), document.full_name()),
            "Rename one of the two, or take it out.",
        );
        findings.error(TWICE, document.place(&Path::root().key("metadata").key("name")), said);
        false
    });
    // Documents without an age keep the order of their names behind those that have one.
    documents.sort_by_cached_key(|document| {
        (document.created.is_empty(), document.created.clone(), document.name.clone(), document.namespace.clone())
    });
    documents
}
