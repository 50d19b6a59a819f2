//! `ServiceEntry` documents into services.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::{Called, Content, Port, Service, Workload, WorkloadAddress, topology};
use crate::config::checked::Protocol;
use crate::config::finding::{Findings, NO_EFFECT, TWICE, remark};
use crate::config::path::Path;
use crate::config::sums::Sums;
use crate::config::unexecuted::{PROTOCOL, UNIX_SOCKET};
use crate::config::written::{ServiceEntry, ServicePort, Sourced, WorkloadEntry};
use crate::domain::{Host, HostPattern, Locality, OriginalBy};

/// Adds the services of `entries`, the oldest first. Entries of one namespace that name one host say of it together.
pub(super) fn build(
    entries: &[Sourced<ServiceEntry>],
    services: &mut BTreeMap<Host, Vec<Service>>,
    (sums, findings): (&mut Sums, &mut Findings),
) {
    for entry in entries {
        let mut reader = Reader { entry, findings };
        let (naming, ports) = (reader.resolution(), reader.ports());
        let listed = reader.listed(naming);
        for (at, text) in entry.spec.hosts.iter().enumerate() {
            let path = Path::spec().key("hosts").index(at);
            let Some(host) = reader.host(text, &path) else { continue };
            let origin = entry.document.origin(&path);
            // Each host has its own copy of these.
            let spec = &entry.spec;
            let copied = listed.len() + spec.subject_alt_names.len() + spec.addresses.len() + spec.export_to.len();
            if !sums.takes_ports(ports.len(), &origin) || !sums.takes_endpoints(copied, &origin) {
                continue;
            }
            let service = Service {
                namespace: entry.document.namespace.clone(),
                origin,
                external: entry.spec.location.as_deref() == Some("MESH_EXTERNAL"),
                export_to: entry.spec.export_to.clone(),
                subject_alt_names: entry.spec.subject_alt_names.clone(),
                ports: ports.iter().map(Port::copy).collect(),
                endpoints: reader.endpoints(&host, naming, &listed),
                original: if let Naming::None(by) = naming { Some(by) } else { None },
                addresses: reader.addresses(),
                called: Called::default(),
                host: host.clone(),
            };
            let known = services.entry(host).or_default();
            match known.iter_mut().find(|known| known.namespace == service.namespace) {
                Some(known) => {
                    reader.joined(known, &path);
                    known.join(service);
                }
                None => known.push(service),
            }
        }
    }
}

impl Service {
    /// Adds the ports and endpoints of another document of the same host and namespace.
    fn join(&mut self, other: Self) {
        let new = |port: &Port| self.ports.iter().all(|known| known.number != port.number);
        let ports: Vec<Port> = other.ports.into_iter().filter(new).collect();
        self.ports.extend(ports);
        self.endpoints.extend(other.endpoints);
        self.subject_alt_names.extend(other.subject_alt_names);
        self.addresses.extend(other.addresses);
    }
}

impl Port {
    fn copy(&self) -> Self {
        Self {
            number: self.number,
            name: self.name.clone(),
            target: self.target,
            protocol: self.protocol,
            content: self.content.clone(),
        }
    }
}

/// Whether an endpoint's address may be a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// There are no endpoints.
    None(OriginalBy),
    Addresses,
    /// It may, and each address of the name is an endpoint.
    Names,
    /// It may, and is one endpoint, with the newest address of the name.
    Newest,
}

impl Naming {
    fn address(self, name: Host) -> WorkloadAddress {
        if self == Self::Newest { WorkloadAddress::Logical(name) } else { WorkloadAddress::Name(name) }
    }
}

struct Reader<'a> {
    entry: &'a Sourced<ServiceEntry>,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn wrong(&mut self, path: &Path, message: impl Into<String>, cure: impl Into<String>) {
        self.entry.refuse(path, remark(message, cure), self.findings);
    }

    fn joined(&mut self, known: &Service, path: &Path) {
        let said = remark(
            format!(
                "`{}` stands at {} already: the ports and endpoints of both are one service's.",
                known.host, known.origin
            ),
            "Nothing needs doing, unless one of the two was meant for another host.",
        );
        self.findings.warning(TWICE, self.entry.document.place(path), said);
    }

    fn host(&mut self, text: &str, path: &Path) -> Option<Host> {
        if text.is_empty() && !self.entry.intact {
            return None;
        }
        match HostPattern::parse(text) {
            Ok(HostPattern::Exact(host)) => Some(host),
            Ok(pattern) => Some(Host::of_many(&pattern)),
            Err(error) => {
                self.wrong(path, format!("`{text}` is no host: {error}."), "Write a DNS name or an IP address.");
                None
            }
        }
    }

    fn resolution(&mut self) -> Naming {
        let place = self.entry.document.place(&Path::spec().key("resolution"));
        match self.entry.spec.resolution.as_deref() {
            Some("STATIC") => {
                if self.entry.spec.endpoints.is_empty() && self.entry.intact {
                    let said = remark(
                        "This STATIC service has no endpoints: its requests spill or are refused.",
                        "Add `endpoints`, or write `resolution: DNS`.",
                    );
                    self.findings.warning(NO_EFFECT, place, said);
                }
                Naming::Addresses
            }
            Some("DNS") => Naming::Names,
            Some("DNS_ROUND_ROBIN") => Naming::Newest,
            Some("DYNAMIC_DNS") => Naming::None(OriginalBy::Host),
            _ => Naming::None(OriginalBy::Address),
        }
    }

    fn ports(&mut self) -> Vec<Port> {
        let mut ports: Vec<Port> = Vec::new();
        for (at, written) in self.entry.spec.ports.iter().enumerate() {
            let path = Path::spec().key("ports").index(at);
            if ports.iter().any(|port| port.number == written.number || port.name == written.name) && self.entry.intact
            {
                self.wrong(&path, "This port's number or name stands twice.", "Give each port its own.");
                continue;
            }
            ports.extend(self.port(written, &path));
        }
        if ports.is_empty() && self.entry.intact {
            let said = remark(
                "No port here speaks HTTP, so nothing can be routed to it.",
                "Add a port with `protocol: HTTP`.",
            );
            self.findings.warning(NO_EFFECT, self.entry.document.place(&Path::spec()), said);
        }
        ports
    }

    fn port(&mut self, written: &ServicePort, path: &Path) -> Option<Port> {
        // Zero is what the schema walk leaves of a number that it has reported.
        if written.number == 0 {
            return None;
        }
        let (protocol, content) = match written.protocol.to_ascii_uppercase().as_str() {
            "HTTP" | "" => (Protocol::Http1, Content::Http),
            "HTTP2" | "GRPC" | "GRPC-WEB" => (Protocol::Http2, Content::Http),
            "HTTPS" | "TLS" => (Protocol::Http1, Content::Tls(Some(self.entry.document.place(&path.key("protocol"))))),
            known @ ("TCP" | "UDP" | "MONGO" | "REDIS" | "MYSQL" | "HBONE") => {
                let said = remark(
                    format!(
                        "Port {} speaks {known}, which is not executed yet: nothing is routed to it.",
                        written.number
                    ),
                    "Take it out, or leave it in knowing that it has no effect here.",
                );
                self.findings.not_executed(&PROTOCOL, self.entry.document.place(&path.key("protocol")), said);
                return None;
            }
            _ => {
                let message = format!("`{}` is no protocol.", written.protocol);
                self.wrong(&path.key("protocol"), message, "Write HTTP, HTTP2 or GRPC.");
                return None;
            }
        };
        let target = written.target_port.unwrap_or(written.number);
        Some(Port { number: written.number, name: written.name.clone(), target, protocol, content })
    }

    /// The endpoints that the document lists, which are those of each of its hosts.
    fn listed(&mut self, naming: Naming) -> Vec<Arc<Workload>> {
        if matches!(naming, Naming::None(_)) {
            return Vec::new();
        }
        let path = |at| Path::spec().key("endpoints").index(at);
        let written = self.entry.spec.endpoints.iter().enumerate();
        written.filter_map(|(at, written)| self.endpoint(written, naming, &path(at)).map(Arc::new)).collect()
    }

    fn endpoints(&self, host: &Host, naming: Naming, listed: &[Arc<Workload>]) -> Vec<Arc<Workload>> {
        let named = matches!(naming, Naming::Names | Naming::Newest);
        if self.entry.spec.endpoints.is_empty() && named && !host.is_wildcard() {
            let address = host.as_str().parse().map_or_else(|_| naming.address(host.clone()), WorkloadAddress::Ip);
            let (ports, labels, locality) = (BTreeMap::new(), Arc::default(), Locality::default());
            return vec![Arc::new(Workload { address, ports, labels, locality, weight: NonZeroU32::MIN })];
        }
        listed.to_vec()
    }

    /// The addresses by which clients may call the service, beside its host. A range of them is for connections without
    /// HTTP, which say no host.
    fn addresses(&self) -> Vec<Host> {
        let addresses = self.entry.spec.addresses.iter();
        let one = |text: &String| {
            let (address, length) = text.split_once('/').unwrap_or((text, ""));
            let ip: IpAddr = address.parse().ok()?;
            let whole = if ip.is_ipv4() { "32" } else { "128" };
            Host::parse(address).ok().filter(|_| length.is_empty() || length == whole)
        };
        addresses.filter_map(one).collect()
    }

    fn endpoint(&mut self, written: &WorkloadEntry, naming: Naming, path: &Path) -> Option<Workload> {
        let (place, text) = (self.entry.document.place(&path.key("address")), written.address.as_str());
        if text.starts_with("unix://") {
            let said = remark("A Unix socket is not executed yet.", "Give the endpoint an IP address and port.");
            self.findings.not_executed(&UNIX_SOCKET, place, said);
            return None;
        }
        let address = match (text.parse::<IpAddr>(), Host::parse(text)) {
            (Ok(ip), _) => WorkloadAddress::Ip(ip),
            (Err(_), Ok(name)) if naming != Naming::Addresses => naming.address(name),
            _ if text.is_empty() && !self.entry.intact => return None,
            (Err(_), Ok(_)) => {
                let message = format!("`{text}` is no IP address, which a STATIC endpoint needs.");
                self.wrong(&path.key("address"), message, "Write its address, or `resolution: DNS`.");
                return None;
            }
            (Err(_), Err(error)) => {
                self.wrong(
                    &path.key("address"),
                    format!("`{text}` is no address: {error}."),
                    "Write an IP address or a name.",
                );
                return None;
            }
        };
        // An unset weight reads as zero, and either stands for one.
        let weight = NonZeroU32::new(written.weight).unwrap_or(NonZeroU32::MIN);
        self.check_ports(written, path);
        let (labels, locality) = topology::of_endpoint(written);
        let labels = Arc::new(labels);
        Some(Workload { address, ports: written.ports.clone(), labels, locality, weight })
    }

    fn check_ports(&mut self, written: &WorkloadEntry, path: &Path) {
        for name in written.ports.keys() {
            if self.entry.intact && self.entry.spec.ports.iter().all(|port| port.name != *name) {
                let cure = "Use the name of one of the service's `ports`.";
                self.wrong(&path.key("ports").key(name), format!("The service has no port named `{name}`."), cure);
            }
        }
    }
}
