//! The labels that a pool is selected by, and the Service that it is.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::Tier;
use crate::scaling::{PoolReport, key};

/// The longest value that Kubernetes takes for a label's, in characters.
pub(super) const LONGEST_VALUE: usize = 63;

/// The labels of a pool: `pool` (its key), `host`, `port`, `service` and `namespace` where it is one of Kubernetes, and `subset`
/// and `tier` where it has them.
pub(super) type Labels = BTreeMap<&'static str, String>;

/// The host, port and subset of a pool's name, `host:port` or `host:port/subset`.
fn parts(name: &str) -> (&str, &str, Option<&str>) {
    let (address, subset) = match name.split_once('/') {
        Some((address, subset)) => (address, Some(subset)),
        None => (name, None),
    };
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    (host, port, subset)
}

/// The labels of `pool`.
pub(super) fn labels(pool: &PoolReport) -> Labels {
    let (host, port, subset) = parts(&pool.name);
    let mut labels = Labels::from([("pool", pool.key()), ("host", host.to_owned()), ("port", port.to_owned())]);
    if let Some((name, namespace)) = service(&pool.name) {
        labels.extend([("service", name.to_owned()), ("namespace", namespace.to_owned())]);
    }
    labels.extend(subset.map(|subset| ("subset", subset.to_owned())));
    labels.extend(pool.tier.map(|tier| ("tier", Tier::as_str(tier).to_owned())));
    labels
}

/// The `LabelSelector` that finds the pool of this name and no other: by `pool`, or by the parts of its name where the key is
/// longer than Kubernetes takes the value of a label to be.
pub fn selector(pool: &str) -> Value {
    let key = key(pool);
    if key.len() <= LONGEST_VALUE {
        return json!({ "matchLabels": { "pool": key } });
    }
    let (host, port, subset) = parts(pool);
    let mut labels = match service(pool) {
        Some((name, namespace)) if host.len() > LONGEST_VALUE => {
            json!({ "service": name, "namespace": namespace, "port": port })
        }
        _ => json!({ "host": host, "port": port }),
    };
    match subset {
        Some(subset) => {
            labels["subset"] = subset.into();
            json!({ "matchLabels": labels })
        }
        None => json!({
            "matchLabels": labels,
            "matchExpressions": [{ "key": "subset", "operator": "DoesNotExist" }],
        }),
    }
}

/// The name and namespace of the Service that the pool of this name belongs to, by its host: `NAME.NAMESPACE`, with or without
/// `svc` and what comes after it (Kubernetes' DNS specification).
pub(super) fn service(pool: &str) -> Option<(&str, &str)> {
    let mut labels = parts(pool).0.split('.');
    let (name, namespace) = (labels.next()?, labels.next()?);
    labels.next().is_none_or(|third| third == "svc").then_some((name, namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_belongs_to_the_service_of_its_host() {
        for (pool, expected) in [
            ("gpu.inference.svc.cluster.local:80", Some(("gpu", "inference"))),
            ("gpu.inference.svc:80/canary", Some(("gpu", "inference"))),
            ("gpu.inference:8080", Some(("gpu", "inference"))),
            ("api.example.com:443", None),
            ("gpu:80", None),
        ] {
            assert_eq!(service(pool), expected, "{pool}");
        }
        let long = format!("{}.inference.svc.cluster.local:80", "embeddings-".repeat(4));
        let found = selector(&long);
        let longer = format!("{}.{}.svc.cluster.local:80", "gpu-".repeat(10) + "x", "inference-".repeat(3) + "x");
        let parts_of_it =
            json!({ "service": "gpu-".repeat(10) + "x", "namespace": "inference-".repeat(3) + "x", "port": "80" });
        assert_eq!(selector(&longer)["matchLabels"], parts_of_it, "the host is too long for a label as well");
        assert_eq!((&found["matchLabels"]["port"], &found["matchLabels"]["pool"]), (&"80".into(), &Value::Null));
        assert_eq!(found["matchExpressions"][0]["key"], "subset", "the subsets are other pools");
        assert_eq!(selector(&format!("{long}/canary"))["matchLabels"]["subset"], "canary");
        assert_eq!(selector("a.b:80"), json!({ "matchLabels": { "pool": "a_b_80" } }));
        assert_eq!(parts("a.b:80/canary"), ("a.b", "80", Some("canary")));
        assert_eq!(parts("a.b"), ("a.b", "", None));
    }
}
