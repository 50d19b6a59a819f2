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
    /// What it is scaled by: the figures of the first of its pools whose document has some.
    pub(super) recipe: Recipe,
}

/// The workloads behind the pools that a `PoolPolicy` is for, or whose host is a service of Kubernetes; those of other hosts
/// are not for this cluster to scale.
pub(super) fn workloads(pools: &[Pool], default: Preset) -> Vec<Workload> {
    let mut workloads: Vec<Workload> = Vec::new();
    let (with, without): (Vec<&Pool>, Vec<&Pool>) =
        pools.iter().filter(|pool| is_here(pool)).partition(|pool| pool.scaling.is_some());
    for pool in with.into_iter().chain(without) {
        let one = workload(pool, default);
        let same = |known: &&mut Workload| {
            (&known.namespace, &known.kind, &known.name) == (&one.namespace, &one.kind, &one.name)
        };
        match workloads.iter_mut().find(same) {
            Some(known) => known.pools.extend(one.pools),
            None => workloads.push(one),
        }
    }
    for workload in &mut workloads {
        workload.pools.sort();
    }
    workloads.sort_by(|one, two| (&one.namespace, &one.name, &one.kind).cmp(&(&two.namespace, &two.name, &two.kind)));
    workloads
}

fn is_here(pool: &Pool) -> bool {
    let mut labels = pool.key.host.as_str().split('.').skip(2);
    pool.scaling.is_some() || pool.tier.is_some() || labels.next() == Some("svc")
}

fn workload(pool: &Pool, default: Preset) -> Workload {
    let scaling = pool.scaling.clone().unwrap_or_default();
    let (api_version, kind, name) = scaling.scale_target.of(&pool.service.name);
    Workload {
        namespace: pool.service.namespace.clone(),
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        pools: vec![pool.key.to_string()],
        recipe: scaling.recipe(default),
    }
}

impl Workload {
    /// The name, or where it is longer than the value of a label may be, which KEDA makes of it: its beginning, and a digest
    /// that tells it from others with the same.
    pub(super) fn label(&self) -> String {
        if self.name.len() <= LONGEST_LABEL {
            return self.name.clone();
        }
        // FNV-1a, 32 bits: few names begin alike for so long.
        let digest =
            self.name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        format!("{}-{digest:08x}", self.name[..LONGEST_LABEL - 9].trim_end_matches(['-', '.']))
    }
}

/// The longest value of a label, in characters.
pub(super) const LONGEST_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Workload {
        let recipe = Preset::Online.recipe();
        let text = |text: &str| text.to_owned();
        let (api_version, kind) = (text("apps/v1"), text("Deployment"));
        Workload { namespace: text("agents"), api_version, kind, name: text(name), pools: Vec::new(), recipe }
    }

    #[test]
    fn a_long_name_is_told_from_others_by_its_digest() {
        let (fits, long, other) = ("a".repeat(63), "a".repeat(64), "a".repeat(65));
        assert_eq!(named(&fits).label(), fits);
        assert_eq!((named(&long).label().len(), named(&other).label().len()), (63, 63));
        assert_ne!(named(&long).label(), named(&other).label());
        let dotted = named(&("b".repeat(53) + "." + &"b".repeat(60))).label();
        assert!(dotted.starts_with(&("b".repeat(53) + "-")), "{dotted}");
    }
}
