//! Pools as what Kubernetes scales: several subsets of one service may be the pods of one Deployment.

use crate::config::Pool;
use crate::domain::{Preset, Recipe};

/// An object with replicas, and the pools that these are the endpoints of.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) namespace: String,
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    /// The pools' names, as metrics have them.
    pub(super) pools: Vec<String>,
    /// What it is scaled by: the figures of the first of its pools.
    pub(super) recipe: Recipe,
}

/// The workloads behind the pools that a `PoolPolicy` is for, or whose host is a service of Kubernetes; those of other hosts
/// are not for this cluster to scale.
pub(super) fn workloads(pools: &[Pool], default: Preset) -> Vec<Workload> {
    let mut workloads: Vec<Workload> = Vec::new();
    for pool in pools.iter().filter(|pool| is_here(pool)) {
        let one = workload(pool, default);
        let same = |known: &&mut Workload| {
            (&known.namespace, &known.kind, &known.name) == (&one.namespace, &one.kind, &one.name)
        };
        match workloads.iter_mut().find(same) {
            Some(known) => known.pools.extend(one.pools),
            None => workloads.push(one),
        }
    }
    workloads.sort_by(|one, two| (&one.namespace, &one.name).cmp(&(&two.namespace, &two.name)));
    workloads
}

fn is_here(pool: &Pool) -> bool {
    let mut labels = pool.key.host.as_str().split('.').skip(2);
    pool.scaling.is_some() || pool.tier.is_some() || labels.next() == Some("svc")
}

fn workload(pool: &Pool, default: Preset) -> Workload {
    let scaling = pool.scaling.clone().unwrap_or_default();
    let recipe = scaling.recipe(default);
    let target = scaling.scale_target;
    Workload {
        namespace: pool.service.namespace.clone(),
        api_version: target.api_version.unwrap_or_else(|| "apps/v1".to_owned()),
        kind: target.kind.unwrap_or_else(|| "Deployment".to_owned()),
        name: target.name.unwrap_or_else(|| pool.service.name.clone()),
        pools: vec![pool.key.to_string()],
        recipe,
    }
}
