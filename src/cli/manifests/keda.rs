//! KEDA's `ScaledObject` (`keda.sh/v1alpha1`).

use serde_json::{Value, json};

use super::workload::Workload;
use super::{Terms, Trigger, autoscaler, demand, metadata};
use crate::scaling::{Metric, key};

/// How often KEDA asks, in seconds: as often as the autoscaler that it makes decides.
const POLLING_SECONDS: u32 = 15;
/// How long a pool is idle before it goes to zero, in seconds; KEDA's own default.
const COOLDOWN_SECONDS: u32 = 300;

/// What a workload is scaled by, as the routers tell it, with what one replica is to have of it.
#[derive(Clone, Copy, Debug)]
enum Figure {
    /// The replicas that the demand needs.
    Replicas,
    RequestsPerSecond(f64),
    PendingRequests(u32),
}

impl Figure {
    /// Those of a workload: the demand always, and what its document has a target for.
    fn of(workload: &Workload) -> Vec<Self> {
        let targets = workload.recipe.targets;
        let rate = targets.requests_per_second.map(Self::RequestsPerSecond);
        let pending = targets.pending_requests.map(Self::PendingRequests);
        std::iter::once(Self::Replicas).chain(rate).chain(pending).collect()
    }

    /// What one replica is to have.
    fn target(self) -> String {
        match self {
            Self::Replicas => "1".to_owned(),
            Self::RequestsPerSecond(rate) => rate.to_string(),
            Self::PendingRequests(pending) => pending.to_string(),
        }
    }

    /// The metric of the external scaler; `None` for what it gives unasked.
    fn metric(self) -> Option<Metric> {
        match self {
            Self::Replicas => None,
            Self::RequestsPerSecond(_) => Some(Metric::RequestsPerSecond),
            Self::PendingRequests(_) => Some(Metric::PendingRequests),
        }
    }

    /// The field of a pool in `GET /scaling`; also what a trigger is named by.
    fn field(self) -> &'static str {
        match self {
            Self::Replicas => "needed_replicas",
            Self::RequestsPerSecond(_) => "arrivals_per_second",
            Self::PendingRequests(_) => "pending_requests",
        }
    }

    /// A query for the sum over pools, which `pools` selects: one element, as KEDA demands.
    fn query(self, pools: &str) -> String {
        match self {
            Self::Replicas => format!(
                "sum(sum by (pool) (overspill_pool_demand{{{pools}}}) / \
                 max by (pool) (overspill_pool_target_concurrency{{{pools}}}))"
            ),
            Self::RequestsPerSecond(_) => format!("sum(rate(overspill_pool_arrivals_total{{{pools}}}[1m]))"),
            Self::PendingRequests(_) => format!("sum(overspill_pending_requests{{{pools}}})"),
        }
    }
}

/// Scales `workload` by the replicas that its pools need, and by what their document has targets for. It takes over the
/// `HorizontalPodAutoscaler` of the same name, so that there never are two.
pub(super) fn scaled_object(workload: &Workload, terms: &Terms<'_>) -> Value {
    let recipe = &workload.recipe;
    let resources = [("cpu", recipe.targets.cpu), ("memory", recipe.targets.memory)];
    let resources = resources.into_iter().filter_map(|(kind, percent)| {
        let value = percent?.to_string();
        Some(json!({ "type": kind, "metricType": "Utilization", "metadata": { "value": value } }))
    });
    let figures = Figure::of(workload);
    let asked = figures.iter().flat_map(|figure| triggers(*figure, workload, terms));
    let triggers: Vec<Value> = asked.chain(resources).collect();
    let mut metadata = metadata(&workload.label(), &workload.namespace);
    metadata["annotations"] = json!({ "scaledobject.keda.sh/transfer-hpa-ownership": "true" });
    let mut advanced = json!({ "horizontalPodAutoscalerConfig": {
        "name": workload.name,
        "behavior": autoscaler::behavior(workload),
    } });
    if triggers.iter().any(|trigger| trigger["name"].is_string()) {
        advanced["scalingModifiers"] = json!({ "formula": formula(&figures, workload), "target": "1" });
    }
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
            "advanced": advanced,
            "triggers": triggers,
        },
    })
}

/// What asks the routers for one figure. Of several pools of one workload each trigger has a name, by which [`formula`] adds up
/// what KEDA would take the largest of.
fn triggers(figure: Figure, workload: &Workload, terms: &Terms<'_>) -> Vec<Value> {
    let Terms { namespace, service, .. } = terms;
    let asked = |kind: &str, pool: &str| {
        let address = format!("{}.{namespace}.svc:{}", demand::SCALER, demand::SCALER_PORT);
        let mut metadata = json!({ "scalerAddress": address, "pool": pool });
        if let Some(metric) = figure.metric() {
            metadata["metric"] = metric.as_str().into();
            metadata["targetValue"] = figure.target().into();
        }
        json!({ "type": kind, "metricType": "AverageValue", "metadata": metadata })
    };
    let read = |pool: &str| {
        let metadata = json!({
            "url": format!("http://{service}.{namespace}.svc:15000/scaling"),
            "format": "json",
            "valueLocation": format!("pools.{}.{}", key(pool), figure.field()),
            "targetValue": figure.target(),
            "activationTargetValue": "0",
        });
        json!({ "type": "metrics-api", "metricType": "AverageValue", "metadata": metadata })
    };
    let trigger = |pool: &String| match terms.trigger {
        Trigger::Prometheus => prometheus(figure, workload, terms),
        Trigger::MetricsApi => read(pool),
        Trigger::External => asked("external", pool),
        Trigger::ExternalPush => asked("external-push", pool),
    };
    if terms.trigger == Trigger::Prometheus || workload.pools.len() == 1 {
        return workload.pools.first().map(trigger).into_iter().collect();
    }
    let named = workload.pools.iter().zip(names(figure, workload)).map(|(pool, name)| {
        let mut trigger = trigger(pool);
        trigger["name"] = name.into();
        trigger
    });
    named.collect()
}

/// The names of the triggers of one figure, one a pool.
fn names(figure: Figure, workload: &Workload) -> impl Iterator<Item = String> {
    (1..=workload.pools.len()).map(move |number| format!("{}_{number}", figure.field()))
}

/// The replicas that the pools of a workload need together: the most that any of the figures asks for.
fn formula(figures: &[Figure], workload: &Workload) -> String {
    let sums = figures.iter().map(|figure| {
        let sum = names(*figure, workload).collect::<Vec<_>>().join(" + ");
        format!("({sum}) / {}", figure.target())
    });
    let sums: Vec<String> = sums.collect();
    if let [one] = &*sums { one.clone() } else { format!("max({})", sums.join(", ")) }
}

/// A silent exporter is an error, and never read as no demand.
fn prometheus(figure: Figure, workload: &Workload, terms: &Terms<'_>) -> Value {
    let pools: Vec<String> = workload.pools.iter().map(|pool| regex::escape(pool).replace('\\', "\\\\")).collect();
    let metadata = json!({
        "serverAddress": terms.prometheus.to_string().trim_end_matches('/'),
        "query": figure.query(&format!("pool=~\"{}\"", pools.join("|"))),
        "threshold": figure.target(),
        "activationThreshold": "0",
        "ignoreNullValues": "false",
    });
    json!({ "type": "prometheus", "metricType": "AverageValue", "metadata": metadata })
}
