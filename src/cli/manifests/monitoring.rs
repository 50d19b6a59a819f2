//! The scrape, the rules and the dashboard: the files of `manifests/`, of whichever workloads a configuration has. What they
//! ask of the routers they ask by the labels of every pool; what they ask of Kubernetes, by the workloads' names.

use serde_json::json;

use super::workload::Workload;
use super::{Terms, metadata};
use crate::config;

const RULES: &str = include_str!("../../../manifests/base/monitoring/rules.yaml");
const SERVICE_MONITOR: &str = include_str!("../../../manifests/base/monitoring/service-monitor.yaml");
const DASHBOARD: &str = include_str!("../../../manifests/base/monitoring/dashboard.json");

/// The workloads of the files, as the regular expressions in them name them: the routers, and the pools.
const WORKLOADS: &str = "overspill|embeddings-cpu|embeddings-gpu";

/// The routers' `ServiceMonitor`.
pub(super) fn service_monitor(terms: &Terms<'_>) -> String {
    within(SERVICE_MONITOR, terms.namespace)
}

/// The `PrometheusRule`.
pub(super) fn rules(workloads: &[Workload], terms: &Terms<'_>) -> String {
    within(&of(RULES, workloads, terms), terms.namespace)
}

/// The dashboard, as the `ConfigMap` that Grafana's sidecar looks for.
pub(super) fn dashboard(workloads: &[Workload], terms: &Terms<'_>) -> String {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata("overspill-dashboard", terms.namespace),
        "data": { "overspill.json": of(DASHBOARD, workloads, terms) },
    });
    object["metadata"]["labels"]["app"] = json!("overspill");
    object["metadata"]["labels"]["grafana_dashboard"] = json!("1");
    config::to_yaml(&object)
}

/// The document with its workloads in place of the file's.
fn of(document: &str, workloads: &[Workload], terms: &Terms<'_>) -> String {
    let mut names: Vec<&str> = workloads.iter().map(|workload| workload.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let names: Vec<String> = std::iter::once(terms.router).chain(names).map(expression).collect();
    document.replace(WORKLOADS, &names.join("|"))
}

/// A name as a regular expression that no format around it changes: a class holds a dot, since a backslash would have to be
/// written otherwise in `PromQL`, in YAML and in JSON.
fn expression(name: &str) -> String {
    name.replace('.', "[.]")
}

/// The document with its namespace; the file leaves it to whoever applies it.
fn within(document: &str, namespace: &str) -> String {
    document.replacen("\n  name: overspill\n", &format!("\n  name: overspill\n  namespace: {namespace}\n"), 1)
}
