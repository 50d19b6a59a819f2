//! What there is to refer to: services of `ServiceEntry` documents, and the subsets of `DestinationRule` documents.

mod externals;
mod kubernetes;
mod opaque;
mod passthrough;
mod policy;
mod rules;
mod services;
mod topology;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::by_host::ByHost;
use super::checked::Protocol;
use super::finding::{Findings, Remark, remark};
use super::secrets::Folders;
use super::suggest::{did_you_mean, nearest};
use super::sums::Sums;
use super::viewpoint::Viewpoint;
use super::visibility::{ROOT_NAMESPACE, is_visible};
use super::written::Written;
use crate::domain::{Host, HostPattern, Locality, OriginalBy, PoolKey};
pub(super) use opaque::Content;
pub(super) use policy::{Policy, in_force};
pub(super) use topology::{of_endpoint, with_topology};

/// The port of a destination that names none, of a service that is not there.
const HTTP_PORT: u16 = 80;

/// The domain of services inside a cluster.
pub(super) const CLUSTER_DOMAIN: &str = "svc.cluster.local";

/// One host with its ports and endpoints.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) host: Host,
    pub(super) namespace: String,
    /// Where it stands: `file:line`.
    pub(super) origin: String,
    /// Outside the mesh, where a host is no Kubernetes name whatever it looks like.
    pub(super) external: bool,
    /// The namespaces that see it; none is all.
    pub(super) export_to: Vec<String>,
    /// The names that its endpoints' certificates may be for: `subjectAltNames`.
    pub(super) subject_alt_names: Vec<String>,
    /// The ports that requests can be routed to, in the order of the document.
    pub(super) ports: Vec<Port>,
    /// Shared by the hosts of one document.
    pub(super) endpoints: Vec<Arc<Workload>>,
    /// What tells the destination of a request, of a service without endpoints.
    pub(super) original: Option<OriginalBy>,
    /// Addresses that it is called by, as hosts.
    pub(super) addresses: Vec<Host>,
    /// What a Kubernetes service is called by, beside its own host.
    pub(super) called: Called,
}

/// What a Kubernetes service is called by, and whether that is another's name.
#[derive(Debug, Default)]
pub(super) struct Called {
    /// The host that it stands for, of type `ExternalName`: requests for it are the service's of that host.
    pub(super) alias_of: Option<Host>,
    /// The hosts of type `ExternalName` that stand for it.
    pub(super) aliases: Vec<Host>,
    /// Whether every name under its own is its own as well, as those of its pods are: it is headless.
    pub(super) subdomains: bool,
}

/// One port of a service.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    pub(super) name: String,
    pub(super) target: u16,
    pub(super) protocol: Protocol,
    pub(super) content: Content,
}

/// One endpoint of a service, on whichever port.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) address: WorkloadAddress,
    pub(super) ports: BTreeMap<String, u16>,
    pub(super) labels: Arc<BTreeMap<String, String>>,
    pub(super) locality: Locality,
    pub(super) weight: NonZeroU32,
}

/// Where an endpoint is.
#[derive(Debug)]
pub(super) enum WorkloadAddress {
    Ip(IpAddr),
    /// Each address of the name is an endpoint.
    Name(Host),
    /// The name is one endpoint, with its newest address.
    Logical(Host),
}

/// What the `DestinationRule` documents of one host say together.
#[derive(Debug, Default)]
pub(super) struct Rule {
    pub(super) subsets: Vec<SubsetRule>,
    /// The top-level policy: that of the first document which has one.
    pub(super) policy: Option<Policy>,
}

/// One subset.
#[derive(Debug)]
pub(super) struct SubsetRule {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) policy: Option<Policy>,
}

/// Everything that a destination can name.
#[derive(Debug)]
pub(super) struct Catalog {
    /// The services of each host: those of Kubernetes first, then by age.
    services: BTreeMap<Host, Vec<Service>>,
    /// The rules by namespace.
    rules: BTreeMap<String, ByHost<Rule>>,
    folders: Folders,
    /// The namespace of the workload that the documents are read for.
    viewer: String,
    services_unknown: bool,
    subsets_unknown: bool,
}

/// A destination as a document writes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) host: &'a str,
    pub(super) subset: Option<&'a str>,
    pub(super) port: Option<u16>,
    /// The port that a request was sent to, which is meant where none is named and the service has it.
    pub(super) sent_to: Option<u16>,
    /// The namespace that short names belong to.
    pub(super) namespace: &'a str,
}

/// Why a destination names nothing.
pub(super) struct Unresolved {
    /// Which field of the destination is at fault.
    pub(super) field: &'static str,
    pub(super) remark: Remark,
    /// What it names all the same: a pool without endpoints.
    pub(super) key: PoolKey,
}

impl Catalog {
    /// Everything that `written` gives a destination to name, as the proxy sees it.
    pub(super) fn build(written: &Written, viewpoint: &Viewpoint, folders: Folders, findings: &mut Findings) -> Self {
        let viewer = &viewpoint.workload;
        let mut services: BTreeMap<Host, Vec<Service>> = BTreeMap::new();
        for service in kubernetes::build(written, &viewer.locality, findings) {
            services.entry(service.host.clone()).or_default().push(service);
        }
        let mut sums = Sums::default();
        services::build(&written.service_entries, &mut services, (&mut sums, findings));
        sums.report(findings);
        if let Some(any) = passthrough::build(written, viewpoint) {
            services.entry(any.host.clone()).or_default().push(any);
        }
        externals::join(&mut services);
        let mut catalog = Self {
            services,
            rules: BTreeMap::new(),
            folders,
            viewer: viewer.namespace.clone(),
            services_unknown: written.services_unknown || sums.is_over(),
            subsets_unknown: written.subsets_unknown,
        };
        catalog.rules = rules::build(&written.destination_rules, &catalog, viewer, findings);
        catalog.leave_opaque_ports(findings);
        catalog
    }

    /// Every service that the viewer sees, one a host, by host.
    pub(super) fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values().filter_map(|services| pick(services, &self.viewer))
    }

    /// Whether there is a service, seen or not, whose host matches `pattern`.
    pub(super) fn has(&self, pattern: &HostPattern) -> bool {
        match pattern {
            HostPattern::Exact(host) => self.services.contains_key(host) || self.wildcard(host).is_some(),
            _ => self.services.keys().any(|host| pattern.matches(host.as_str())),
        }
    }

    /// The service of exactly `host`, as `viewer` sees it.
    pub(super) fn service(&self, host: &Host, viewer: &str) -> Option<&Service> {
        pick(self.services.get(host)?, viewer)
    }

    /// The service that `text` means in `namespace`, and what it is called by there: a short name is one of the namespace
    /// before it is a host of its own. As in Istio, a wildcard's service has no part for one host alone.
    pub(super) fn find(&self, text: &str, namespace: &str) -> Option<(&Service, Host)> {
        let many = HostPattern::parse(text).ok().map(|pattern| Host::of_many(&pattern)).filter(Host::is_wildcard);
        let mut meant = many.into_iter().chain(meanings(text, namespace));
        meant.find_map(|host| Some((self.seen(&host, namespace)?, host)))
    }

    /// The service that Kubernetes' DNS would complete `text` to, which Istio does not do.
    fn half_written(&self, text: &str, namespace: &str) -> Option<&Service> {
        let whole = format!("{}.{CLUSTER_DOMAIN}", text.strip_suffix(".svc").unwrap_or(text));
        self.seen(&Host::parse(&whole).ok()?, namespace)
    }

    fn seen(&self, host: &Host, namespace: &str) -> Option<&Service> {
        let services = self.services.get(host)?;
        pick(services, namespace).or_else(|| pick(services, &self.viewer))
    }

    /// What the service is called by whose wildcard matches `host` most closely.
    fn wildcard(&self, host: &Host) -> Option<&Host> {
        let wildcards = self.services.keys().filter(|known| known.is_wildcard());
        wildcards
            .filter(|known| known.pattern().matches(host.as_str()))
            .max_by_key(|known| known.pattern().precedence())
    }

    /// The rule for `host`: one of the viewer's namespace before one of the service's, and that before one of Istio's root
    /// namespace; in a namespace, the host's own before the longest wildcard.
    pub(super) fn rule(&self, host: &Host) -> Option<&Rule> {
        let owner = self.service(host, &self.viewer);
        let namespaces =
            [Some(self.viewer.as_str()), owner.map(|service| service.namespace.as_str()), Some(ROOT_NAMESPACE)];
        let mut rules = namespaces.into_iter().flatten().filter_map(|namespace| self.rules.get(namespace));
        rules.find_map(|rules| rules.matching(host.as_str()).next())
    }

    /// The subset of `host` that is called `name`.
    pub(super) fn subset(&self, host: &Host, name: &str) -> Option<&SubsetRule> {
        self.rule(host)?.subsets.iter().find(|subset| subset.name == name)
    }

    /// The service and key that `target` names; `Err(None)` where an unreadable document may hold what is missing.
    pub(super) fn resolve(&self, target: Target<'_>) -> Result<(&Service, PoolKey), Option<Unresolved>> {
        let unresolved = |field, remark, host: &Host, port| {
            let key = PoolKey { host: host.clone(), subset: target.subset.map(Box::from), port };
            Unresolved { field, remark, key }
        };
        let Some((service, host)) = self.find(target.host, target.namespace) else {
            let port = target.port.or(target.sent_to).unwrap_or(HTTP_PORT);
            let meant = meanings(target.host, target.namespace).into_iter().next();
            let no_host = || self.no_host(target.host, target.namespace);
            let missing = meant.map(|host| unresolved("host", no_host(), &host, port));
            return Err(missing.filter(|_| !self.services_unknown));
        };
        let (service, host, target) = match &service.called.alias_of {
            None => (service, host, target),
            Some(external) => {
                let target = Target { port: externals::port(service, target), ..target };
                let Some(concrete) = self.concrete(external, target.namespace) else {
                    let (said, port) = (externals::missing(service, external), target.port.unwrap_or(HTTP_PORT));
                    return Err((!self.services_unknown).then(|| unresolved("host", said, external, port)));
                };
                (concrete, external.clone(), target)
            }
        };
        let port = match port(service, target) {
            Ok(port) => port,
            Err(remark) => {
                let port = target.port.or(target.sent_to).or(service.ports.first().map(|port| port.number));
                let missing = unresolved("port", remark, &host, port.unwrap_or(HTTP_PORT));
                return Err((!self.services_unknown).then_some(missing));
            }
        };
        if let Some(subset) = target.subset.filter(|subset| self.subset(&host, subset).is_none()) {
            let missing = unresolved("subset", self.no_subset(service, subset), &host, port);
            return Err((!self.subsets_unknown).then_some(missing));
        }
        Ok((service, PoolKey { host, subset: target.subset.map(Box::from), port }))
    }

    /// What is wrong with a document of `namespace` that names `text`, which is no service.
    pub(super) fn no_host(&self, text: &str, namespace: &str) -> Remark {
        if let Some(whole) = self.half_written(text, namespace) {
            return remark(
                format!("There is no service `{text}`: Istio completes names without a dot alone."),
                format!("Did you mean `{}`?", whole.host),
            );
        }
        let host = meanings(text, namespace).into_iter().next();
        // The service of whatever nothing declares is no document's.
        let many = host.as_ref().and_then(|host| self.wildcard(host)).filter(|many| many.pattern() != HostPattern::Any);
        if let Some(many) = many {
            return remark(
                format!("`{text}` is one host of `{many}`, and Istio has no service for it alone."),
                format!("Write `{many}`, or add a ServiceEntry for the host."),
            );
        }
        let hosts = || self.services.keys().map(Host::as_str);
        let near = if text.contains('.') {
            nearest(text, hosts())
        } else {
            // A short name is held against short names, and answered with the whole one: the namespace may be the slip.
            let label = nearest(text, hosts().map(first_label));
            label.and_then(|label| hosts().find(|host| first_label(host) == label))
        };
        let cure = near.map_or_else(
            || {
                "Add a ServiceEntry for it, or correct the name; a short one belongs to this document's namespace."
                    .to_owned()
            },
            |host| format!("Did you mean `{host}`?"),
        );
        let host = host.map_or_else(|| text.to_owned(), |host| host.to_string());
        remark(format!("There is no service `{host}`."), cure)
    }

    /// What is wrong with naming a subset that `service` does not have.
    pub(super) fn no_subset(&self, service: &Service, subset: &str) -> Remark {
        let known: Vec<&str> = self
            .rule(&service.host)
            .into_iter()
            .flat_map(|rule| &rule.subsets)
            .map(|known| known.name.as_str())
            .collect();
        let cure = did_you_mean(subset, known.iter().copied(), || match known.as_slice() {
            [] => format!("Add a DestinationRule for `{}` that has it.", service.host),
            known => format!("Its subsets are {}.", known.join(", ")),
        });
        remark(format!("`{}` has no subset `{subset}`.", service.host), cure)
    }
}

/// Of the services of one host, the one that `viewer` means: its own namespace's, else the first that it sees.
fn pick<'s>(services: &'s [Service], viewer: &str) -> Option<&'s Service> {
    let seen = |service: &&Service| is_visible(&service.export_to, &service.namespace, viewer);
    let own = services.iter().find(|service| service.namespace == viewer);
    own.filter(seen).or_else(|| services.iter().find(seen))
}

/// The port of `service` that `target` means, else what is wrong with it.
fn port(service: &Service, target: Target<'_>) -> Result<u16, Remark> {
    let has = |wanted: u16| service.ports.iter().any(|port| port.number == wanted);
    let numbers = || service.ports.iter().map(|port| port.number.to_string()).collect::<Vec<_>>().join(", ");
    let (message, cure) = match (target.port, service.ports.as_slice()) {
        (Some(wanted), _) if has(wanted) => return Ok(wanted),
        (None, [only]) => return Ok(only.number),
        (None, [_, ..]) if let Some(sent_to) = target.sent_to.filter(|port| has(*port)) => return Ok(sent_to),
        (_, []) => (
            format!("`{}` has no port that speaks HTTP.", service.host),
            "Give the service a port with `protocol: HTTP` or `HTTP2`.".to_owned(),
        ),
        (Some(wanted), _) => (
            format!("`{}` has no port {wanted} that speaks HTTP.", service.host),
            format!("Its ports are {}.", numbers()),
        ),
        (None, _) => (
            format!("`{}` has several ports, and none is named here.", service.host),
            format!("Add `port` with one of {}.", numbers()),
        ),
    };
    Err(remark(message, cure))
}

fn first_label(host: &str) -> &str {
    host.split('.').next().unwrap_or(host)
}

/// The hosts that `text` may mean, the likeliest first.
///
/// Istio completes names without a dot alone, not the half-written forms that Kubernetes' DNS completes.
pub(super) fn meanings(text: &str, namespace: &str) -> Vec<Host> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let completed = (!bare.contains('.')).then(|| format!("{bare}.{namespace}.{CLUSTER_DOMAIN}"));
    completed.iter().map(String::as_str).chain([bare]).filter_map(|form| Host::parse(form).ok()).collect()
}

/// Every way in which a request may name `host`: Kubernetes' DNS completes a service's name, and its namespace's.
pub(super) fn aliases(host: &Host, workload_namespace: &str) -> Vec<Host> {
    let Some((name, namespace)) = kubernetes_name(host) else { return Vec::new() };
    let short = (namespace == workload_namespace).then(|| name.to_owned());
    let forms = [Some(format!("{name}.{namespace}.svc")), Some(format!("{name}.{namespace}")), short];
    forms.iter().flatten().filter_map(|form| Host::parse(form).ok()).collect()
}

/// The name and namespace of a Kubernetes service's host.
pub(super) fn kubernetes_name(host: &Host) -> Option<(&str, &str)> {
    let service = host.as_str().strip_suffix(CLUSTER_DOMAIN)?.strip_suffix('.')?;
    service.split_once('.').filter(|(name, namespace)| !name.is_empty() && !namespace.contains('.'))
}
