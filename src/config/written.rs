//! Documents as written: the fields that are executed, one to one, after the schema walk has taken out what is wrong.

mod actions;
mod gateway;
pub(super) mod kubernetes;
mod own;
mod traffic;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(super) use actions::{
    CorsPolicy, HeaderOperations, Headers, HttpBody, HttpDirectResponse, HttpFault, HttpFaultAbort, HttpFaultDelay,
    HttpRedirect, HttpRewrite, Percent, RegexRewrite,
};

pub(super) use gateway::{Gateway, Server as GatewayServer, ServerTls as GatewayTls};

use super::admission;
use super::document::{Document, Documents, Kind};
use super::finding::{DIVERTING, Findings, Remark, SCHEMA, TWICE, remark};
use super::path::Path;
use super::schema::{
    DESTINATION_RULE, GATEWAY, METADATA, POOL_POLICY, SERVICE_ENTRY, SETTINGS, Table, VIRTUAL_SERVICE, Walked, walk,
    walk_metadata,
};
use own::{NameServers, OwnWorkload};
pub(super) use traffic::{
    ClientTls, ConnectionPool, ConsistentHash, Distribute, HttpCookie, LoadBalancer, LocalityLbSetting,
    OutlierDetection, PortTrafficPolicy, RegionFailover, TrafficPolicy,
};

/// A `VirtualService`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct VirtualService {
    pub(super) hosts: Vec<String>,
    pub(super) gateways: Vec<String>,
    pub(super) export_to: Vec<String>,
    pub(super) http: Vec<HttpRoute>,
}

/// `HTTPRoute`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HttpRoute {
    pub(super) name: Option<String>,
    #[serde(rename = "match")]
    pub(super) matches: Vec<HttpMatchRequest>,
    pub(super) route: Vec<HttpRouteDestination>,
    pub(super) timeout: Option<String>,
    pub(super) headers: Headers,
    pub(super) rewrite: Option<HttpRewrite>,
    pub(super) redirect: Option<HttpRedirect>,
    pub(super) direct_response: Option<HttpDirectResponse>,
    pub(super) fault: Option<HttpFault>,
    pub(super) delegate: Option<Delegate>,
    pub(super) cors_policy: Option<CorsPolicy>,
}

/// `Delegate`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delegate {
    pub(super) name: String,
    pub(super) namespace: String,
}

/// `HTTPMatchRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HttpMatchRequest {
    pub(super) name: Option<String>,
    pub(super) uri: Option<StringMatch>,
    pub(super) scheme: Option<StringMatch>,
    pub(super) method: Option<StringMatch>,
    pub(super) authority: Option<StringMatch>,
    pub(super) headers: BTreeMap<String, Option<StringMatch>>,
    pub(super) without_headers: BTreeMap<String, Option<StringMatch>>,
    pub(super) query_params: BTreeMap<String, Option<StringMatch>>,
    pub(super) port: Option<u32>,
    pub(super) ignore_uri_case: bool,
    pub(super) gateways: Vec<String>,
    pub(super) source_labels: BTreeMap<String, String>,
    pub(super) source_namespace: String,
}

/// `StringMatch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct StringMatch {
    pub(super) exact: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) regex: Option<String>,
}

/// `HTTPRouteDestination`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HttpRouteDestination {
    pub(super) destination: Destination,
    pub(super) weight: i32,
    pub(super) headers: Headers,
}

/// `Destination`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Destination {
    pub(super) host: String,
    pub(super) subset: Option<String>,
    pub(super) port: Option<PortSelector>,
}

/// `PortSelector`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PortSelector {
    pub(super) number: u32,
}

/// A `DestinationRule`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DestinationRule {
    pub(super) host: String,
    pub(super) subsets: Vec<Subset>,
    pub(super) traffic_policy: TrafficPolicy,
    pub(super) export_to: Vec<String>,
    pub(super) workload_selector: Option<WorkloadSelector>,
}

/// `WorkloadSelector` of `istio.type.v1beta1`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WorkloadSelector {
    pub(super) match_labels: BTreeMap<String, String>,
}

/// `Subset`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Subset {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) traffic_policy: TrafficPolicy,
}

/// A `ServiceEntry`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ServiceEntry {
    pub(super) hosts: Vec<String>,
    pub(super) export_to: Vec<String>,
    pub(super) ports: Vec<ServicePort>,
    pub(super) location: Option<String>,
    pub(super) resolution: Option<String>,
    pub(super) subject_alt_names: Vec<String>,
    pub(super) endpoints: Vec<WorkloadEntry>,
}

/// `ServicePort`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ServicePort {
    pub(super) number: u16,
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) target_port: Option<u16>,
}

/// `WorkloadEntry`, as an endpoint of a `ServiceEntry`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkloadEntry {
    pub(super) address: String,
    pub(super) ports: BTreeMap<String, u16>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) weight: u32,
    pub(super) locality: String,
    pub(super) network: String,
}

/// `Settings`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Settings {
    pub(super) listen: Option<String>,
    pub(super) admin: Option<String>,
    pub(super) workers: Option<u32>,
    pub(super) backlog: Option<u32>,
    pub(super) keepalive: Option<String>,
    pub(super) header_timeout: Option<String>,
    pub(super) max_header_bytes: Option<u32>,
    pub(super) drain: Drain,
    pub(super) access_log: Option<bool>,
    pub(super) log: Option<String>,
    pub(super) workload: OwnWorkload,
    pub(super) gateway: Option<GatewayRole>,
    pub(super) secrets_folder: Option<String>,
    pub(super) dns: NameServers,
    pub(super) limits: RequestLimits,
    pub(super) local_model: Option<ModelFiles>,
    pub(super) istio_certificates: Option<String>,
}

/// `Settings.drain`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Drain {
    pub(super) delay: Option<String>,
    pub(super) timeout: Option<String>,
}

/// `Settings.gateway`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GatewayRole {
    pub(super) address: Option<String>,
    pub(super) ports: BTreeMap<String, u16>,
}

/// `Settings.limits`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RequestLimits {
    pub(super) max_body_bytes: Option<u64>,
    pub(super) request_timeout: Option<String>,
    pub(super) stream_idle_timeout: Option<String>,
    pub(super) trust_forwarded_proto: bool,
}

/// `Settings.localModel`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ModelFiles {
    pub(super) folder: String,
    pub(super) file: Option<String>,
    pub(super) library: Option<String>,
    pub(super) threads: Option<u32>,
    pub(super) max_batch: Option<u32>,
    pub(super) queue: Option<u32>,
}

/// A `PoolPolicy`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PoolPolicy {
    pub(super) host: String,
    pub(super) subset: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) tier: Option<String>,
    pub(super) slots_per_endpoint: Option<u32>,
    pub(super) queue: PendingQueue,
    pub(super) spill_to: Vec<SpillTarget>,
    pub(super) local_model: Option<String>,
    pub(super) latency_objective: Option<String>,
}

/// `PoolPolicy.queue`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PendingQueue {
    pub(super) max_pending: Option<u32>,
    pub(super) timeout: Option<String>,
}

/// `PoolPolicy.spillTo[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SpillTarget {
    pub(super) host: String,
    pub(super) subset: Option<String>,
    pub(super) port: Option<u16>,
}

/// A document and what it says.
#[derive(Debug)]
pub(super) struct Sourced<T> {
    pub(super) document: Document,
    pub(super) spec: T,
    /// Whether the schema walk took nothing out: only then is something absent absent on purpose.
    pub(super) intact: bool,
    /// Whether Istio's API server and webhook take it: where they do not, everything wrong with it has been said.
    pub(super) admitted: bool,
}

impl<T> Sourced<T> {
    /// Reports what Istio takes and the router cannot do.
    pub(super) fn refuse(&self, path: &Path, remark: Remark, findings: &mut Findings) {
        if self.admitted {
            findings.error(DIVERTING, self.document.place(path), remark);
        }
    }
}

/// Every document by kind; of a kind that others refer to, in the order in which Istio lets older ones win.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) virtual_services: Vec<Sourced<VirtualService>>,
    pub(super) destination_rules: Vec<Sourced<DestinationRule>>,
    pub(super) service_entries: Vec<Sourced<ServiceEntry>>,
    pub(super) services: Vec<Sourced<kubernetes::Service>>,
    pub(super) endpoint_slices: Vec<Sourced<kubernetes::EndpointSlice>>,
    pub(super) pods: Vec<Sourced<kubernetes::Pod>>,
    pub(super) gateways: Vec<Sourced<Gateway>>,
    pub(super) settings: Vec<Sourced<Settings>>,
    pub(super) policies: Vec<Sourced<PoolPolicy>>,
    /// Whether a service may stand in a document that could not be read whole.
    pub(super) services_unknown: bool,
    /// Whether a subset may.
    pub(super) subsets_unknown: bool,
}

/// Walks every document against its table and sorts them by kind.
pub(super) fn sort(documents: Documents, findings: &mut Findings) -> Written {
    let mut written =
        Written { services_unknown: documents.unreadable, subsets_unknown: documents.unreadable, ..Written::default() };
    for document in unique(documents.read, findings) {
        match document.kind {
            Kind::VirtualService => written.virtual_services.push(sourced(document, &VIRTUAL_SERVICE, findings)),
            Kind::DestinationRule => written.destination_rules.push(sourced(document, &DESTINATION_RULE, findings)),
            Kind::ServiceEntry => written.service_entries.push(sourced(document, &SERVICE_ENTRY, findings)),
            Kind::Service => written.services.push(unwalked(document, findings)),
            Kind::EndpointSlice => written.endpoint_slices.push(unwalked(document, findings)),
            Kind::Pod => written.pods.push(unwalked(document, findings)),
            Kind::Gateway => written.gateways.push(sourced(document, &GATEWAY, findings)),
            Kind::Settings => written.settings.push(sourced(document, &SETTINGS, findings)),
            Kind::PoolPolicy => written.policies.push(sourced(document, &POOL_POLICY, findings)),
        }
    }
    written.services_unknown |= written.service_entries.iter().any(|entry| !entry.intact)
        || written.services.iter().any(|service| !service.intact);
    written.subsets_unknown |= written.destination_rules.iter().any(|rule| !rule.intact);
    written
}

/// Reports what is wrong with one document by itself.
pub(super) fn judge(document: &Document, findings: &mut Findings) {
    let table = match document.kind {
        Kind::VirtualService => &VIRTUAL_SERVICE,
        Kind::DestinationRule => &DESTINATION_RULE,
        Kind::ServiceEntry => &SERVICE_ENTRY,
        Kind::Gateway => &GATEWAY,
        Kind::Settings => &SETTINGS,
        Kind::PoolPolicy => &POOL_POLICY,
        // Kubernetes' own are the API server's to check.
        Kind::Service | Kind::EndpointSlice | Kind::Pod => return,
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
