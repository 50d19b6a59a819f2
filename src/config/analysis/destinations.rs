//! Destinations that name nothing (IST0101), and those that leave open which port is meant (IST0112).

use std::collections::BTreeSet;

use super::is_of_mesh;
use super::service_hosts::{Listed, ServiceHosts, full_host};
use crate::config::admission::Spot;
use crate::config::catalog::{CLUSTER_DOMAIN, Catalog, Target};
use crate::config::finding::{Findings, MISSING, NO_EFFECT, PORT_NEEDED, Remark, remark};
use crate::config::problem::Place;
use crate::config::unexecuted::{PORT_LEFT_OUT, PORT_WITHOUT_HTTP};
use crate::config::viewpoint::Viewpoint;
use crate::config::written::{DestinationRule, Sourced, VirtualService, Written};
use crate::domain::HostPattern;

/// A namespace, a name in it, and a subset of the service of that name.
type SubsetName<'a> = (&'a str, &'a str, &'a str);

/// Reports them, whatever protocol the rules are for.
pub(super) fn report(
    (written, hosts): (&Written, &ServiceHosts),
    catalog: &Catalog,
    viewpoint: &Viewpoint,
    findings: &mut Findings,
) {
    let subsets: BTreeSet<SubsetName<'_>> = written.destination_rules.iter().flat_map(subset_names).collect();
    for source in &written.virtual_services {
        let spec = Spot::root(&source.document).at("spec");
        let mut analyzer = Analyzer { source, written, hosts, subsets: &subsets, catalog, viewpoint, findings };
        for route in ["tcp", "tls"].iter().flat_map(|protocol| spec.at(protocol).items().collect::<Vec<_>>()) {
            for destination in route.at("route").items() {
                analyzer.named(&destination.at("destination"));
            }
        }
        for destination in spec.at("http").items().flat_map(|rule| of_http(&rule)) {
            if analyzer.named(&destination) {
                analyzer.served(&destination);
            }
        }
    }
}

fn subset_names(rule: &Sourced<DestinationRule>) -> impl Iterator<Item = SubsetName<'_>> {
    let (namespace, name) = resource(&rule.spec.host, &rule.document.namespace);
    rule.spec.subsets.iter().map(move |subset| (namespace, name, subset.name.as_str()))
}

/// The destinations of an `http` rule, and of its mirrors.
fn of_http<'a>(rule: &Spot<'a>) -> Vec<Spot<'a>> {
    let routes = rule.at("route").items().map(|route| route.at("destination")).collect();
    let mirrors = rule.at("mirrors").items().map(|mirror| mirror.at("destination")).collect();
    [routes, vec![rule.at("mirror")], mirrors].concat()
}

struct Analyzer<'a> {
    source: &'a Sourced<VirtualService>,
    written: &'a Written,
    hosts: &'a ServiceHosts,
    subsets: &'a BTreeSet<SubsetName<'a>>,
    catalog: &'a Catalog,
    viewpoint: &'a Viewpoint,
    findings: &'a mut Findings,
}

impl Analyzer<'_> {
    fn missing(&mut self, spot: &Spot<'_>, remark: Remark) {
        self.findings.error(MISSING, self.source.document.place(&spot.path), remark);
    }

    /// Whether the destination names something that there is, by what istioctl knows.
    fn named(&mut self, destination: &Spot<'_>) -> bool {
        let is_named = !destination.at("host").text().is_empty();
        // Each is reported, as by istioctl.
        let (has_service, has_subset) =
            if is_named { (self.names_service(destination), self.names_subset(destination)) } else { (false, false) };
        has_service && has_subset
    }

    fn names_service(&mut self, destination: &Spot<'_>) -> bool {
        let (namespace, host) = (self.source.document.namespace.as_str(), destination.at("host"));
        // What is missing may stand in a document that cannot be read.
        if self.written.services_unknown {
            return true;
        }
        let Some(listed) = self.hosts.find(host.text(), namespace, &self.source.spec.export_to) else {
            self.missing(&host, self.no_host(host.text()));
            return false;
        };
        let port = destination.at("port");
        match wrong_port(destination, listed, &full_host(host.text(), namespace)) {
            None => true,
            Some(remark) if port.is_set() => {
                self.missing(&port, remark);
                false
            }
            Some(remark) => {
                self.findings.tolerated(PORT_NEEDED, self.source.document.place(&port.path), remark);
                true
            }
        }
    }

    fn names_subset(&mut self, destination: &Spot<'_>) -> bool {
        let namespace = self.source.document.namespace.as_str();
        let (host, subset) = (destination.at("host"), destination.at("subset"));
        let (of, name) = resource(host.text(), namespace);
        let is_known = subset.text().is_empty()
            || self.written.subsets_unknown
            || self.subsets.contains(&(of, name, subset.text()));
        if is_known {
            return true;
        }
        // istioctl looks for a rule of that very host; in Istio one of a wildcard holds for it as well.
        if self.catalog.resolve(self.target(destination)).is_ok() {
            let full = full_host(host.text(), namespace);
            let said = remark(
                format!("No DestinationRule of `{full}` itself has the subset `{}`.", subset.text()),
                "Istio uses that of a wider one, which istioctl does not look for: add a rule for the host.",
            );
            self.findings.tolerated(MISSING, self.source.document.place(&subset.path), said);
            return true;
        }
        self.missing(&subset, self.no_subset(host.text(), subset.text()));
        false
    }

    fn no_host(&self, host: &str) -> Remark {
        let namespace = self.source.document.namespace.as_str();
        let full = full_host(host, namespace);
        if HostPattern::parse(&full).is_ok_and(|pattern| self.catalog.has(&pattern)) {
            let seers = match self.source.spec.export_to.as_slice() {
                [] => format!("`{namespace}`"),
                some => format!("{}, as this document is", some.join(", ")),
            };
            let message = format!("The service `{full}` is not exported to {seers}.");
            return remark(message, "Correct the `exportTo` of one of the two, or name another service.");
        }
        self.catalog.no_host(host, namespace)
    }

    fn no_subset(&self, host: &str, subset: &str) -> Remark {
        let namespace = self.source.document.namespace.as_str();
        let full = full_host(host, namespace);
        self.catalog.find(host, namespace).map_or_else(
            || remark(format!("`{full}` has no subset `{subset}`."), "Add a DestinationRule that has it."),
            |(service, _)| self.catalog.no_subset(service, subset),
        )
    }

    /// What the destination means to the router.
    fn target<'d>(&'d self, destination: &Spot<'d>) -> Target<'d> {
        let port = u16::try_from(destination.at("port").at("number").int()).ok().filter(|port| *port != 0);
        Target {
            host: destination.at("host").text(),
            subset: Some(destination.at("subset").text()).filter(|subset| !subset.is_empty()),
            port,
            sent_to: self.viewpoint.mesh_port(),
            namespace: &self.source.document.namespace,
        }
    }

    /// Reports a destination that there is, and that this router sends nothing to.
    fn served(&mut self, destination: &Spot<'_>) {
        let Err(Some(unresolved)) = self.catalog.resolve(self.target(destination)) else { return };
        let place = self.source.document.place(&destination.at(unresolved.field).path);
        match unresolved.field {
            "port" if self.has_several_ports(destination) => self.unclear_port(place),
            "port" => self.findings.not_executed(&PORT_WITHOUT_HTTP, place, unresolved.remark),
            // What istioctl finds, and Istio sends nothing to: a wildcard rule's subset, an alias for no service, or one
            // host of a wildcard's.
            _ => self.findings.warning(NO_EFFECT, place, unresolved.remark),
        }
    }

    /// Whether the destination leaves open which of several ports it means that requests are routed to.
    fn has_several_ports(&self, destination: &Spot<'_>) -> bool {
        let service = self.catalog.find(destination.at("host").text(), &self.source.document.namespace);
        !destination.at("port").is_set() && service.is_some_and(|(service, _)| service.ports.len() > 1)
    }

    /// Reports that Istio's choice among several ports is not known here: on a gateway it is, and `explain` may be told.
    fn unclear_port(&mut self, place: Place) {
        if is_of_mesh(&self.source.spec) && self.viewpoint.serves_mesh() && self.viewpoint.mesh_port().is_none() {
            let said = remark(
                "Istio sends a request of the mesh to the port that it was sent to, which this router does not know.",
                "Name the port.",
            );
            self.findings.not_executed(&PORT_LEFT_OUT, place, said);
        }
    }
}

/// What is wrong with the port that a destination names, or does not name.
fn wrong_port(destination: &Spot<'_>, listed: &Listed, host: &str) -> Option<Remark> {
    let port = destination.at("port");
    let numbers = listed.ports.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    if port.is_set() {
        let number = port.at("number").int();
        let said = remark(format!("`{host}` has no port {number}."), format!("Its ports are {numbers}."));
        // Zero is what is left of a number that the schema has reported.
        return (number != 0 && !listed.ports.contains(&number)).then_some(said);
    }
    let said = remark(
        format!("`{host}` has several ports, and none is named here."),
        format!("Add `port` with one of {numbers}."),
    );
    (listed.ports.len() > 1).then_some(said)
}

/// The namespace and name that istioctl compares hosts by: those of a service of the cluster, else the document's
/// namespace and the host.
fn resource<'a>(host: &'a str, namespace: &'a str) -> (&'a str, &'a str) {
    let of_cluster = host.strip_suffix(CLUSTER_DOMAIN).and_then(|service| service.strip_suffix('.'));
    of_cluster
        .and_then(|service| service.rsplit_once('.'))
        .filter(|(name, namespace)| !name.is_empty() && !namespace.is_empty())
        .map_or((namespace, host), |(name, namespace)| (namespace, name))
}
