//! Ports of gateways that no Kubernetes service of their pods has (IST0162).
//!
//! Where no document is of a pod that a gateway selects, nothing is known of its services: its pods are the cluster's.

use std::collections::{BTreeMap, BTreeSet};

use super::intact;
use crate::config::finding::{Findings, PORT_NOT_IN_SERVICE, remark};
use crate::config::path::Path;
use crate::config::written::kubernetes::{Pod, Service, TargetPort};
use crate::config::written::{Gateway, Sourced, Written};

/// Reports those of every gateway whose pods are there.
pub(super) fn report(written: &Written, findings: &mut Findings) {
    for gateway in intact(&written.gateways) {
        let pods: Vec<&Sourced<Pod>> =
            written.pods.iter().filter(|pod| selects(&gateway.spec.selector, &pod.spec.metadata.labels)).collect();
        if !pods.is_empty() {
            report_one(gateway, &ports(&pods, &written.services), findings);
        }
    }
}

fn report_one(gateway: &Sourced<Gateway>, known: &BTreeSet<u32>, findings: &mut Findings) {
    for (at, server) in gateway.spec.servers.iter().enumerate() {
        let number = server.port.number;
        if number != 0 && !known.contains(&number) {
            let said = remark(
                format!("No Service of this gateway's pods has {number} as a target port."),
                "Add it to a Service, or expect requests from elsewhere alone.",
            );
            let path = Path::spec().key("servers").index(at).key("port").key("number");
            findings.warning(PORT_NOT_IN_SERVICE, gateway.document.place(&path), said);
        }
    }
}

/// The ports of the pods that services send to.
fn ports(pods: &[&Sourced<Pod>], services: &[Sourced<Service>]) -> BTreeSet<u32> {
    let theirs = services.iter().filter(|service| {
        let selector = &service.spec.spec.selector;
        pods.iter().any(|pod| {
            pod.document.namespace == service.document.namespace && selects(selector, &pod.spec.metadata.labels)
        })
    });
    let ports = theirs.flat_map(|service| &service.spec.spec.ports);
    let ports = ports.filter(|port| matches!(port.protocol.as_str(), "" | "TCP"));
    ports
        .map(|port| match port.target_port {
            Some(TargetPort::Number(number)) if number != 0 => u32::from(number),
            _ => u32::from(port.port),
        })
        .collect()
}

fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
