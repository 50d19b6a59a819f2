//! `VirtualService` documents into virtual hosts, for the proxy that they are read for.

mod answers;
mod conditions;
mod cors;
mod delegates;
mod edits;
mod faults;
mod gateway;
mod hosts;
mod mesh;
mod mirrors;
mod retries;

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::Target;
use super::checked::{Entry, PoolIndex, Route, RouteMatch, Share, VirtualHost};
use super::document::Document;
use super::expressions::Expressions;
use super::finding::{Findings, remark};
use super::gateways::{Server, full_name};
use super::path::Path;
use super::pools::Pools;
use super::route_policies::RoutePolicies;
use super::viewpoint::{Callers, Viewpoint};
use super::visibility::is_visible;
use super::written::{Destination, HttpRoute, HttpRouteDestination, Sourced, VirtualService};
use crate::domain::{Headers, HostPattern, parse_duration};
use mirrors::Mirroring;

/// The documents that rules come from.
#[derive(Clone, Copy)]
pub(super) struct Documents<'a> {
    pub(super) virtual_services: &'a [Sourced<VirtualService>],
    pub(super) policies: &'a RoutePolicies,
    pub(super) expressions: &'a Expressions,
}

/// One rule as its document has it, before it is known where it applies.
#[derive(Clone, Debug)]
struct Rule {
    /// Everything but its conditions and mirrors.
    route: Route,
    /// Its conditions; none take everything.
    alternatives: Vec<Alternative>,
    mirroring: Mirroring,
    delegate: Option<Delegate>,
}

/// One `match`.
#[derive(Clone, Debug)]
struct Alternative {
    conditions: RouteMatch,
    callers: Callers,
}

/// The virtual service whose rules stand in a rule's place.
#[derive(Clone, Debug)]
struct Delegate {
    /// Empty for that of the rule.
    namespace: String,
    name: String,
}

/// A virtual service with hosts, seen by the proxy, its delegates' rules in their places.
struct Root<'a> {
    document: &'a Document,
    hosts: &'a [HostPattern],
    /// As `namespace/name`, or `mesh`.
    gateways: BTreeSet<String>,
    rules: Vec<Rule>,
}

impl Root<'_> {
    fn is_bound_to(&self, gateway: &str) -> bool {
        self.gateways.contains(gateway)
    }
}

/// Builds every virtual host of the proxy; `servers` are those of its gateways.
pub(super) fn build(
    documents: Documents<'_>,
    servers: &[Server],
    pools: &mut Pools<'_>,
    viewpoint: &Viewpoint,
    findings: &mut Findings,
) -> Vec<VirtualHost> {
    let hosts: Vec<Vec<HostPattern>> =
        documents.virtual_services.iter().map(|source| hosts::read(source, pools.catalog(), findings)).collect();
    let rules = read(documents, viewpoint.mesh_port(), pools, findings);
    let roots = roots(documents.virtual_services, &hosts, &rules, viewpoint);
    let mut virtual_hosts =
        if viewpoint.serves_mesh() { mesh::virtual_hosts(&roots, pools, viewpoint) } else { Vec::new() };
    let mut entries: BTreeMap<u16, Vec<(Entry, Vec<&Server>)>> = BTreeMap::new();
    for server in servers {
        let at = entries.entry(server.port).or_default();
        let entry = Entry::Gateway { port: server.port, server_names: server.server_names() };
        match at.iter_mut().find(|(known, _)| *known == entry) {
            Some((_, servers)) => servers.push(server),
            None => at.push((entry, vec![server])),
        }
    }
    for (port, entries) in &entries {
        // What is wrong with the documents has been said; here they are read once more for what depends on the port.
        let rules = read(documents, Some(*port), pools, &mut Findings::default());
        let roots = self::roots(documents.virtual_services, &hosts, &rules, viewpoint);
        for (entry, servers) in entries {
            virtual_hosts.extend(gateway::virtual_hosts(entry, servers, &roots, viewpoint));
        }
    }
    virtual_hosts
}

/// The rules of every document, with destinations as a listener on `port` finds them.
fn read(documents: Documents<'_>, port: Option<u16>, pools: &mut Pools<'_>, findings: &mut Findings) -> Vec<Vec<Rule>> {
    let Documents { virtual_services, .. } = documents;
    virtual_services.iter().map(|source| Reader { source, documents, port, pools, findings }.rules()).collect()
}

fn roots<'a>(
    documents: &'a [Sourced<VirtualService>],
    hosts: &'a [Vec<HostPattern>],
    rules: &[Vec<Rule>],
    viewpoint: &Viewpoint,
) -> Vec<Root<'a>> {
    let delegates = delegates::delegates(documents, rules);
    let seen = documents.iter().zip(hosts).zip(rules).filter(|((source, hosts), _)| {
        let namespace = &source.document.namespace;
        !hosts.is_empty() && is_visible(&source.spec.export_to, namespace, &viewpoint.workload.namespace)
    });
    let root = |((source, hosts), rules): ((&'a Sourced<VirtualService>, &'a Vec<HostPattern>), &Vec<Rule>)| Root {
        document: &source.document,
        hosts,
        gateways: gateways(source),
        rules: delegates::expand(&source.document, rules, &delegates),
    };
    seen.map(root).collect()
}

/// The gateways that a virtual service is bound to.
fn gateways(source: &Sourced<VirtualService>) -> BTreeSet<String> {
    let named = source.spec.gateways.iter().map(|gateway| full_name(gateway, &source.document.namespace));
    let named: BTreeSet<String> = named.collect();
    if named.is_empty() { BTreeSet::from([mesh::MESH.to_owned()]) } else { named }
}

/// The routes that `rules` come to for requests through `gateway`, sent to `port` where that is known.
fn routes_for(rules: &[Rule], gateway: &str, port: Option<u16>, viewpoint: &Viewpoint) -> Vec<Route> {
    let route = |rule: &Rule| {
        let here = |alternative: &&Alternative| {
            let other_port = alternative.conditions.port.zip(port).is_some_and(|(wanted, port)| wanted != port);
            !other_port && alternative.callers.include(gateway, viewpoint)
        };
        let matches: Vec<RouteMatch> =
            rule.alternatives.iter().filter(here).map(|alternative| alternative.conditions.clone()).collect();
        let applies = rule.alternatives.is_empty() || !matches.is_empty();
        let acts = !rule.route.split.is_empty() || rule.route.answer.is_some();
        (applies && acts).then(|| Route { matches, mirrors: rule.mirroring.mirrors(), ..rule.route.clone() })
    };
    rules.iter().filter_map(route).collect()
}

struct Reader<'a, 'p> {
    source: &'a Sourced<VirtualService>,
    documents: Documents<'a>,
    /// The port that requests were sent to, where it is known.
    port: Option<u16>,
    pools: &'a mut Pools<'p>,
    findings: &'a mut Findings,
}

impl Reader<'_, '_> {
    fn wrong(&mut self, path: &Path, message: impl Into<String>, cure: impl Into<String>) {
        self.source.refuse(path, remark(message, cure), self.findings);
    }

    fn rules(&mut self) -> Vec<Rule> {
        let (spec, document) = (&self.source.spec, &self.source.document);
        let (mut rules, mut names) = (Vec::new(), BTreeSet::new());
        for (at, written) in spec.http.iter().enumerate() {
            let path = Path::spec().key("http").index(at);
            let plain =
                written.name.as_deref().filter(|name| !name.is_empty()).map_or_else(|| at.to_string(), str::to_owned);
            let mut name = format!("{}/{plain}", document.full_name());
            while !names.insert(name.clone()) {
                name = format!("{name}-{at}");
            }
            let expressions = self.documents.expressions;
            let path_of_matches = path.key("match");
            let alternatives =
                conditions::read((self.source, expressions), &written.matches, &path_of_matches, self.findings);
            let delegate = written
                .delegate
                .as_ref()
                .map(|delegate| Delegate { namespace: delegate.namespace.clone(), name: delegate.name.clone() });
            let route = self.route(written, name, &path);
            rules.push(Rule { route, alternatives, mirroring: self.mirroring(written), delegate });
        }
        rules
    }

    fn route(&mut self, written: &HttpRoute, name: String, path: &Path) -> Route {
        let rewrite = written.rewrite.as_ref().map(|rewrite| self.rewrite(rewrite, &path.key("rewrite")));
        Route {
            name,
            origin: self.source.document.origin(path),
            document: self.source.document.title(),
            matches: Vec::new(),
            split: self.split(&written.route, &path.key("route")),
            answer: self.answer(written, path),
            headers: Headers {
                authority: self.authority(&written.headers, &path.key("headers")),
                ..self.headers(&written.headers, &path.key("headers"))
            },
            rewrite: rewrite.unwrap_or_default(),
            cors: written.cors_policy.as_ref().map(|cors| self.cors(cors, &path.key("corsPolicy"))),
            fault: written.fault.as_ref().map(faults::read),
            timeout: written.timeout.as_deref().and_then(|text| parse_duration(text).ok()),
            retries: written.retries.as_ref().map(|retries| self.retries(retries, &path.key("retries"))),
            mirrors: Vec::new(),
            policy: self.documents.policies.of(&self.source.document, written.name.as_deref()),
        }
    }

    fn split(&mut self, destinations: &[HttpRouteDestination], path: &Path) -> Vec<Share> {
        let lone = destinations.len() == 1;
        let mut sum = 0_i64;
        let mut split = Vec::new();
        for (at, written) in destinations.iter().enumerate() {
            let path = path.index(at);
            sum += i64::from(written.weight);
            let weight = u32::try_from(written.weight).ok();
            // One destination gets everything, whatever its weight says.
            let weight = if lone { weight.filter(|weight| *weight > 0).or(Some(100)) } else { weight };
            let place = self.destination(&written.destination);
            let headers = Headers {
                authority: self.authority(&written.headers, &path.key("headers")),
                ..self.headers(&written.headers, &path.key("headers"))
            };
            split.extend(place.zip(weight).map(|(pool, weight)| Share { pool, weight, headers }));
        }
        if sum > i64::from(u32::MAX) {
            self.wrong(
                path,
                format!("The weights add up to {sum}, which is too much."),
                "Write smaller weights in the same proportion.",
            );
        }
        split
    }

    fn destination(&mut self, destination: &Destination) -> Option<PoolIndex> {
        if destination.host.is_empty() {
            return None;
        }
        let port = destination.port.as_ref().map(|port| port.number).filter(|number| *number != 0);
        let port = port.and_then(|number| u16::try_from(number).ok());
        let document = &self.source.document;
        let subset = destination.subset.as_deref().filter(|subset| !subset.is_empty());
        let target =
            Target { host: &destination.host, subset, port, sent_to: self.port, namespace: &document.namespace };
        match self.pools.catalog().resolve(target) {
            Ok((service, key)) => Some(self.pools.place(service, key)),
            Err(None) => None,
            // What is missing is for the analysis to say.
            Err(Some(unresolved)) => Some(self.pools.missing(unresolved.key)),
        }
    }
}
