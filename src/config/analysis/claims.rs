//! Conditions on claims of a JWT, where nothing has a gateway read one (IST0149).

use std::collections::BTreeMap;

use super::pods::{Pod, Pods, selects};
use super::service_hosts::labels;
use super::{intact, namespaced};
use crate::config::admission::Spot;
use crate::config::document::{Document, Kind};
use crate::config::finding::{Findings, UNAUTHENTICATED, remark};
use crate::config::written::{Sourced, VirtualService, Written};

/// What the name of a header begins with that stands for a claim.
const CLAIM: &str = "@request.auth.claims";
/// The namespace whose documents are for every other.
const ROOT_NAMESPACE: &str = "istio-system";

/// The namespace of a `RequestAuthentication`, and the labels of the pods that it is for.
type Authentication<'a> = (&'a str, BTreeMap<String, String>);

/// Reports, for the first such condition of a virtual service, each pod of its gateways that no `RequestAuthentication` is
/// for.
pub(super) fn report(written: &Written, pods: &Pods, findings: &mut Findings) {
    let documents = written.passed_over.iter().filter(|document| document.kind == Kind::RequestAuthentication);
    let authentications: Vec<Authentication<'_>> = documents.map(authentication).collect();
    for source in intact(&written.virtual_services) {
        let Some((claim, spot)) = first_claim(source) else { continue };
        for named in source.spec.gateways.iter().filter(|named| *named != "mesh") {
            let full = namespaced(named, &source.document.namespace);
            let gateway = written.gateways.iter().find(|gateway| gateway.document.full_name() == full);
            let selected = gateway.into_iter().flat_map(|gateway| pods.selected(&gateway.spec.selector));
            for pod in selected.filter(|pod| !is_authenticated(pod, &authentications)) {
                let said = remark(
                    format!(
                        "No RequestAuthentication is for the pod `{}/{}` of the Gateway `{full}`, so that Istio reads no \
                         `{claim}`.",
                        pod.namespace, pod.name
                    ),
                    "Add one that selects the gateway's pods.",
                );
                findings.tolerated(UNAUTHENTICATED, source.document.place(&spot.path), said);
            }
        }
    }
}

fn authentication(document: &Document) -> Authentication<'_> {
    let selector = Spot::root(document).at("spec").at("selector").at("matchLabels");
    (&document.namespace, labels(&selector))
}

fn is_authenticated(pod: &Pod, authentications: &[Authentication<'_>]) -> bool {
    authentications.iter().any(|(namespace, selector)| {
        [ROOT_NAMESPACE, &pod.namespace].contains(namespace) && selects(selector, &pod.labels)
    })
}

/// The first condition on a claim: its key and where it stands.
fn first_claim(source: &Sourced<VirtualService>) -> Option<(&str, Spot<'_>)> {
    let rules = Spot::root(&source.document).at("spec").at("http");
    let conditions: Vec<Spot<'_>> =
        rules.items().flat_map(|rule| rule.at("match").items().collect::<Vec<_>>()).collect();
    let headers = conditions.iter().flat_map(|condition| [condition.at("headers"), condition.at("withoutHeaders")]);
    let mut keys = headers.flat_map(|headers| headers.entries().collect::<Vec<_>>());
    keys.find(|(key, _)| key.starts_with(CLAIM))
}
