//! Ports that speak TLS: what goes over them cannot be routed, unless a rule secures connections to them.

use std::collections::BTreeSet;

use super::Catalog;
use crate::config::finding::{Findings, remark};
use crate::config::problem::Place;
use crate::config::unexecuted::OPAQUE_PORT;
use crate::domain::Host;

/// What goes over a port.
#[derive(Clone, Debug)]
pub(in crate::config) enum Content {
    /// Requests that can be read.
    Http,
    /// TLS, whatever is in it; and where the document says so, if that is worth a word.
    Tls(Option<Place>),
}

impl Catalog {
    /// Takes out the ports that speak TLS and that no rule secures connections to: what goes over them cannot be routed.
    pub(super) fn leave_opaque_ports(&mut self, findings: &mut Findings) {
        if self.subsets_unknown {
            // A rule that cannot be read whole may secure any of them.
            return;
        }
        let secured: BTreeSet<(Host, u16)> = self.services.keys().flat_map(|host| self.secured_ports(host)).collect();
        for service in self.services.values_mut().flatten() {
            let host = &service.host;
            service.ports.retain(|port| match &port.content {
                Content::Tls(place) if !secured.contains(&(host.clone(), port.number)) => {
                    opaque(port.number, place.as_ref(), findings);
                    false
                }
                Content::Http | Content::Tls(_) => true,
            });
            // A request that names no port goes to one of HTTP, if there is one.
            service.ports.sort_by_key(|port| matches!(port.content, Content::Tls(_)));
        }
    }

    fn secured_ports(&self, host: &Host) -> Vec<(Host, u16)> {
        let Some(rule) = self.rule(host) else { return Vec::new() };
        let policies = || rule.policy.iter().chain(rule.subsets.iter().filter_map(|subset| subset.policy.as_ref()));
        let ports = self.services.get(host).into_iter().flatten().flat_map(|service| &service.ports);
        let secured = ports.filter(|port| policies().any(|policy| policy.secures(port.number)));
        secured.map(|port| (host.clone(), port.number)).collect()
    }
}

/// Reports a port that nothing is routed to.
fn opaque(number: u16, place: Option<&Place>, findings: &mut Findings) {
    let said = remark(
        format!("Port {number} speaks TLS, and no DestinationRule secures connections to it: nothing is routed to it."),
        "Add a DestinationRule with `tls`, or leave it in knowing that it has no effect here.",
    );
    if let Some(place) = place {
        findings.not_executed(&OPAQUE_PORT, place.clone(), said);
    }
}
