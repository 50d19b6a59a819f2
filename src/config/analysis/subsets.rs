//! Rules for services that are not there (IST0174), and subsets that select nothing (IST0173).

use std::collections::BTreeMap;

use super::pods::{Pods, selects};
use super::service_hosts::{Listed, ServiceHosts, full_host};
use crate::config::catalog::Catalog;
use crate::config::finding::{Findings, RULE_WITHOUT_SERVICE, SUBSET_EMPTY, remark};
use crate::config::path::Path;
use crate::config::written::{DestinationRule, Sourced, Subset, Written};
use crate::domain::HostPattern;

/// Reports those of one rule.
pub(super) fn report(
    source: &Sourced<DestinationRule>,
    (written, hosts): (&Written, &ServiceHosts),
    pods: &Pods,
    catalog: &Catalog,
    findings: &mut Findings,
) {
    let (document, spec) = (&source.document, &source.spec);
    if spec.host.is_empty() {
        return;
    }
    let namespace = document.namespace.as_str();
    let full = full_host(&spec.host, namespace);
    let Some(listed) = hosts.find(&spec.host, namespace, &spec.export_to) else {
        // Istio applies a wildcard to every service that it matches; istioctl looks for one of that very name.
        let is_wildcard = HostPattern::parse(&spec.host)
            .is_ok_and(|pattern| !matches!(pattern, HostPattern::Exact(_)) && catalog.has(&pattern));
        if !is_wildcard && !written.services_unknown {
            let said = remark(
                format!("There is no service `{full}`, so this rule has no effect."),
                "Add a Service or ServiceEntry for it, or take the rule out.",
            );
            findings.warning(RULE_WITHOUT_SERVICE, document.place(&Path::spec().key("host")), said);
        }
        return;
    };
    if !source.intact {
        return;
    }
    for (at, subset) in spec.subsets.iter().enumerate().filter(|(_, subset)| selects_none(subset, listed, pods)) {
        let said = remark(
            format!("The subset `{}` of `{full}` selects no Pod, and no endpoint of a ServiceEntry.", subset.name),
            "Correct its labels, or add the Pod that has them to these documents.",
        );
        findings.tolerated(SUBSET_EMPTY, document.place(&Path::spec().key("subsets").index(at)), said);
    }
}

/// Whether no pod is of the subset, nor an endpoint that a `ServiceEntry` lists: those istioctl does not look at, and would
/// report every subset of them.
fn selects_none(subset: &Subset, listed: &Listed, pods: &Pods) -> bool {
    let mut selector: BTreeMap<String, String> = listed.selector.clone();
    selector.extend(subset.labels.clone());
    let mut endpoints = listed.endpoints.iter().flat_map(|listed| listed.iter());
    !pods.have_one_of(&selector) && !endpoints.any(|labels| selects(&subset.labels, labels))
}
