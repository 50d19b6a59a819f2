//! `VirtualService` documents into virtual hosts, and a virtual host for every service that has none.

mod answers;
mod conditions;
mod cors;
mod edits;
mod faults;
mod hosts;
mod reach;

use std::collections::BTreeSet;

use super::catalog::{Target, aliases};
use super::checked::{Route, Share, VirtualHost};
use super::finding::{DIVERTING, Findings, remark};
use super::path::Path;
use super::pools::Pools;
use super::written::{HttpRoute, HttpRouteDestination, Sourced, VirtualService};
use crate::domain::{Headers, HostPattern, parse_duration};

use hosts::Claims;

/// Builds every virtual host; `workload_namespace` is where a request's short host names belong.
pub(super) fn build(
    documents: &[Sourced<VirtualService>],
    pools: &mut Pools<'_>,
    workload_namespace: &str,
    findings: &mut Findings,
) -> Vec<VirtualHost> {
    let claims = Claims::of(documents, pools.catalog(), workload_namespace, findings);
    let mut virtual_hosts = Vec::new();
    for (source, hosts) in documents.iter().zip(&claims.hosts) {
        let routes = Reader { source, pools, findings }.routes();
        if !hosts.is_empty() {
            virtual_hosts.push(VirtualHost { hosts: hosts.clone(), routes });
        }
    }
    virtual_hosts.extend(services(pools, &claims, workload_namespace));
    virtual_hosts
}

/// A request to a service without a `VirtualService` goes to the service itself, as it does in the mesh.
fn services(pools: &mut Pools<'_>, claims: &Claims, workload_namespace: &str) -> Vec<VirtualHost> {
    let catalog = pools.catalog();
    let mut virtual_hosts = Vec::new();
    for service in catalog.services().filter(|service| !claims.covers(&service.host)) {
        let Some(port) = service.ports.first() else { continue };
        let key = crate::domain::PoolKey { host: service.host.clone(), subset: None, port: port.number };
        let named = [service.host.clone()].into_iter().chain(aliases(&service.host, workload_namespace));
        let hosts: Vec<HostPattern> = named.map(HostPattern::Exact).filter(|host| !claims.takes(host)).collect();
        let route = Route {
            name: format!("service/{key}"),
            origin: service.origin.clone(),
            split: vec![Share { pool: pools.place(service, key), weight: 1, headers: Headers::default() }],
            ..Route::default()
        };
        virtual_hosts.push(VirtualHost { hosts, routes: vec![route] });
    }
    virtual_hosts
}

struct Reader<'a, 'p> {
    source: &'a Sourced<VirtualService>,
    pools: &'a mut Pools<'p>,
    findings: &'a mut Findings,
}

impl Reader<'_, '_> {
    fn wrong(&mut self, path: &Path, message: impl Into<String>, cure: impl Into<String>) {
        let document = &self.source.document;
        self.findings.error(document.schema_code(), document.place(path), remark(message, cure));
    }

    fn routes(&mut self) -> Vec<Route> {
        let (spec, document) = (&self.source.spec, &self.source.document);
        let protocols = ["http", "tls", "tcp"].map(|protocol| document.has(&Path::spec().key(protocol)));
        if self.source.intact && !protocols.contains(&true) {
            self.wrong(&Path::spec(), "There are no rules.", "Add `http` with one rule at least.");
        }
        if self.source.intact {
            reach::report(self.source, self.findings);
        }
        let (mut routes, mut names) = (Vec::new(), BTreeSet::new());
        for (at, written) in spec.http.iter().enumerate() {
            let path = Path::spec().key("http").index(at);
            let plain =
                written.name.as_deref().filter(|name| !name.is_empty()).map_or_else(|| at.to_string(), str::to_owned);
            let mut name = format!("{}/{plain}", document.full_name());
            while !names.insert(name.clone()) {
                name = format!("{name}-{at}");
            }
            routes.push(self.route(written, name, &path));
        }
        routes
    }

    fn route(&mut self, written: &HttpRoute, name: String, path: &Path) -> Route {
        let others = ["redirect", "directResponse", "delegate"].map(|field| self.source.document.has(&path.key(field)));
        let exclusive = others.iter().filter(|set| **set).count() + usize::from(!written.route.is_empty());
        if exclusive > 1 {
            self.wrong(
                path,
                "The fields route, redirect, directResponse and delegate exclude each other.",
                "Keep one of them.",
            );
        } else if exclusive == 0 && self.source.intact {
            self.wrong(path, "The rule sends requests nowhere.", "Add `route` with a destination.");
        }
        let has = |field: &str| self.source.document.has(&path.key(field));
        let answers = has("redirect") || has("directResponse");
        for field in ["fault", "rewrite"].into_iter().filter(|field| answers && has(field)) {
            let message = format!("A rule that answers itself cannot have `{field}`.");
            self.wrong(&path.key(field), message, "Take one of the two out.");
        }
        let matches = conditions::read(self.source, &written.matches, &path.key("match"), self.findings);
        let rewrite = written.rewrite.as_ref().map(|rewrite| self.rewrite(rewrite, &path.key("rewrite")));
        let authority = written.rewrite.as_ref().map_or("", |rewrite| &rewrite.authority);
        Route {
            name,
            origin: self.source.document.origin(path),
            matches,
            split: self.split(&written.route, &path.key("route")),
            answer: self.answer(written, path),
            headers: Headers {
                authority: self.authority(&written.headers, authority, &path.key("headers")),
                ..self.headers(&written.headers, &path.key("headers"))
            },
            rewrite: rewrite.unwrap_or_default(),
            cors: written.cors_policy.as_ref().map(|cors| self.cors(cors, &path.key("corsPolicy"))),
            fault: written.fault.as_ref().map(|fault| self.fault(fault, &path.key("fault"))),
            timeout: written.timeout.as_deref().and_then(|text| parse_duration(text).ok()),
        }
    }

    fn split(&mut self, destinations: &[HttpRouteDestination], path: &Path) -> Vec<Share> {
        let lone = destinations.len() == 1;
        let mut sum = 0_i64;
        let mut split = Vec::new();
        for (at, written) in destinations.iter().enumerate() {
            let path = path.index(at);
            sum += i64::from(written.weight);
            let weight = if lone { Some(1) } else { u32::try_from(written.weight).ok() };
            if written.weight < 0 {
                self.wrong(
                    &path.key("weight"),
                    format!("The weight {} is negative.", written.weight),
                    "Write 0 or more.",
                );
            }
            let place = self.destination(written, &path.key("destination"));
            let headers = Headers {
                authority: self.authority(&written.headers, "", &path.key("headers")),
                ..self.headers(&written.headers, &path.key("headers"))
            };
            split.extend(place.zip(weight).map(|(pool, weight)| Share { pool, weight, headers }));
        }
        if !lone && !destinations.is_empty() && sum == 0 && self.source.intact {
            self.wrong(
                path,
                "The weights add up to 0, so nothing gets any request.",
                "Give one destination a weight at least.",
            );
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

    fn destination(&mut self, written: &HttpRouteDestination, path: &Path) -> Option<super::checked::PoolIndex> {
        let destination = &written.destination;
        if destination.host.is_empty() {
            if self.source.intact {
                self.wrong(&path.key("host"), "The host is empty.", "Name a service.");
            }
            return None;
        }
        let port = destination.port.as_ref().map(|port| port.number).filter(|number| *number != 0);
        let Ok(port) = port.map(u16::try_from).transpose() else {
            let path = path.key("port").key("number");
            self.wrong(&path, "A port is at most 65535.", "Write a number from 1 to 65535.");
            return None;
        };
        let document = &self.source.document;
        let subset = destination.subset.as_deref().filter(|subset| !subset.is_empty());
        let target = Target { host: &destination.host, subset, port, namespace: &document.namespace };
        match self.pools.catalog().resolve(target) {
            Ok((service, key)) => Some(self.pools.place(service, key)),
            Err(None) => None,
            Err(Some(unresolved)) => {
                let place = document.place(&path.key(unresolved.field));
                self.findings.error(unresolved.code, place, unresolved.remark);
                None
            }
        }
    }
}

/// Reports a virtual service whose hosts cannot be served: a delegate's, for the most part.
fn no_hosts(source: &Sourced<VirtualService>, findings: &mut Findings) {
    let said = remark(
        "A VirtualService without hosts takes part by delegation alone, which is not executed yet.",
        "Name the hosts whose requests it routes.",
    );
    findings.error(DIVERTING, source.document.place(&Path::spec()), said);
}
