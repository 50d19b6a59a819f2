//! Rules that delegate to nothing: in Istio as here they take no request, which istioctl does not say.

use std::collections::BTreeMap;

use crate::config::admission::Spot;
use crate::config::finding::{Findings, NO_EFFECT, remark};
use crate::config::visibility::is_visible;
use crate::config::written::{Sourced, VirtualService};

/// Reports each rule whose delegate is not there, has hosts of its own, or is not exported to it.
pub(super) fn report(virtual_services: &[Sourced<VirtualService>], findings: &mut Findings) {
    let without_hosts = virtual_services.iter().filter(|source| source.spec.hosts.is_empty());
    let delegates: BTreeMap<(&str, &str), &[String]> = without_hosts
        .map(|Sourced { document, spec, .. }| {
            ((document.namespace.as_str(), document.name.as_str()), spec.export_to.as_slice())
        })
        .collect();
    for Sourced { document, .. } in virtual_services {
        for rule in Spot::root(document).at("spec").at("http").items() {
            let delegate = rule.at("delegate");
            let (name, namespace) = (delegate.at("name").text(), delegate.at("namespace").text());
            let namespace = if namespace.is_empty() { document.namespace.as_str() } else { namespace };
            let found = delegates.get(&(namespace, name));
            let is_seen = found.is_some_and(|export_to| is_visible(export_to, namespace, &document.namespace));
            if delegate.is_set() && !is_seen {
                let said = remark(
                    format!("There is no VirtualService `{namespace}/{name}` without hosts that is exported here."),
                    "Add it, or correct the name; until then this rule takes no request.",
                );
                findings.warning(NO_EFFECT, document.place(&delegate.path), said);
            }
        }
    }
}
