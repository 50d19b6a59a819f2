//! The routers' figures as metrics of a `HorizontalPodAutoscaler`: `external.metrics.k8s.io`, which the routers answer
//! themselves, or prometheus-adapter with the rules of the manifests.

use serde_json::{Value, json};

use super::workload::Workload;
use crate::scaling::metrics_api;

/// The Service of the scaler that KEDA asks by gRPC, and its port.
pub(super) const SCALER: &str = "overspill-scaler";
pub(super) const SCALER_PORT: u16 = 9090;

/// The targets that Kubernetes has no figure of its own for, by each of the workload's pools.
pub(super) fn external(workload: &Workload) -> impl Iterator<Item = Value> {
    let targets = workload.recipe.targets;
    let pending = targets.pending_requests.map(|pending| ("overspill_pending_requests", pending.to_string()));
    let rate = targets.requests_per_second.map(|rate| ("overspill_requests_per_second", quantity(rate)));
    let each = |(name, value): (&'static str, String)| {
        workload.pools.iter().map(move |pool| {
            let selector = metrics_api::selector(pool);
            let target = json!({ "type": "AverageValue", "averageValue": value });
            json!({ "type": "External", "external": { "metric": { "name": name, "selector": selector }, "target": target } })
        })
    };
    pending.into_iter().chain(rate).flat_map(each)
}

/// A Kubernetes quantity, to a thousandth.
fn quantity(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{:.0}m", value * 1e3) }
}

/// A pool's name as the value of a label may be, which a selector has to hold.
pub(super) fn key(pool: &str) -> String {
    pool.chars().map(|one| if one.is_ascii_alphanumeric() || one == '-' { one } else { '_' }).collect()
}
