//! The endpoints of one pool, in the order and the groups in which they are chosen.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::compile::Known;
use super::resolved::{Addresses, Resolved};
use crate::config::{self, Workload};
use crate::domain::{Address, Balancing, LoadSources, Locality, LocalityBalancing, Original};
use crate::pool::{Balancer, Choice, Endpoint, EndpointState, Group, Groups, Member, Readiness, Table, arrange};

/// The endpoints of `pool` as `caller` sees them, and the choice among them.
pub(super) fn compile(
    pool: &config::Pool,
    caller: &Workload,
    resolved: &Resolved,
    known: &Known<'_>,
) -> (Box<[Endpoint]>, Choice) {
    if let Some(original) = &pool.original {
        let endpoints = Box::new([stand_in(pool, original, known)]);
        let choice = Choice::Even(Balancer::random(&*endpoints));
        return (endpoints, choice);
    }
    let load_balancer = &pool.traffic.load_balancer;
    let reports = &pool.upkeep.load;
    let balancer = |endpoints: &[Endpoint]| compile_balancer(&load_balancer.balancing, reports, endpoints);
    let members: Vec<Member<'_>> = pool.endpoints.iter().map(member).collect();
    let own = Member { locality: &caller.locality, labels: &caller.labels, weight: NonZeroU32::MIN };
    // Without outlier detection an endpoint never counts as failed, and Istio leaves the priorities out.
    let heeds =
        pool.traffic.outlier_detection.is_some() || matches!(load_balancer.locality, LocalityBalancing::Distribute(_));
    let arrangement = heeds.then(|| arrange(&members, own, &load_balancer.locality)).flatten();
    let mut seen = HashSet::new();
    let mut endpoints = |written: &config::Endpoint| {
        let mut found = found(written, resolved);
        // Two names may have one address, which is one endpoint all the same.
        found.retain(|(address, _)| written.address.name().is_none() || seen.insert(address.clone()));
        let endpoint = |(address, socket)| endpoint(pool, written, (address, socket), known);
        found.into_iter().map(endpoint).collect::<Vec<_>>()
    };
    let Some(arrangement) = arrangement else {
        let endpoints: Box<[Endpoint]> = pool.endpoints.iter().flat_map(&mut endpoints).collect();
        let choice = Choice::Even(balancer(&endpoints));
        return (endpoints, choice);
    };
    let (mut all, mut groups) = (Vec::new(), Vec::new());
    for (group, rank) in arrangement.ranks.iter().enumerate() {
        let first = all.len();
        let members = pool.endpoints.iter().zip(&arrangement.groups).filter(|(_, of)| **of == Some(group));
        all.extend(members.flat_map(|(written, _)| endpoints(written)));
        let places = first..all.len();
        groups.push(Group { rank: *rank, balancer: balancer(&all[places.clone()]), places });
    }
    (all.into(), Choice::ByLocality(Groups::new(groups)))
}

fn member(endpoint: &config::Endpoint) -> Member<'_> {
    Member { locality: &endpoint.locality, labels: &endpoint.labels, weight: endpoint.weight }
}

/// What a written endpoint comes to: itself, or one for each address of its name, or none while that has none. Each with
/// where its connections go.
fn found(written: &config::Endpoint, resolved: &Resolved) -> Vec<(Address, Option<SocketAddr>)> {
    let own = |socket| vec![(written.address.clone(), socket)];
    match &written.address {
        Address::Socket(socket) | Address::Original(socket) => own(Some(*socket)),
        Address::Name(..) | Address::Logical(..) if resolved.assumes() => own(None),
        Address::Name(host, port) => {
            let all = resolved.of(host).map(Addresses::all).unwrap_or_default();
            let sockets = all.iter().map(|ip| SocketAddr::new(*ip, *port));
            sockets.map(|socket| (Address::Socket(socket), Some(socket))).collect()
        }
        Address::Logical(host, port) => {
            let newest = resolved.of(host).map(Addresses::newest);
            newest.map_or_else(Vec::new, |ip| own(Some(SocketAddr::new(ip, *port))))
        }
    }
}

/// The endpoint that stands for every destination of a pool: all that is counted of them is counted here.
fn stand_in(pool: &config::Pool, original: &Original, known: &Known<'_>) -> Endpoint {
    let address = Address::Logical(pool.key.host.clone(), original.port);
    let written = config::Endpoint {
        address: address.clone(),
        weight: NonZeroU32::MIN,
        labels: Arc::default(),
        locality: Locality::default(),
    };
    endpoint(pool, &written, (address, None), known)
}

fn endpoint(
    pool: &config::Pool,
    written: &config::Endpoint,
    (address, socket): (Address, Option<SocketAddr>),
    known: &Known<'_>,
) -> Endpoint {
    let holds_back = pool.original.is_none() && pool.upkeep.holds_back();
    let readiness = if holds_back { Readiness::Unchecked } else { Readiness::Ready };
    let new = || Arc::new(EndpointState::new(readiness));
    Endpoint {
        name: address.to_string().into(),
        state: known.endpoints.get(&(&pool.key, &address)).map_or_else(new, |state| Arc::clone(state)),
        address,
        socket,
        weight: written.weight,
        labels: Arc::clone(&written.labels),
    }
}

fn compile_balancer(balancing: &Balancing, reports: &LoadSources, endpoints: &[Endpoint]) -> Balancer {
    match balancing {
        Balancing::LeastRequest if *reports != LoadSources::default() => Balancer::least_load(endpoints, None),
        Balancing::PeakEwma(decay) => Balancer::least_load(endpoints, Some(*decay)),
        Balancing::LeastRequest | Balancing::Passthrough => Balancer::least_request(endpoints),
        Balancing::Random => Balancer::random(endpoints),
        Balancing::RoundRobin => Balancer::round_robin(endpoints),
        Balancing::ConsistentHash(hash) => Balancer::Hash(Table::new(hash.table, endpoints)),
    }
}
