//! Where the configuration sends the load's requests, found with the running router's own functions.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderValue, Method};

use super::load::{LATENCY_SENSITIVE, MARK, PATH};
use super::plan::Flow;
use super::service::Profile;
use crate::domain::Tier;
use crate::routing::Head;
use crate::snapshot::{Decision, PoolId, Snapshot, choose};

/// The load's requests by the pool that the split sends them to first. Empty where no route takes them.
pub(super) fn flows(snapshot: &Snapshot, authority: SocketAddr) -> Vec<Flow> {
    let mut marked = HeaderMap::new();
    marked.insert(MARK, HeaderValue::from_static("true"));
    let kinds = [(LATENCY_SENSITIVE, marked), (1.0 - LATENCY_SENSITIVE, HeaderMap::new())];
    kinds.iter().flat_map(|(share, headers)| split(snapshot, authority, *share, headers)).collect()
}

fn split(snapshot: &Snapshot, authority: SocketAddr, share: f64, headers: &HeaderMap) -> Vec<Flow> {
    let text = authority.to_string();
    let head = Head {
        method: &Method::POST,
        scheme: "http",
        authority: &text,
        path: PATH,
        query: None,
        headers,
        port: authority.port(),
        server_name: None,
    };
    let Decision::Forward { route, .. } = choose(snapshot, &head, 0) else { return Vec::new() };
    let split = snapshot.route(route);
    let number = |weight: u64| f64::from(u32::try_from(weight).unwrap_or(u32::MAX));
    let total = number(split.weights().map(|(weight, _)| weight).sum());
    let flow = |(weight, pool)| Flow { share: share * number(weight) / total, tiers: tiers(snapshot, pool) };
    split.weights().map(flow).filter(|flow| !flow.tiers.is_empty()).collect()
}

/// The emulated tiers on the way of a request for `pool`, each with its instances.
fn tiers(snapshot: &Snapshot, pool: PoolId) -> Vec<(Tier, Vec<SocketAddr>)> {
    let mut tiers: Vec<(Tier, Vec<SocketAddr>)> = Vec::new();
    for pool in snapshot.overflow(pool).iter().map(|id| snapshot.pool(*id)) {
        let Some(tier) = pool.tier.filter(|tier| Profile::of(*tier).is_some()) else { continue };
        let instances = pool.endpoints.iter().filter_map(|endpoint| endpoint.socket);
        match tiers.iter_mut().find(|(other, _)| *other == tier) {
            Some((_, known)) => known.extend(instances),
            None => tiers.push((tier, instances.collect())),
        }
    }
    tiers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::pools::sites;
    use crate::config::{Overrides, load};
    use crate::control::Folder;
    use crate::snapshot::{Resolved, compile};

    #[test]
    fn the_repositorys_documents_lead_the_load_to_emulated_pools() {
        let files = Folder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config")).read().expect("readable documents");
        let checked = load(&files, &Overrides::default()).checked.expect("documents without errors");
        let snapshot = compile(&checked, &Resolved::default(), None);
        let flows = flows(&snapshot, checked.startup.listen.expect("the documents listen"));
        let sum: f64 = flows.iter().map(|flow| flow.share).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{flows:?}");
        assert!(flows.iter().any(|flow| flow.tiers.first().is_some_and(|(tier, _)| *tier == Tier::Cpu)));
        let known: Vec<_> = sites(&checked).expect("loopback endpoints").into_iter().map(|site| site.address).collect();
        let mut instances = flows.iter().flat_map(|flow| &flow.tiers).flat_map(|(_, instances)| instances);
        assert!(instances.all(|instance| known.contains(instance)), "{flows:?}");
    }
}
