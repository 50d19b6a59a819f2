//! From a checked configuration to a snapshot.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use http::HeaderValue;

use super::entries::Entries;
use super::{Action, Edits, Mirror, PoolId, Resolved, Route, Snapshot, VirtualHost, VirtualHostId, endpoints};
use crate::config::{self, Checked, PoolIndex};
use crate::domain::{Address, Balancing, Fault, Percentage, PoolKey, Protocol, Reports, TrafficPolicy};
use crate::pool::{
    DemandState, Ejections, EndpointState, HoldState, Latencies, Pool, PoolLoad, QueueState, RetryLimit, RetryState,
};
use crate::routing::{Condition, Matcher, PathIndex, Split};

/// The alternatives of a host from which an index finds the first that holds sooner than trying each in turn
/// (benches/matching.rs).
const INDEXED_FROM: usize = 8;

/// Compiles `checked`, whose names have the addresses `resolved`. Endpoints that `previous` has too, by pool and address,
/// keep their state: requests in flight stay counted and ejected endpoints stay ejected.
pub fn compile(checked: &Checked, resolved: &Resolved, previous: Option<&Snapshot>) -> Snapshot {
    let known = previous.map(Known::of).unwrap_or_default();
    let mut entries = Entries::default();
    let mut routes = Vec::new();
    let mut virtual_hosts = Vec::new();
    for host in &checked.virtual_hosts {
        let id = VirtualHostId(dense(virtual_hosts.len()));
        entries.insert(&host.entry, &host.hosts, id);
        let first = dense(routes.len());
        routes.extend(host.routes.iter().filter_map(compile_route));
        let paths = index(&routes[first as usize..]);
        virtual_hosts.push(VirtualHost { routes: first..dense(routes.len()), paths });
    }
    Snapshot {
        generation: previous.map_or(1, |previous| previous.generation + 1),
        limits: checked.limits.clone(),
        entries: Arc::new(entries),
        has_originals: checked.pools.iter().any(|pool| pool.original.is_some()),
        virtual_hosts: virtual_hosts.into(),
        routes: routes.into(),
        pools: compile_pools(checked, resolved, &known),
        services: checked.pools.iter().map(|pool| pool.service.clone()).collect(),
        overflow: (0..checked.pools.len()).map(|index| overflow(checked, PoolIndex(index))).collect(),
    }
}

/// `previous` once more, for the same `checked`, now that its names have the addresses `resolved`.
pub fn resolve(checked: &Checked, resolved: &Resolved, previous: &Snapshot) -> Snapshot {
    Snapshot {
        generation: previous.generation,
        limits: previous.limits.clone(),
        entries: Arc::clone(&previous.entries),
        has_originals: previous.has_originals,
        virtual_hosts: Arc::clone(&previous.virtual_hosts),
        routes: Arc::clone(&previous.routes),
        pools: compile_pools(checked, resolved, &Known::of(previous)),
        services: Arc::clone(&previous.services),
        overflow: Arc::clone(&previous.overflow),
    }
}

fn compile_pools(checked: &Checked, resolved: &Resolved, known: &Known<'_>) -> Box<[Pool]> {
    let caller = &checked.startup.workload;
    let measures = weighs_waits(checked);
    let compile = |pool: &config::Pool| {
        let compiled = compile_pool(pool, (caller, resolved), known);
        Pool { measures: compiled.adaptive_slots.is_some() || measures, ..compiled }
    };
    checked.pools.iter().map(compile).collect()
}

/// Whether some request has a latency objective, so that it matters how long each pool takes.
fn weighs_waits(checked: &Checked) -> bool {
    let mut policies =
        checked.virtual_hosts.iter().flat_map(|host| &host.routes).filter_map(|route| route.policy.as_ref());
    policies.any(|policy| policy.latency_objective.is_some())
        || checked.pools.iter().any(|pool| pool.latency_objective.is_some())
}

/// An index of `routes` by path, where it pays.
fn index(routes: &[Route]) -> Option<PathIndex> {
    let alternatives: usize = routes.iter().map(|route| route.matchers.len()).sum();
    (alternatives >= INDEXED_FROM).then(|| PathIndex::new(routes.iter().map(|route| &*route.matchers)))
}

/// Ids count things that were parsed from bounded files; they cannot exceed 32 bits before memory ends.
fn dense(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn pool_id(index: PoolIndex) -> PoolId {
    PoolId(dense(index.0))
}

/// What a previous snapshot's pools and endpoints keep, by their identity.
#[derive(Default)]
pub(super) struct Known<'p> {
    queues: HashMap<&'p PoolKey, &'p Arc<QueueState>>,
    loads: HashMap<&'p PoolKey, &'p Arc<PoolLoad>>,
    pub(super) endpoints: HashMap<(&'p PoolKey, &'p Address), &'p Arc<EndpointState>>,
    retries: HashMap<&'p PoolKey, &'p Arc<RetryState>>,
    ejections: HashMap<&'p PoolKey, &'p Arc<Ejections>>,
    latencies: HashMap<&'p PoolKey, &'p Arc<Latencies>>,
    demand: HashMap<&'p PoolKey, &'p Arc<DemandState>>,
    held: HashMap<&'p PoolKey, &'p Arc<HoldState>>,
}

impl<'p> Known<'p> {
    fn of(previous: &'p Snapshot) -> Self {
        let endpoints = |pool: &'p Pool| {
            pool.endpoints.iter().map(move |endpoint| ((&pool.key, &endpoint.address), &endpoint.state))
        };
        Self {
            queues: previous.pools.iter().map(|pool| (&pool.key, &pool.queue)).collect(),
            loads: previous.pools.iter().map(|pool| (&pool.key, &pool.load)).collect(),
            endpoints: previous.pools.iter().flat_map(endpoints).collect(),
            retries: previous.pools.iter().map(|pool| (&pool.key, &pool.retries)).collect(),
            ejections: previous.pools.iter().map(|pool| (&pool.key, &pool.ejections)).collect(),
            latencies: previous.pools.iter().map(|pool| (&pool.key, &pool.latencies)).collect(),
            demand: previous.pools.iter().map(|pool| (&pool.key, &pool.demand)).collect(),
            held: previous.pools.iter().map(|pool| (&pool.key, &pool.held)).collect(),
        }
    }
}

/// A route whose split has no weight and that does not answer itself cannot come out of the check; it would have nothing
/// to do.
fn compile_route(route: &config::Route) -> Option<Route> {
    let shares = route.split.iter().map(|share| (share.weight, pool_id(share.pool)));
    let action = match &route.answer {
        Some(answer) => Action::Answer(answer.clone()),
        None => Action::Forward(Split::new(shares)?),
    };
    Some(Route {
        name: route.name.as_str().into(),
        origin: route.origin.as_str().into(),
        document: route.document.as_str().into(),
        matchers: route.matches.iter().map(compile_match).collect(),
        action,
        edits: Edits::compile(route),
        cors: route.cors.clone().map(Box::new),
        fault: route.fault.clone().filter(|fault| *fault != Fault::default()).map(Box::new),
        timeout: route.timeout,
        retries: route.retries.clone().map(Box::new),
        mirrors: route.mirrors.iter().filter(|one| one.share != Percentage::default()).map(mirror).collect(),
        policy: route.policy.clone(),
    })
}

fn mirror(written: &config::Mirror) -> Mirror {
    Mirror { pool: pool_id(written.pool), share: written.share }
}

/// The conditions in the order of their cost, so that most requests that fail do so early. Claims that must not match are
/// no condition: no request has claims.
fn compile_match(written: &config::RouteMatch) -> Matcher {
    let uri = if written.ignore_uri_case { Condition::UriIgnoringCase } else { Condition::Uri };
    let singles = [
        written.port.map(Condition::Port),
        written.method.clone().map(Condition::Method),
        written.uri.clone().map(uri),
        written.scheme.clone().map(Condition::Scheme),
        written.authority.clone().map(Condition::Authority),
    ];
    let claims = written.claims.iter().cloned().map(|(name, pattern)| Condition::Claim(name.into(), pattern));
    let headers = written.headers.iter().cloned().map(|(name, pattern)| Condition::Header(name, pattern));
    let without =
        written.without_headers.iter().cloned().map(|(name, pattern)| Condition::WithoutHeader(name, pattern));
    let query = written.query_params.iter().cloned().map(|(name, pattern)| Condition::QueryParam(name.into(), pattern));
    Matcher::new(claims.chain(singles.into_iter().flatten()).chain(headers).chain(without).chain(query).collect())
}

fn compile_pool(pool: &config::Pool, (caller, resolved): (&config::Workload, &Resolved), known: &Known<'_>) -> Pool {
    let (endpoints, choice) = endpoints::compile(pool, caller, resolved, known);
    let name = pool.key.to_string();
    Pool {
        choice,
        original: pool.original.clone().map(Box::new),
        max_requests: max_requests(pool),
        max_requests_per_connection: pool.traffic.connection_pool.max_requests_per_connection,
        warmup: pool.traffic.load_balancer.warmup.filter(|_| warms_up(&pool.traffic.load_balancer.balancing)),
        outlier_detection: pool.traffic.outlier_detection.clone(),
        // Destinations that requests bring along are nobody's to ask.
        upkeep: if pool.original.is_none() { Arc::new(pool.upkeep.clone()) } else { Arc::default() },
        load_reports: if pool.original.is_none() { pool.upkeep.load.orca } else { Reports::PassedOn },
        hedge: pool.hedge.filter(|_| pool.original.is_none()),
        latencies: known.latencies.get(&pool.key).map(|latencies| Arc::clone(latencies)).unwrap_or_default(),
        latency_decay: match &pool.traffic.load_balancer.balancing {
            Balancing::PeakEwma(decay) => Some(*decay),
            _ => None,
        },
        ejections: known.ejections.get(&pool.key).map(|ejections| Arc::clone(ejections)).unwrap_or_default(),
        hash_key: match &pool.traffic.load_balancer.balancing {
            Balancing::ConsistentHash(hash) => hash.key.clone(),
            _ => None,
        },
        name: name.as_str().into(),
        next_hop: HeaderValue::try_from(format!("overspill; next-hop=\"{name}\""))
            .unwrap_or(HeaderValue::from_static("overspill")),
        key: pool.key.clone(),
        tier: pool.tier,
        protocol: pool.protocol,
        uses_client_protocol: pool.traffic.connection_pool.uses_client_protocol,
        connections: pool.traffic.connection_pool.settings.clone(),
        endpoints,
        slots_per_endpoint: pool.slots_per_endpoint,
        adaptive_slots: pool.adaptive_slots,
        load: known.loads.get(&pool.key).map(|load| Arc::clone(load)).unwrap_or_default(),
        measures: pool.adaptive_slots.is_some(),
        queue_order: pool.queue.order,
        max_pending: pool.queue.max_pending,
        queue: known.queues.get(&pool.key).map(|queue| Arc::clone(queue)).unwrap_or_default(),
        queue_timeout: pool.queue.timeout,
        retry_limit: retry_limit(&pool.traffic),
        retries: known.retries.get(&pool.key).map(|retries| Arc::clone(retries)).unwrap_or_default(),
        local_model: pool.local_model,
        demand: known.demand.get(&pool.key).map(|demand| Arc::clone(demand)).unwrap_or_default(),
        latency_objective: pool.latency_objective,
        hold: pool.hold,
        held: known.held.get(&pool.key).map(|held| Arc::clone(held)).unwrap_or_default(),
        scaling: pool.scaling.clone().map(Box::new),
        connect_timeout: pool.connect_timeout,
    }
}

/// The least of the limits on requests in flight over the pool: a connection of HTTP/1.1 carries one at a time.
fn max_requests(pool: &config::Pool) -> Option<NonZeroU32> {
    let limits = &pool.traffic.connection_pool;
    let connections = limits.max_connections.filter(|_| pool.protocol == Protocol::Http1);
    connections.into_iter().chain(limits.max_requests).chain(pool.slots_per_pool).min()
}

/// A budget takes the place of the number, as in Envoy.
fn retry_limit(traffic: &TrafficPolicy) -> RetryLimit {
    let number = traffic.connection_pool.max_retries.map_or(RetryLimit::Default, RetryLimit::Count);
    traffic.retry_budget.map_or(number, RetryLimit::Budget)
}

/// The ways of choosing that Istio warms endpoints up for.
fn warms_up(balancing: &Balancing) -> bool {
    matches!(balancing, Balancing::LeastRequest | Balancing::PeakEwma(_) | Balancing::RoundRobin)
}

/// The pool itself, then what it spills to.
fn overflow(checked: &Checked, index: PoolIndex) -> Box<[PoolId]> {
    std::iter::once(index).chain(checked.pools[index.0].spill_to.iter().copied()).map(pool_id).collect()
}
