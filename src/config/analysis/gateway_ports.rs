//! Ports of gateways that no Kubernetes service of their pods has (IST0162).
//!
//! Where no document is of a pod, or of one that a gateway selects, nothing is known of its services: they are the
//! cluster's.

use std::collections::BTreeSet;

use super::intact;
use super::pods::{Pod, Pods, selects};
use crate::config::finding::{Findings, PORT_NOT_IN_SERVICE, remark};
use crate::config::path::Path;
use crate::config::written::kubernetes::{Service, TargetPort};
use crate::config::written::{Gateway, Sourced, Written};

/// Reports those of every gateway whose pods are there.
pub(super) fn report(written: &Written, pods: &Pods, findings: &mut Findings) {
    for gateway in intact(&written.gateways).filter(|_| pods.are_listed) {
        let pods: Vec<&Pod> = pods.selected(&gateway.spec.selector).collect();
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
fn ports(pods: &[&Pod], services: &[Sourced<Service>]) -> BTreeSet<u32> {
    let theirs = services.iter().filter(|service| {
        let selector = &service.spec.spec.selector;
        pods.iter().any(|pod| pod.namespace == service.document.namespace && selects(selector, &pod.labels))
    });
    let ports = theirs.flat_map(|service| &service.spec.spec.ports);
    let ports = ports.filter(|port| matches!(port.protocol.as_str(), "" | "TCP"));
    let ports = ports
        .map(|port| match port.target_port {
            Some(TargetPort::Number(number)) if number != 0 => u32::from(number),
            _ => u32::from(port.port),
        })
        .chain(pods.iter().flat_map(|pod| pod.added_ports.iter().copied()));
    ports.collect()
}
