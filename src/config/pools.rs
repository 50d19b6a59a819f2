//! The pools that something names, each built once from its service, its subset and its policy.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::catalog::{Called, Catalog, Port, Service, Workload, WorkloadAddress, in_force, kubernetes_name};
use super::checked::{Address, Endpoint, Pool, PoolIndex, Protocol, Queue, ServiceIdentity};
use super::finding::Findings;
use super::policies::{Policy, for_pool};
use super::sums::Sums;
use crate::domain::{Balancing, Original, OriginalBy, PoolKey, TrafficPolicy};

/// Envoy's connect timeout as Istio sets it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Envoy's default for `max_pending_requests`.
const MAX_PENDING: u32 = 1024;

/// The pools so far.
pub(super) struct Pools<'a> {
    catalog: &'a Catalog,
    policies: &'a [Policy],
    places: BTreeMap<PoolKey, PoolIndex>,
    built: Vec<Pool>,
    sums: Sums,
}

impl<'a> Pools<'a> {
    pub(super) fn new(catalog: &'a Catalog, policies: &'a [Policy]) -> Self {
        Self { catalog, policies, places: BTreeMap::new(), built: Vec::new(), sums: Sums::default() }
    }

    pub(super) fn catalog(&self) -> &'a Catalog {
        self.catalog
    }

    /// The pool of `key`, which names `service`.
    pub(super) fn place(&mut self, service: &Service, key: PoolKey) -> PoolIndex {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let place = PoolIndex(self.built.len());
        if !self.sums.takes_pool(&service.origin) {
            // This is not put in force, so that any pool stands for those that were too many.
            return PoolIndex(place.0 - 1);
        }
        let pool = self.build(service, key.clone());
        self.built.push(pool);
        self.places.insert(key, place);
        place
    }

    /// The pool without endpoints that `key` names where there is no such service, subset or port.
    pub(super) fn missing(&mut self, key: PoolKey) -> PoolIndex {
        let service = Service {
            host: key.host.clone(),
            namespace: String::new(),
            origin: String::new(),
            external: false,
            export_to: Vec::new(),
            subject_alt_names: Vec::new(),
            ports: Vec::new(),
            endpoints: Vec::new(),
            original: None,
            addresses: Vec::new(),
            called: Called::default(),
        };
        self.place(&service, key)
    }

    /// Every pool, with the spill orders filled in and the pools that these name.
    pub(super) fn finish(mut self, findings: &mut Findings) -> Vec<Pool> {
        let mut at = 0;
        while at < self.built.len() {
            let key = self.built[at].key.clone();
            let order = for_pool(self.policies, &key).map(|policy| policy.spill_to.as_slice()).unwrap_or_default();
            // A policy for every subset or port may name one of its own pools, or one pool twice, once it is applied.
            let mut spill_to: Vec<PoolIndex> = Vec::new();
            for target in order.iter().map(|spill| spill.key(key.port)).filter(|target| *target != key) {
                if let Some((service, _)) = self.catalog.find(target.host.as_str(), "") {
                    let place = self.place(service, target);
                    if !spill_to.contains(&place) {
                        spill_to.push(place);
                    }
                }
            }
            self.built[at].spill_to = spill_to;
            at += 1;
        }
        self.sums.report(findings);
        self.built
    }

    fn build(&mut self, service: &Service, key: PoolKey) -> Pool {
        let subset = key.subset.as_deref().and_then(|name| self.catalog.subset(&key.host, name));
        let port = service.ports.iter().find(|port| port.number == key.port);
        let chosen =
            || service.endpoints.iter().filter(|workload| subset.is_none_or(|subset| subset.selects(&workload.labels)));
        let mut endpoints: Vec<Endpoint> = Vec::new();
        if self.sums.takes_endpoints(chosen().count(), &service.origin) {
            endpoints.extend(chosen().map(|workload| endpoint(workload, port, key.port)));
        }
        let rule = self.catalog.rule(&key.host).and_then(|rule| rule.policy.as_ref());
        let (mut traffic, tls) = in_force(rule, subset.and_then(|subset| subset.policy.as_ref()), key.port);
        traffic.tls = tls.as_ref().and_then(|tls| tls.resolve(&key, &service.subject_alt_names));
        let none = Policy::none(key.host.clone());
        let policy = for_pool(self.policies, &key).unwrap_or(&none);
        let balancing = &mut traffic.load_balancer.balancing;
        if let Some(decay) = policy.peak_ewma
            && matches!(balancing, Balancing::LeastRequest | Balancing::RoundRobin | Balancing::Random)
        {
            *balancing = Balancing::PeakEwma(decay);
        }
        if !self.sums.takes_tables(&traffic.load_balancer, &endpoints, &service.origin) {
            traffic.load_balancer.balancing = Balancing::default();
        }
        let original = original(service, port, &key, &traffic);
        if original.is_some() {
            endpoints.clear();
        }
        let named = port.map_or(Protocol::Http1, |port| port.protocol);
        let protocol = if traffic.connection_pool.upgrades_to_http2 { Protocol::Http2 } else { named };
        Pool {
            service: identity(service, &endpoints, &key),
            tier: policy.tier,
            protocol,
            endpoints,
            original,
            slots_per_endpoint: policy.slots_per_endpoint,
            slots_per_pool: policy.slots_per_pool,
            adaptive_slots: policy.adaptive_slots,
            queue: Queue {
                max_pending: policy
                    .max_pending
                    .or_else(|| traffic.connection_pool.max_pending.map(NonZeroU32::get))
                    .unwrap_or(MAX_PENDING),
                timeout: policy.queue_timeout,
                order: policy.queue_order,
            },
            spill_to: Vec::new(),
            local_model: policy.local_model,
            latency_objective: policy.latency_objective,
            scaling: policy.scaling.clone(),
            hold: policy.hold,
            upkeep: policy.upkeep.clone(),
            hedge: policy.hedge,
            connect_timeout: traffic.connection_pool.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
            traffic,
            tls_place: tls.map(|tls| tls.place).unwrap_or_default(),
            key,
        }
    }
}

/// Where the requests for a pool go in place of its endpoints, if its service or its policy has it so.
fn original(service: &Service, port: Option<&Port>, key: &PoolKey, traffic: &TrafficPolicy) -> Option<Original> {
    let passthrough = traffic.load_balancer.balancing == Balancing::Passthrough;
    let by = service.original.or(passthrough.then_some(OriginalBy::Address))?;
    let target = port.map_or(key.port, |port| port.target);
    Some(Original {
        hosts: key.host.pattern(),
        port: target,
        redirected_port: Some(target).filter(|target| *target != key.port),
        by,
    })
}

fn endpoint(workload: &Workload, port: Option<&Port>, number: u16) -> Endpoint {
    let named = port.and_then(|port| workload.ports.get(&port.name).copied());
    let target = named.unwrap_or_else(|| port.map_or(number, |port| port.target));
    let address = match &workload.address {
        WorkloadAddress::Ip(ip) => Address::Socket(SocketAddr::new(*ip, target)),
        WorkloadAddress::Name(name) => Address::Name(name.clone(), target),
        WorkloadAddress::Logical(name) => Address::Logical(name.clone(), target),
    };
    Endpoint {
        address,
        weight: workload.weight,
        labels: Arc::clone(&workload.labels),
        locality: workload.locality.clone(),
    }
}

fn identity(service: &Service, endpoints: &[Endpoint], key: &PoolKey) -> ServiceIdentity {
    let host = key.host.to_string();
    let (name, namespace) = kubernetes_name(&key.host).filter(|_| !service.external).map_or_else(
        || (host.clone(), service.namespace.clone()),
        |(name, namespace)| (name.to_owned(), namespace.to_owned()),
    );
    let workload = common(endpoints, "app").unwrap_or_else(|| name.clone());
    let version = common(endpoints, "version")
        .or_else(|| key.subset.as_deref().map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned());
    ServiceIdentity { host, name, namespace, workload, version }
}

/// The value of a label that every endpoint has alike.
fn common(endpoints: &[Endpoint], label: &str) -> Option<String> {
    let first = endpoints.first()?.labels.get(label)?;
    endpoints.iter().all(|endpoint| endpoint.labels.get(label) == Some(first)).then(|| first.clone())
}
