//! The lists of values.

use serde_json::{Value, json};

use super::discovery::{Group, metric_name};
use super::failure::Failure;
use super::labels::{labels, service};
use super::quantity::quantity;
use super::question::Selectors;
use crate::scaling::{Metric, PoolReport, Report, WINDOW};

/// The seconds over which a metric is taken; zero where it is of one moment, as Kubernetes has it.
fn window(metric: Metric) -> u64 {
    match metric {
        Metric::DesiredReplicas | Metric::Concurrency | Metric::RequestsPerSecond => WINDOW.as_secs(),
        Metric::PendingRequests => 0,
    }
}

fn is_selected(pool: &PoolReport, selectors: &Selectors) -> bool {
    let labels = labels(pool);
    let label = |key: &str| labels.get(key).map(String::as_str);
    selectors.labels.selects(label) && selectors.metric_labels.selects(label)
}

/// Why nothing is selected, with what could be.
fn nothing(what: &str, report: &Report) -> Failure {
    let keys: Vec<String> = report.pools.iter().map(PoolReport::key).collect();
    Failure::missing(format!("{what}; the pools are, by their label `pool`: {}", keys.join(", ")))
}

/// `ExternalMetricValueList`: a value for each pool that is selected, at `now` (RFC 3339).
pub(super) fn external(report: &Report, metric: Metric, selectors: &Selectors, now: &str) -> Result<Value, Failure> {
    let selected = report.pools.iter().filter(|pool| is_selected(pool, selectors));
    let items = selected.map(|pool| {
        let mut labels = labels(pool);
        labels.insert("routers", report.routers.answered.to_string());
        json!({
            "metricName": metric_name(metric),
            "metricLabels": labels,
            "timestamp": now,
            "window": window(metric),
            "value": quantity(metric.value(pool)),
        })
    });
    let items: Vec<Value> = items.collect();
    if items.is_empty() {
        return Err(nothing("no pool of the routers' configuration has these labels", report));
    }
    Ok(list("ExternalMetricValueList", Group::External, items))
}

/// `MetricValueList`: a value for the Service, the sum of its pools that are selected, or for each Service of the namespace
/// where `name` is `*`.
pub(super) fn custom(
    report: &Report,
    (namespace, name, metric): (&str, &str, Metric),
    selectors: &Selectors,
    now: &str,
) -> Result<Value, Failure> {
    // In the order of the configuration.
    let mut services: Vec<(&str, f64)> = Vec::new();
    for pool in report.pools.iter().filter(|pool| is_selected(pool, selectors)) {
        let of = service(&pool.name).filter(|(of, within)| *within == namespace && (name == "*" || *of == name));
        let Some((of, _)) = of else { continue };
        let value = metric.value(pool);
        match services.iter_mut().find(|(known, _)| *known == of) {
            Some((_, sum)) => *sum += value,
            None => services.push((of, value)),
        }
    }
    if services.is_empty() {
        let what = format!("no pool of the routers' configuration is of the Service {namespace}/{name}");
        return Err(nothing(&what, report));
    }
    let item = |(name, value): (&str, f64)| {
        json!({
            "describedObject": { "kind": "Service", "namespace": namespace, "name": name, "apiVersion": "v1" },
            "metric": { "name": metric_name(metric), "selector": selectors.metric_labels.json() },
            "timestamp": now,
            "windowSeconds": window(metric),
            "value": quantity(value),
        })
    };
    Ok(list("MetricValueList", Group::Custom, services.into_iter().map(item).collect()))
}

fn list(kind: &str, group: Group, items: Vec<Value>) -> Value {
    json!({ "kind": kind, "apiVersion": group.api_version(), "metadata": {}, "items": Value::Array(items) })
}
