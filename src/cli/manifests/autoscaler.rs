//! `HorizontalPodAutoscaler` (`autoscaling/v2`).

use serde_json::{Value, json};

use super::workload::Workload;
use super::{demand, metadata};
use crate::domain::{Change, ScalingPolicy, ScalingRules};

/// The autoscaler of `workload`. None scales to zero by itself, so that its fewest replicas are at least 1.
pub(super) fn horizontal(workload: &Workload) -> Value {
    let recipe = &workload.recipe;
    let utilization = |name: &str, percent: Option<u32>| {
        percent.map(|percent| {
            let target = json!({ "type": "Utilization", "averageUtilization": percent });
            json!({ "type": "Resource", "resource": { "name": name, "target": target } })
        })
    };
    let resources = [("cpu", recipe.targets.cpu), ("memory", recipe.targets.memory)];
    let resources = resources.into_iter().filter_map(|(name, percent)| utilization(name, percent));
    let metrics: Vec<Value> = resources.chain(demand::external(workload)).collect();
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(&workload.name, &workload.namespace),
        "spec": {
            "scaleTargetRef": { "apiVersion": workload.api_version, "kind": workload.kind, "name": workload.name },
            "minReplicas": recipe.min_replicas.max(1),
            "maxReplicas": recipe.max_replicas,
            "metrics": metrics,
            "behavior": behavior(workload),
        },
    })
}

/// How fast it may scale.
pub(super) fn behavior(workload: &Workload) -> Value {
    json!({ "scaleUp": rules(&workload.recipe.scale_up), "scaleDown": rules(&workload.recipe.scale_down) })
}

fn rules(rules: &ScalingRules) -> Value {
    json!({
        "stabilizationWindowSeconds": rules.stabilization.as_secs(),
        "selectPolicy": rules.select.as_str(),
        "policies": rules.policies.iter().map(policy).collect::<Vec<_>>(),
    })
}

fn policy(policy: &ScalingPolicy) -> Value {
    let (kind, value) = match policy.change {
        Change::Percent(percent) => ("Percent", percent),
        Change::Pods(pods) => ("Pods", pods),
    };
    json!({ "type": kind, "value": value, "periodSeconds": policy.period.as_secs() })
}
