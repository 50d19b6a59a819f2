//! The routers' figures as metrics of a `HorizontalPodAutoscaler`: `external.metrics.k8s.io`, which the routers answer
//! themselves, or prometheus-adapter with the rules of the manifests.

use serde_json::{Value, json};

use super::workload::{LONGEST_LABEL, Workload};
use crate::scaling::{key, metrics_api};

/// The Service of the scaler that KEDA asks by gRPC, and its port.
pub(super) const SCALER: &str = "overspill-scaler";
pub(super) const SCALER_PORT: u16 = 9090;

/// The targets that Kubernetes has no figure of its own for. Of a workload with several pools they are sums: the autoscaler adds
/// up what one metric selects, and takes the largest of several metrics.
pub(super) fn external(workload: &Workload) -> impl Iterator<Item = Value> {
    let targets = workload.recipe.targets;
    let pending = targets.pending_requests.map(|pending| ("overspill_pending_requests", pending.to_string()));
    let rate = targets.requests_per_second.map(|rate| ("overspill_requests_per_second", quantity(rate)));
    let selectors = selectors(&workload.pools);
    let each = move |(name, value): (&'static str, String)| {
        let metric = move |selector: Value| {
            let target = json!({ "type": "AverageValue", "averageValue": value });
            json!({ "type": "External", "external": { "metric": { "name": name, "selector": selector }, "target": target } })
        };
        selectors.clone().into_iter().map(metric)
    };
    pending.into_iter().chain(rate).flat_map(each)
}

/// What finds these pools: all of them at once, or one after the other where a key is longer than the value of a label may be.
fn selectors(pools: &[String]) -> Vec<Value> {
    let keys: Vec<String> = pools.iter().map(|pool| key(pool)).collect();
    if keys.len() > 1 && keys.iter().all(|key| key.len() <= LONGEST_LABEL) {
        return vec![json!({ "matchExpressions": [{ "key": "pool", "operator": "In", "values": keys }] })];
    }
    pools.iter().map(|pool| metrics_api::selector(pool)).collect()
}

/// A Kubernetes quantity, to a thousandth.
fn quantity(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{:.0}m", value * 1e3) }
}
