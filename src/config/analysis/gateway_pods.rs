//! Gateways that select no pod, and secrets that their pods do not find (IST0101).
//!
//! Both can be told only where documents list pods, or secrets: else they are the cluster's.

use std::collections::BTreeSet;

use super::pods::Pods;
use super::{intact, namespaced};
use crate::config::document::{Document, Kind};
use crate::config::finding::{Findings, MISSING, remark};
use crate::config::path::Path;
use crate::config::written::{Gateway, Sourced, Written};

/// Reports those of every gateway.
pub(super) fn report(written: &Written, pods: &Pods, findings: &mut Findings) {
    let secrets = written.passed_over.iter().filter(|document| document.kind == Kind::Secret);
    let secrets: BTreeSet<String> = secrets.map(Document::full_name).collect();
    for gateway in intact(&written.gateways) {
        let selected: BTreeSet<&str> =
            pods.selected(&gateway.spec.selector).map(|pod| pod.namespace.as_str()).collect();
        if !selected.is_empty() {
            report_secrets(gateway, &selected, &secrets, findings);
        } else if pods.are_listed {
            let said = remark("No Pod has the labels of this selector.", "Correct it, or add the gateway's Pod.");
            findings.tolerated(MISSING, gateway.document.place(&Path::spec().key("selector")), said);
        }
    }
}

/// Reports the secrets that are in none of the namespaces of the gateway's pods, where Istio looks for them.
fn report_secrets(
    gateway: &Sourced<Gateway>,
    namespaces: &BTreeSet<&str>,
    secrets: &BTreeSet<String>,
    findings: &mut Findings,
) {
    for (at, server) in gateway.spec.servers.iter().enumerate() {
        let named = server.tls.as_ref().map(|tls| tls.credential_name.as_str()).filter(|name| !name.is_empty());
        let Some(named) = named.filter(|_| !secrets.is_empty()) else { continue };
        let meant: Vec<String> = namespaces.iter().map(|namespace| namespaced(named, namespace)).collect();
        if !meant.iter().any(|name| secrets.contains(name)) {
            let said = remark(
                format!("There is no Secret `{}`.", meant.join("` or `")),
                "Add it to the namespace of the gateway's pods, or correct the name.",
            );
            let path = Path::spec().key("servers").index(at).key("tls").key("credentialName");
            findings.tolerated(MISSING, gateway.document.place(&path), said);
        }
    }
}
