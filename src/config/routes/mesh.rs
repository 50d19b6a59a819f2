//! The virtual hosts of the mesh: what a sidecar's application may call, by virtual service or by service.
//!
//! The rules are those by which Istio builds a sidecar's routes (`BuildSidecarVirtualHostWrapper`): of several virtual
//! services of one host the oldest has it, a wildcard stands for the services that it matches if there are any, and a
//! service without a virtual service is reached by its own names.

use std::collections::BTreeSet;

use super::{Root, routes_for};
use crate::config::catalog::{Catalog, Service, aliases};
use crate::config::checked::{Entry, Route, RouteMatch, Share, VirtualHost};
use crate::config::finding::{Findings, HOST_TWICE, remark};
use crate::config::path::Path;
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
    let claims: Vec<(&Root<'_>, Claim<'_>)> =
        bound.iter().map(|root| (*root, Claim::of(root, &bound, pools.catalog(), viewpoint))).collect();
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
    for service in pools.catalog().services().filter(|service| !claimed.contains(&service.host)) {
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
    fn of(root: &Root<'_>, bound: &[&Root<'_>], catalog: &'c Catalog, viewpoint: &Viewpoint) -> Self {
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
            let mut matched = catalog.services().filter(|service| pattern.matches(service.host.as_str())).peekable();
            if matched.peek().is_none() {
                claim.others.push(pattern.clone());
            }
            claim.services.extend(matched.filter(|service| {
                let owner = most_specific(bound, &service.host);
                owner.is_some_and(|(owner, by)| std::ptr::eq(owner, root) && by == pattern)
            }));
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

/// The virtual service whose host matches `host` most closely, and by which of its hosts; of equals the oldest.
fn most_specific<'r, 'a>(bound: &[&'r Root<'a>], host: &Host) -> Option<(&'r Root<'a>, &'r HostPattern)> {
    let matching = bound.iter().flat_map(|root| root.hosts.iter().map(|pattern| (*root, pattern)));
    let matching = matching.filter(|(_, pattern)| pattern.matches(host.as_str()));
    // The last of equals is taken, so the oldest come last.
    matching.rev().max_by_key(|(_, pattern)| pattern.precedence())
}

/// Every name that a service is called by.
fn names(service: &Service, namespace: &str) -> impl Iterator<Item = HostPattern> {
    let further = aliases(&service.host, namespace).into_iter().chain(service.addresses.iter().cloned());
    [service.host.pattern()].into_iter().chain(further.map(HostPattern::Exact))
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

/// Reports hosts that two virtual services of the mesh both claim (IST0109): the oldest has them.
pub(super) fn report(roots: &[Root<'_>], findings: &mut Findings) {
    let mut owners: std::collections::BTreeMap<&HostPattern, &Root<'_>> = std::collections::BTreeMap::new();
    for root in roots.iter().filter(|root| root.is_bound_to(MESH)) {
        for (at, pattern) in root.hosts.iter().enumerate() {
            let Some(owner) = owners.get(pattern).filter(|owner| !std::ptr::eq(**owner, root)) else {
                owners.insert(pattern, root);
                continue;
            };
            let said = remark(
                format!(
                    "The host `{pattern}` is claimed by the VirtualService `{}` already.",
                    owner.document.full_name()
                ),
                "Move the rules of both into one VirtualService.",
            );
            findings.error(HOST_TWICE, root.document.place(&Path::spec().key("hosts").index(at)), said);
        }
    }
}
