//! Subsets that requests through a gateway pass by (IST0140).
//!
//! A virtual service of the mesh splits a service into subsets; one of a gateway names the service without a subset. What
//! comes in through the gateway goes to the service's endpoints, whatever the first says.

use std::collections::BTreeMap;

use crate::config::admission::Spot;
use crate::config::finding::{Findings, SUBSET_PASSED_BY, remark};
use crate::config::written::{Sourced, VirtualService};

/// Reports each destination of a gateway's virtual service that passes such a subset by.
pub(super) fn report(virtual_services: &[Sourced<VirtualService>], findings: &mut Findings) {
    let mut splitting: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for source in virtual_services {
        let destinations = source.spec.http.iter().flat_map(|rule| &rule.route).map(|route| &route.destination);
        for destination in
            destinations.filter(|destination| destination.subset.as_deref().is_some_and(|s| !s.is_empty()))
        {
            let owners = splitting.entry(destination.host.as_str()).or_default();
            let name = format!("`{}`", source.document.full_name());
            if source.spec.hosts.contains(&destination.host) && !owners.contains(&name) {
                owners.push(name);
            }
        }
    }
    for source in virtual_services.iter().filter(|source| !source.spec.gateways.is_empty()) {
        for rule in Spot::root(&source.document).at("spec").at("http").items() {
            for destination in rule.at("route").items().map(|route| route.at("destination")) {
                let host = destination.at("host");
                let owners = splitting.get(host.text()).filter(|_| destination.at("subset").text().is_empty());
                let Some(owners) = owners.filter(|owners| !owners.is_empty()) else { continue };
                let said = remark(
                    format!(
                        "Requests through a gateway go to every endpoint of `{}`: the subsets that {} gives it have no \
                         effect on them.",
                        host.text(),
                        owners.join(", ")
                    ),
                    "Name the subsets here as well, or bind that VirtualService to the gateway.",
                );
                findings.warning(SUBSET_PASSED_BY, source.document.place(&host.path), said);
            }
        }
    }
}
