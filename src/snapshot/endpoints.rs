//! The endpoints of one pool, in the order and the groups in which they are chosen.

use std::sync::Arc;

use super::compile::Known;
use crate::config::{self, Workload};
use crate::domain::{Balancing, LocalityBalancing};
use crate::pool::{Balancer, Choice, Endpoint, Group, Groups, Member, Table, arrange};

/// The endpoints of `pool` as `caller` sees them, and the choice among them.
pub(super) fn compile(pool: &config::Pool, caller: &Workload, known: &Known<'_>) -> (Box<[Endpoint]>, Choice) {
    let load_balancer = &pool.traffic.load_balancer;
    let balancer = |endpoints: &[Endpoint]| compile_balancer(&load_balancer.balancing, endpoints);
    let members: Vec<Member<'_>> = pool.endpoints.iter().map(member).collect();
    let own = Member { locality: &caller.locality, labels: &caller.labels, weight: std::num::NonZeroU32::MIN };
    // Without outlier detection an endpoint never counts as failed, and Istio leaves the priorities out.
    let heeds =
        pool.traffic.outlier_detection.is_some() || matches!(load_balancer.locality, LocalityBalancing::Distribute(_));
    let arrangement = heeds.then(|| arrange(&members, own, &load_balancer.locality)).flatten();
    let Some(arrangement) = arrangement else {
        let endpoints: Box<[Endpoint]> = pool.endpoints.iter().map(|written| endpoint(pool, written, known)).collect();
        let choice = Choice::Even(balancer(&endpoints));
        return (endpoints, choice);
    };
    let (mut endpoints, mut groups) = (Vec::new(), Vec::new());
    for (group, rank) in arrangement.ranks.iter().enumerate() {
        let first = endpoints.len();
        let members = pool.endpoints.iter().zip(&arrangement.groups).filter(|(_, of)| **of == Some(group));
        endpoints.extend(members.map(|(written, _)| endpoint(pool, written, known)));
        let places = first..endpoints.len();
        groups.push(Group { rank: *rank, balancer: balancer(&endpoints[places.clone()]), places });
    }
    (endpoints.into(), Choice::ByLocality(Groups::new(groups)))
}

fn member(endpoint: &config::Endpoint) -> Member<'_> {
    Member { locality: &endpoint.locality, labels: &endpoint.labels, weight: endpoint.weight }
}

fn endpoint(pool: &config::Pool, written: &config::Endpoint, known: &Known<'_>) -> Endpoint {
    Endpoint {
        name: written.address.to_string().into(),
        address: written.address.clone(),
        weight: written.weight,
        labels: written.labels.clone(),
        state: known.endpoints.get(&(&pool.key, &written.address)).map(|state| Arc::clone(state)).unwrap_or_default(),
    }
}

fn compile_balancer(balancing: &Balancing, endpoints: &[Endpoint]) -> Balancer {
    match balancing {
        Balancing::LeastRequest => Balancer::LeastRequest,
        Balancing::Random => Balancer::Random,
        Balancing::RoundRobin => Balancer::round_robin(endpoints),
        Balancing::ConsistentHash(hash) => Balancer::Hash(Table::new(hash.table, endpoints)),
    }
}
