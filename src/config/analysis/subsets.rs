//! Rules for services that are not there (IST0174), and subsets that select nothing (IST0173).

use std::collections::BTreeMap;

use super::service_hosts::{Listed, ServiceHosts, full_host};
use crate::config::catalog::{Catalog, Service};
use crate::config::finding::{Findings, NO_EFFECT, RULE_WITHOUT_SERVICE, SUBSET_EMPTY, remark};
use crate::config::path::Path;
use crate::config::written::{DestinationRule, Sourced, Subset, Written};
use crate::domain::HostPattern;

/// The label of an `EndpointSlice` that names its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Reports those of one rule.
pub(super) fn report(
    source: &Sourced<DestinationRule>,
    (written, hosts): (&Written, &ServiceHosts),
    catalog: &Catalog,
    findings: &mut Findings,
) {
    let (document, spec) = (&source.document, &source.spec);
    if spec.host.is_empty() {
        return;
    }
    let namespace = document.namespace.as_str();
    let Some(listed) = hosts.find(&spec.host, namespace, &spec.export_to) else {
        // Istio applies a wildcard to every service that it matches; istioctl looks for one of that very name.
        let is_wildcard = HostPattern::parse(&spec.host)
            .is_ok_and(|pattern| !matches!(pattern, HostPattern::Exact(_)) && catalog.has(&pattern));
        if !is_wildcard && !written.services_unknown {
            let said = remark(
                format!("There is no service `{}`, so this rule has no effect.", full_host(&spec.host, namespace)),
                "Add a Service or ServiceEntry for it, or take the rule out.",
            );
            findings.warning(RULE_WITHOUT_SERVICE, document.place(&Path::spec().key("host")), said);
        }
        return;
    };
    let Some((service, _)) = catalog.find(&spec.host, namespace) else { return };
    if !source.intact {
        return;
    }
    let endpoints = Endpoints { written, listed, service };
    for (at, subset) in spec.subsets.iter().enumerate().filter(|(_, subset)| !endpoints.has_one_of(subset)) {
        let place = document.place(&Path::spec().key("subsets").index(at));
        let message = format!("The subset `{}` selects no endpoint of `{}`.", subset.name, service.host);
        let said = remark(message, "Correct its labels, or label an endpoint so.");
        if endpoints.are_known() {
            findings.error(SUBSET_EMPTY, place, said);
        } else {
            findings.warning(NO_EFFECT, place, said);
        }
    }
}

/// The endpoints of one service, as far as documents tell.
struct Endpoints<'a> {
    written: &'a Written,
    listed: &'a Listed,
    service: &'a Service,
}

impl Endpoints<'_> {
    /// Whether an endpoint is of the subset, or a pod that may be one.
    fn has_one_of(&self, subset: &Subset) -> bool {
        let of_subset =
            |labels: &BTreeMap<String, String>| subset.labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        let selected = |labels: &BTreeMap<String, String>| {
            self.listed.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
        };
        let mut pods = self.written.pods.iter().map(|pod| &pod.spec.metadata.labels);
        self.service.endpoints.iter().any(|endpoint| of_subset(&endpoint.labels))
            || pods.any(|labels| of_subset(labels) && selected(labels))
    }

    /// Whether documents list them: in the `ServiceEntry`, in slices, or as pods. Else they are the cluster's to know.
    fn are_known(&self) -> bool {
        let (host, namespace) = (self.service.host.as_str(), self.service.namespace.as_str());
        let of_host = self.written.services.iter().find(|source| {
            source.document.namespace == namespace && full_host(&source.document.name, namespace) == host
        });
        match of_host {
            None => self.listed.selector.is_empty() || !self.written.pods.is_empty(),
            Some(source) => {
                let (name, selector) = (&source.document.name, &source.spec.spec.selector);
                let mut slices = self.written.endpoint_slices.iter();
                let mut pods = self.written.pods.iter().filter(|pod| pod.document.namespace == namespace);
                slices.any(|slice| {
                    slice.document.namespace == namespace && slice.spec.metadata.labels.get(SERVICE_NAME) == Some(name)
                }) || pods.any(|pod| {
                    !selector.is_empty()
                        && selector.iter().all(|(key, value)| pod.spec.metadata.labels.get(key) == Some(value))
                })
            }
        }
    }
}
