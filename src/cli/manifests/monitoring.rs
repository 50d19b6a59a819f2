//! The scrape, the rules and the dashboard: the same for every pool, by their labels. They are the files of `manifests/`.

use serde_json::json;

use super::metadata;
use crate::config;

const RULES: &str = include_str!("../../../manifests/base/monitoring/rules.yaml");
const SERVICE_MONITOR: &str = include_str!("../../../manifests/base/monitoring/service-monitor.yaml");
const DASHBOARD: &str = include_str!("../../../manifests/base/monitoring/dashboard.json");

/// The routers' `ServiceMonitor`.
pub(super) fn service_monitor(namespace: &str) -> String {
    within(SERVICE_MONITOR, namespace)
}

/// The `PrometheusRule`.
pub(super) fn rules(namespace: &str) -> String {
    within(RULES, namespace)
}

/// The dashboard, as the `ConfigMap` that Grafana's sidecar looks for.
pub(super) fn dashboard(namespace: &str) -> String {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata("overspill-dashboard", namespace),
        "data": { "overspill.json": DASHBOARD },
    });
    object["metadata"]["labels"]["grafana_dashboard"] = json!("1");
    config::to_yaml(&object)
}

/// The document with its namespace; the file leaves it to whoever applies it.
fn within(document: &str, namespace: &str) -> String {
    document.replacen("\n  name: overspill\n", &format!("\n  name: overspill\n  namespace: {namespace}\n"), 1)
}
