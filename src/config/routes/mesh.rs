//! The virtual hosts of the mesh: what a sidecar's application may call, by virtual service or by service.
//!
//! The rules are those by which Istio builds a sidecar's routes (`BuildSidecarVirtualHostWrapper`): of several virtual
//! services of one host the oldest has it, a wildcard stands for the services that it matches if there are any, and a
//! service without a virtual service is reached by its own names.

use std::collections::BTreeSet;

use super::{Root, routes_for};
use crate::config::by_host::ByHost;
use crate::config::catalog::{Catalog, Service, aliases};
use crate::config::checked::{Entry, Route, RouteMatch, Share, VirtualHost};
use crate::config::pools::Pools;
use crate::config::viewpoint::Viewpoint;
use crate::domain::{Headers, Host, HostPattern, PoolKey};

/// The gateway that stands for all sidecars.
pub(super) const MESH: &str = "mesh";

/// The port that Istio serves hosts of no service on.
const PORT_OF_OTHERS: u16 = 80;

/// Builds them, from the virtual services that are bound to the mesh.
pub(super) fn virtual_hosts(roots: &[Root<'_>], pools: &mut Pools<'_>, viewpoint: &Viewpoint) -> Vec<VirtualHost> {
    let bound: Vec<&Root<'_>> = roots.iter().filter(|root| root.is_bound_to(MESH)).collect();
    let (port, namespace) = (viewpoint.mesh_port(), viewpoint.workload.namespace.as_str());
    let mut taken = BTreeSet::new();
    let mut virtual_hosts = Vec::new();
    let owners = Owners::of(&bound, pools.catalog());
    let claims: Vec<(&Root<'_>, Claim<'_>)> =
        bound.iter().map(|root| (*root, Claim::of(root, &owners, pools.catalog(), viewpoint))).collect();
    for (root, claim) in &claims {
        let routes = routes_for(&root.rules, MESH, port, viewpoint);
        if routes.is_empty() {
            continue;
        }
        let Some(hosts) = claim.hosts(port, namespace) else { continue };
        let hosts: Vec<HostPattern> = hosts.into_iter().filter(|host| taken.insert(host.clone())).collect();
        virtual_hosts.push(VirtualHost { entry: Entry::Mesh, hosts, routes });
    }
    let claimed: BTreeSet<&Host> = claims.iter().flat_map(|(_, claim)| &claim.services).map(|s| &s.host).collect();
    let concrete = |service: &&Service| service.called.alias_of.is_none() && !claimed.contains(&service.host);
    for service in pools.catalog().services().filter(concrete) {
        let hosts = names(service, namespace).filter(|host| taken.insert(host.clone())).collect();
        let routes = service_routes(service, port, pools);
        if !routes.is_empty() {
            virtual_hosts.push(VirtualHost { entry: Entry::Mesh, hosts, routes });
        }
    }
    virtual_hosts
}

/// The hosts that one virtual service stands for.
struct Claim<'c> {
    services: Vec<&'c Service>,
    /// Hosts and wildcards of no service.
    others: Vec<HostPattern>,
}

impl<'c> Claim<'c> {
    fn of(root: &Root<'_>, owners: &Owners<'_, 'c>, catalog: &'c Catalog, viewpoint: &Viewpoint) -> Self {
        let mut claim = Self { services: Vec::new(), others: Vec::new() };
        for pattern in root.hosts {
            match pattern {
                HostPattern::Exact(host) => {
                    match catalog.service(host, &viewpoint.workload.namespace) {
                        Some(service) => claim.services.push(service),
                        None => claim.others.push(pattern.clone()),
                    }
                    continue;
                }
                // Istio knows no `*` in the mesh; here it is whatever no other host is.
                HostPattern::Any => {
                    claim.others.push(pattern.clone());
                    continue;
                }
                HostPattern::Suffix(_) => {}
            }
            match owners.of_wildcard(pattern) {
                Some(owner) if owner.stands_for_services => {
                    claim.services.extend(owner.services.iter().filter(|_| std::ptr::eq(owner.root, root)));
                }
                _ => claim.others.push(pattern.clone()),
            }
        }
        claim
    }

    /// The names by which requests to `port` are this virtual service's; `None` where Istio serves it on other ports.
    fn hosts(&self, port: Option<u16>, namespace: &str) -> Option<Vec<HostPattern>> {
        let has = |service: &&&Service| port.is_none_or(|port| service.ports.iter().any(|own| own.number == port));
        let there: Vec<&&Service> = self.services.iter().filter(has).collect();
        let by_service = self.services.iter().any(|service| !service.ports.is_empty());
        let serves = if by_service { !there.is_empty() } else { port.is_none_or(|port| port == PORT_OF_OTHERS) };
        let others = self.others.iter().flat_map(|other| match other {
            // A name of the cluster that no document declares is called by its short forms all the same.
            HostPattern::Exact(host) => {
                [vec![other.clone()], aliases(host, namespace).into_iter().map(HostPattern::Exact).collect()].concat()
            }
            HostPattern::Suffix(_) | HostPattern::Any => vec![other.clone()],
        });
        serves.then(|| there.iter().flat_map(|service| names(service, namespace)).chain(others).collect())
    }
}

/// Who has each host of the virtual services: of several the oldest.
struct Owners<'r, 'c> {
    places: ByHost<usize>,
    owners: Vec<Owner<'r, 'c>>,
}

/// The virtual service that has a host.
struct Owner<'r, 'c> {
    root: &'r Root<'r>,
    /// Whether the host is or matches a service at all.
    stands_for_services: bool,
    /// The services that no other host matches more closely.
    services: Vec<&'c Service>,
}

impl<'r, 'c> Owners<'r, 'c> {
    fn of(bound: &[&'r Root<'r>], catalog: &'c Catalog) -> Self {
        let (mut places, mut owners) = (ByHost::default(), Vec::new());
        for (root, pattern) in bound.iter().flat_map(|root| root.hosts.iter().map(move |pattern| (root, pattern))) {
            places.get_or_insert_with(pattern, || {
                owners.push(Owner { root, stands_for_services: false, services: Vec::new() });
                owners.len() - 1
            });
        }
        for service in catalog.services() {
            for (rank, place) in places.matching(service.host.as_str()).enumerate() {
                owners[*place].stands_for_services = true;
                if rank == 0 {
                    owners[*place].services.push(service);
                }
            }
        }
        Self { places, owners }
    }

    fn of_wildcard(&self, pattern: &HostPattern) -> Option<&Owner<'r, 'c>> {
        self.places.get(pattern).map(|place| &self.owners[*place])
    }
}

/// Every name that a service is called by (`generateVirtualHostDomains`).
fn names(service: &Service, namespace: &str) -> impl Iterator<Item = HostPattern> {
    let hosts = [&service.host].into_iter().chain(&service.called.aliases);
    let domains: Vec<HostPattern> = hosts
        .flat_map(|host| {
            [host.pattern()].into_iter().chain(aliases(host, namespace).into_iter().map(HostPattern::Exact))
        })
        .collect();
    let under = |domain: &HostPattern| HostPattern::Suffix(format!(".{domain}").into());
    let subdomains: Vec<HostPattern> =
        if service.called.subdomains { domains.iter().map(under).collect() } else { Vec::new() };
    let addresses = service.addresses.iter().cloned().map(HostPattern::Exact);
    domains.into_iter().chain(subdomains).chain(addresses)
}

/// A request to a service without a virtual service goes to the service itself, on the port that it was sent to. Where
/// that port is not known to be one of the service's, it goes to its first.
fn service_routes(service: &Service, port: Option<u16>, pools: &mut Pools<'_>) -> Vec<Route> {
    let numbers: Vec<u16> = service.ports.iter().map(|port| port.number).collect();
    let route = |number: u16, matches: Vec<RouteMatch>, pools: &mut Pools<'_>| {
        let key = PoolKey { host: service.host.clone(), subset: None, port: number };
        Route {
            name: format!("service/{key}"),
            origin: service.origin.clone(),
            matches,
            split: vec![Share { pool: pools.place(service, key), weight: 100, headers: Headers::default() }],
            ..Route::default()
        }
    };
    match (port, numbers.as_slice()) {
        (Some(port), numbers) => {
            numbers.iter().filter(|number| **number == port).map(|number| route(*number, Vec::new(), pools)).collect()
        }
        (None, []) => Vec::new(),
        (None, [first, others @ ..]) => {
            let on = |port: u16| vec![RouteMatch { port: Some(port), ..RouteMatch::default() }];
            let mut routes: Vec<Route> = others.iter().map(|number| route(*number, on(*number), pools)).collect();
            routes.push(route(*first, Vec::new(), pools));
            routes
        }
    }
}
