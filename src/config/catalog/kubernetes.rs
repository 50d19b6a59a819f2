//! Kubernetes' `Service`, `EndpointSlice` and `Pod` documents into services.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::{CLUSTER_DOMAIN, Called, Content, Port, Service, Workload, WorkloadAddress, topology};
use crate::config::checked::Protocol;
use crate::config::document::Document;
use crate::config::finding::{Findings, SCHEMA, remark};
use crate::config::path::Path;
use crate::config::written::kubernetes::{self as written, TargetPort};
use crate::config::written::{Sourced, Written};
use crate::domain::{Host, Locality};

/// The label of an `EndpointSlice` that names its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The annotation by which Istio exports a `Service`, as `exportTo` does its own kinds.
const EXPORT_TO: &str = "networking.istio.io/exportTo";
/// The `clusterIP` of a service without one.
const HEADLESS: &str = "None";
/// Ports of protocols in which the server speaks first; Istio does not look for HTTP on them unless told to.
const SERVER_FIRST: [u16; 4] = [25, 53, 3306, 27017];

/// Every `Service` document as a service, with the endpoints that slices give it, as a caller at `caller` sees them.
pub(super) fn build(written: &Written, caller: &Locality, findings: &mut Findings) -> Vec<Service> {
    written.services.iter().filter_map(|source| service(source, written, caller, findings)).collect()
}

fn service(
    source: &Sourced<written::Service>,
    written: &Written,
    caller: &Locality,
    findings: &mut Findings,
) -> Option<Service> {
    let (document, spec) = (&source.document, &source.spec.spec);
    let text = format!("{}.{}.{CLUSTER_DOMAIN}", document.name, document.namespace);
    let host = match Host::parse(&text) {
        Ok(host) => host,
        Err(error) => {
            let place = document.place(&Path::root().key("metadata").key("name"));
            findings.error(SCHEMA, place, remark(format!("`{text}` is no host: {error}."), "Rename the Service."));
            return None;
        }
    };
    let external = Some(&spec.external_name).filter(|_| spec.kind == "ExternalName");
    let alias_of = external.and_then(|name| Host::parse(name).ok());
    let export_to = source.spec.metadata.annotations.get(EXPORT_TO);
    Some(Service {
        namespace: document.namespace.clone(),
        origin: document.origin(&Path::root().key("metadata").key("name")),
        external: false,
        export_to: export_to
            .map(|list| list.split(',').map(|name| name.trim().to_owned()).collect())
            .unwrap_or_default(),
        subject_alt_names: Vec::new(),
        ports: spec.ports.iter().filter_map(port).collect(),
        endpoints: if alias_of.is_some() { Vec::new() } else { endpoints((document, spec), &host, written, caller) },
        original: None,
        addresses: addresses(spec),
        called: Called { alias_of, aliases: Vec::new(), subdomains: spec.cluster_ip == HEADLESS },
        host,
    })
}

/// The addresses of the cluster by which clients may call the service.
fn addresses(spec: &written::ServiceSpec) -> Vec<Host> {
    let listed =
        if spec.cluster_ips.len() > 1 { spec.cluster_ips.as_slice() } else { std::slice::from_ref(&spec.cluster_ip) };
    listed.iter().filter(|text| text.parse::<IpAddr>().is_ok()).filter_map(|text| Host::parse(text).ok()).collect()
}

/// A port that may speak HTTP: by its `appProtocol`, else by the beginning of its name, else because Istio looks what is
/// spoken on it.
fn port(written: &written::ServicePort) -> Option<Port> {
    let named = written.name.split('-').next().unwrap_or_default();
    let said = if written.app_protocol.is_empty() { named } else { written.app_protocol.as_str() };
    let protocol = match said.to_ascii_lowercase().as_str() {
        _ if !matches!(written.protocol.as_str(), "" | "TCP") => return None,
        // A name may begin with `grpc-web`, of which the first part alone says the same.
        "http2" | "grpc" | "grpc-web" | "kubernetes.io/h2c" => Protocol::Http2,
        "https" | "tls" => return Some(port_of(written, (Protocol::Http1, Content::Tls(None)))),
        "tcp" | "udp" | "mongo" | "redis" | "mysql" | "hbone" => return None,
        "http" | "http1" | "kubernetes.io/ws" => Protocol::Http1,
        _ if SERVER_FIRST.contains(&written.port) => return None,
        _ => Protocol::Http1,
    };
    Some(port_of(written, (protocol, Content::Http)))
}

fn port_of(written: &written::ServicePort, (protocol, content): (Protocol, Content)) -> Port {
    let target = match written.target_port {
        Some(TargetPort::Number(number)) => number,
        Some(TargetPort::Name(_)) | None => written.port,
    };
    Port { number: written.port, name: written.name.clone(), target, protocol, content }
}

/// The ready endpoints of the service's slices; without a slice, the service itself as the cluster reaches it.
fn endpoints(
    (document, spec): (&Document, &written::ServiceSpec),
    host: &Host,
    written: &Written,
    caller: &Locality,
) -> Vec<Arc<Workload>> {
    let ours = |slice: &&Sourced<written::EndpointSlice>| {
        slice.document.namespace == document.namespace
            && slice.spec.metadata.labels.get(SERVICE_NAME) == Some(&document.name)
    };
    let slices: Vec<_> = written.endpoint_slices.iter().filter(ours).collect();
    if slices.is_empty() {
        let address = spec.cluster_ip.parse().map_or_else(|_| WorkloadAddress::Name(host.clone()), WorkloadAddress::Ip);
        // Kubernetes translates the service's port itself.
        let ports = spec.ports.iter().map(|port| (port.name.clone(), port.port)).collect();
        let (labels, locality) = (Arc::new(spec.selector.clone()), Locality::default());
        return vec![Arc::new(Workload { address, ports, labels, locality, weight: NonZeroU32::MIN })];
    }
    let mut endpoints: Vec<Arc<Workload>> = Vec::new();
    for slice in slices {
        let number = |port: &written::SlicePort| Some((port.name.clone().unwrap_or_default(), port.port?));
        let ports: BTreeMap<String, u16> = slice.spec.ports.iter().filter_map(number).collect();
        for endpoint in slice.spec.endpoints.iter().filter(|endpoint| endpoint.conditions.ready != Some(false)) {
            let labels = Arc::new(labels(document, spec, endpoint, written));
            let locality = topology::of_labels(&labels, caller);
            let one = |address: &String| {
                let address = match address.parse() {
                    Ok(ip) => WorkloadAddress::Ip(ip),
                    Err(_) => WorkloadAddress::Name(Host::parse(address).ok()?),
                };
                let (ports, labels, locality) = (ports.clone(), labels.clone(), locality.clone());
                Some(Arc::new(Workload { address, ports, labels, locality, weight: NonZeroU32::MIN }))
            };
            endpoints.extend(endpoint.addresses.first().and_then(one));
        }
    }
    endpoints
}

/// The labels of the pod behind an endpoint where its document is there, else those that every pod of the service has.
fn labels(
    document: &Document,
    spec: &written::ServiceSpec,
    endpoint: &written::SliceEndpoint,
    written: &Written,
) -> BTreeMap<String, String> {
    let is_pod = |pod: &&Sourced<written::Pod>| {
        endpoint.target_ref.kind == "Pod"
            && (&pod.document.name, &pod.document.namespace) == (&endpoint.target_ref.name, &document.namespace)
    };
    let mut labels = spec.selector.clone();
    if !endpoint.zone.is_empty() {
        labels.insert(topology::ZONE.to_owned(), endpoint.zone.clone());
    }
    labels.extend(written.pods.iter().find(is_pod).map(|pod| pod.spec.metadata.labels.clone()).unwrap_or_default());
    labels
}
