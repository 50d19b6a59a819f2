//! KEDA's `ScaledObject` (`keda.sh/v1alpha1`).

use serde_json::{Value, json};

use super::workload::Workload;
use super::{Terms, Trigger, autoscaler, demand, metadata};

/// How often KEDA asks, in seconds: as often as the autoscaler that it makes decides.
const POLLING_SECONDS: u32 = 15;
/// How long a pool is idle before it goes to zero, in seconds; KEDA's own default.
const COOLDOWN_SECONDS: u32 = 300;

/// Scales `workload` by the replicas that its pools need, beside its CPU and memory. It takes over the
/// `HorizontalPodAutoscaler` of the same name, so that there never are two.
pub(super) fn scaled_object(workload: &Workload, terms: &Terms<'_>) -> Value {
    let recipe = &workload.recipe;
    let resources = [("cpu", recipe.targets.cpu), ("memory", recipe.targets.memory)];
    let resources = resources.into_iter().filter_map(|(kind, percent)| {
        let value = percent?.to_string();
        Some(json!({ "type": kind, "metricType": "Utilization", "metadata": { "value": value } }))
    });
    let triggers: Vec<Value> = triggers(workload, terms).into_iter().chain(resources).collect();
    let mut metadata = metadata(&workload.name, &workload.namespace);
    metadata["annotations"] = json!({ "scaledobject.keda.sh/transfer-hpa-ownership": "true" });
    json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata,
        "spec": {
            "scaleTargetRef": { "apiVersion": workload.api_version, "kind": workload.kind, "name": workload.name },
            "pollingInterval": POLLING_SECONDS,
            "cooldownPeriod": COOLDOWN_SECONDS,
            "minReplicaCount": recipe.min_replicas,
            "maxReplicaCount": recipe.max_replicas,
            "advanced": { "horizontalPodAutoscalerConfig": {
                "name": workload.name,
                "behavior": autoscaler::behavior(workload),
            } },
            "triggers": triggers,
        },
    })
}

fn triggers(workload: &Workload, terms: &Terms<'_>) -> Vec<Value> {
    let Terms { namespace, service, .. } = terms;
    let of_each = |trigger: &dyn Fn(&str) -> Value| workload.pools.iter().map(|pool| trigger(pool)).collect();
    let asked = |kind: &str, pool: &str| {
        let metadata = json!({ "scalerAddress": format!("{}.{namespace}.svc:{}", demand::SCALER, demand::SCALER_PORT), "pool": pool });
        json!({ "type": kind, "metricType": "AverageValue", "metadata": metadata })
    };
    match terms.trigger {
        Trigger::Prometheus => vec![prometheus(workload, terms)],
        Trigger::MetricsApi => of_each(&|pool| {
            let metadata = json!({
                "url": format!("http://{service}.{namespace}.svc:15000/scaling"),
                "format": "json",
                "valueLocation": format!("pools.{}.needed_replicas", demand::key(pool)),
                "targetValue": "1",
                "activationTargetValue": "0",
            });
            json!({ "type": "metrics-api", "metricType": "AverageValue", "metadata": metadata })
        }),
        Trigger::External => of_each(&|pool| asked("external", pool)),
        Trigger::ExternalPush => of_each(&|pool| asked("external-push", pool)),
    }
}

/// One element, as KEDA demands: the replicas that are needed. A silent exporter is an error, and never read as no demand.
fn prometheus(workload: &Workload, terms: &Terms<'_>) -> Value {
    let pools: Vec<String> = workload.pools.iter().map(|pool| regex::escape(pool).replace('\\', "\\\\")).collect();
    let pools = pools.join("|");
    let query = format!(
        "sum(sum by (pool) (overspill_pool_demand{{pool=~\"{pools}\"}}) / \
         max by (pool) (overspill_pool_target_concurrency{{pool=~\"{pools}\"}}))"
    );
    let metadata = json!({
        "serverAddress": terms.prometheus.to_string().trim_end_matches('/'),
        "query": query,
        "threshold": "1",
        "activationThreshold": "0",
        "ignoreNullValues": "false",
    });
    json!({ "type": "prometheus", "metricType": "AverageValue", "metadata": metadata })
}
