//! Everything that a rule, a panel, a scaler or an adapter asks for is there: asked of the running program, and of a real
//! Prometheus that scrapes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::files::{kustomizations, root, text, yaml};
use super::harness::Metrics;
use super::prometheus::{Prometheus, Scrape};
use super::promql::{groupings, selectors};
use super::scenario::Scenario;
use super::tools::{overspill, silent, tool};

const RULES: &str = "manifests/base/monitoring/rules.yaml";
const DASHBOARD: &str = "manifests/base/monitoring/dashboard.json";
const ADAPTER: &str = "manifests/base/autoscaling/prometheus-adapter/config.yaml";

/// Series of others, that no router can emit: what each comes from.
const FOREIGN: [(&str, &str); 5] = [
    ("up", "Prometheus"),
    ("kube_", "kube-state-metrics"),
    ("container_", "the kubelet"),
    ("DCGM_", "NVIDIA's DCGM exporter"),
    ("ALERTS", "Prometheus"),
];

/// Labels that Prometheus adds to what it scrapes.
const SCRAPED: [&str; 5] = ["job", "instance", "namespace", "pod", "service"];

fn is_foreign(name: &str) -> bool {
    FOREIGN.iter().any(|(prefix, _)| name == *prefix || (prefix.ends_with('_') && name.starts_with(prefix)))
}

/// The rules of the groups.
fn rules() -> Vec<Value> {
    let document = yaml(RULES, &text(RULES)).remove(0);
    let groups = document["spec"]["groups"].as_array().expect("groups").clone();
    groups.iter().flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
}

fn as_text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}

/// The expressions of the dashboard's panels, with a value for each of its variables.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| {
        panel["targets"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|target| (as_text(panel, "title"), as_text(target, "expr")))
    });
    targets
        .map(|(title, expr)| (title.to_owned(), expr.replace("$__rate_interval", "1m").replace("$pool", ".*")))
        .collect()
}

/// Every expression with where it stands.
fn expressions() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = rules()
        .iter()
        .map(|rule| {
            (
                rule["record"].as_str().or(rule["alert"].as_str()).expect("a rule has a name").to_owned(),
                as_text(rule, "expr").to_owned(),
            )
        })
        .collect();
    found.extend(panels());
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).expect("the dashboard is JSON");
    for variable in dashboard["templating"]["list"].as_array().expect("variables") {
        if let Some(query) = variable["query"]["query"].as_str() {
            let inner =
                query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).expect("label_values");
            let (series, label) = inner.split_once(", ").expect("a series and a label");
            found.push((format!("variable {}", variable["name"]), format!("count by ({label}) ({series})")));
        }
    }
    for folder in kustomizations() {
        for file in
            fs::read_dir(root().join(&folder)).expect("a readable folder").map(|entry| entry.expect("an entry").path())
        {
            if file.extension().is_some_and(|ending| ending == "yaml") {
                let objects = yaml(&folder, &text(&file));
                let triggers =
                    objects.iter().flat_map(|object| object["spec"]["triggers"].as_array().into_iter().flatten());
                found.extend(
                    triggers.filter_map(|trigger| {
                        Some((folder.clone(), trigger["metadata"]["query"].as_str()?.to_owned()))
                    }),
                );
            }
        }
    }
    let adapter = yaml(ADAPTER, &text(ADAPTER)).remove(0);
    for rule in ["rules", "externalRules"].iter().flat_map(|list| adapter[list].as_array().expect("rules")) {
        found.push((ADAPTER.to_owned(), as_text(rule, "seriesQuery").to_owned()));
    }
    found
}

/// What each recording rule is called, with the labels that its samples have.
fn recorded() -> BTreeMap<String, BTreeSet<String>> {
    rules()
        .iter()
        .filter_map(|rule| Some((rule["record"].as_str()?.to_owned(), groupings(as_text(rule, "expr")))))
        .collect()
}

/// What is wrong with what `expr` asks for.
fn faults(expr: &str, metrics: &Metrics, recorded: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut known: BTreeSet<String> = SCRAPED.iter().map(|label| (*label).to_owned()).collect();
    let mut all_own = true;
    for selector in selectors(expr) {
        let name = &selector.name;
        if is_foreign(name) {
            all_own = false;
            continue;
        }
        if let Some(labels) = recorded.get(name) {
            known.extend(labels.iter().cloned());
            continue;
        }
        if !metrics.has(name, &[]) {
            faults.push(format!("{name} is not emitted"));
            continue;
        }
        known.extend(metrics.label_names(name));
        // A pool of the manifests is none of the scenario's.
        let wanted = selector.labels.iter().filter(|(label, _)| !SCRAPED.contains(&label.as_str()));
        for (label, value) in wanted {
            let values = metrics.label_values(name, label);
            if values.is_empty() || value.as_ref().is_some_and(|value| !values.contains(&value.as_str())) {
                faults.push(format!("{name} has no {label} {}", value.as_deref().unwrap_or_default()));
            }
        }
    }
    let missing = groupings(expr).into_iter().filter(|label| all_own && !known.contains(label));
    faults.extend(missing.map(|label| format!("nothing has the label {label}")));
    faults
}

#[test]
fn the_program_emits_what_is_asked_for() {
    let scenario = Scenario::start();
    let (metrics, recorded, expressions) = (scenario.router.metrics(), recorded(), expressions());
    assert!(expressions.len() > 50, "{} expressions were found", expressions.len());
    let faults: Vec<String> = expressions
        .iter()
        .flat_map(|(place, expr)| {
            faults(expr, &metrics, &recorded).into_iter().map(move |fault| format!("{place}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_is_not_emitted_is_found_out() {
    let scenario = Scenario::start();
    let metrics = scenario.router.metrics();
    for (expr, fault) in [
        ("rate(overspill_no_such_total[5m])", "overspill_no_such_total is not emitted"),
        (r#"overspill_requests_total{code="200"}"#, "overspill_requests_total has no code 200"),
        (r#"overspill_pool_endpoints{state="dead"}"#, "overspill_pool_endpoints has no state dead"),
        ("sum by (colour) (overspill_pool_slots)", "nothing has the label colour"),
        (
            r#"overspill_request_duration_seconds_bucket{le="0.7"}"#,
            "overspill_request_duration_seconds_bucket has no le 0.7",
        ),
    ] {
        assert_eq!(faults(expr, &metrics, &BTreeMap::new()), [fault]);
    }
}

/// The rules as Prometheus itself reads them, evaluated often enough for a test.
fn hurried_rules() -> String {
    let mut document = yaml(RULES, &text(RULES)).remove(0);
    for group in document["spec"]["groups"].as_array_mut().expect("groups") {
        group["interval"] = "200ms".into();
    }
    document["spec"].to_string()
}

#[test]
fn a_real_prometheus_evaluates_every_rule_and_panel() {
    let Some(program) = tool("prometheus") else { return };
    let mut scenario = Scenario::start();
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let file = folder.path().join("rules.json");
    fs::write(&file, hurried_rules()).expect("a temporary folder is writable");
    let scrape = Scrape { target: scenario.router.admin, job: "overspill", rules: Some(&file) };
    let prometheus = Prometheus::start(&program, &scrape);
    let scraped = r#"count(up{job="overspill"} == 1)"#;
    scenario.router.wait_until("it has been scraped", |_| prometheus.query(scraped) == Some(1.0));
    // Rates need a second reading that is another.
    scenario.traffic();
    let names = recorded();
    for (name, labels) in &names {
        let has_value = |_: &_| prometheus.samples(name) > 0;
        scenario.router.wait_until(&format!("{name}, by {labels:?}, is recorded"), has_value);
    }
    for rule in prometheus.rules() {
        assert_eq!(
            (rule["health"].as_str(), rule["lastError"].as_str().unwrap_or_default()),
            (Some("ok"), ""),
            "{rule}"
        );
    }
    for (title, expr) in panels() {
        if !selectors(&expr).iter().any(|selector| is_foreign(&selector.name)) {
            assert!(prometheus.samples(&expr) > 0, "{title} shows nothing: {expr}");
        }
    }
    let url = format!("http://{}", prometheus.address);
    let advice = silent(overspill().args(["advise", "--prometheus", &url, "--every", "1s", "--output", "json"]));
    let advice: Value = serde_json::from_str(&advice).expect("JSON");
    let pools: Vec<&str> =
        advice["pools"].as_array().expect("pools").iter().map(|pool| as_text(pool, "pool")).collect();
    assert!(pools.contains(&"gpu.example:80") && pools.contains(&"full.example:80"), "{pools:?}");
    let full = advice["pools"].as_array().expect("pools").iter().find(|pool| pool["pool"] == "full.example:80");
    let full = full.expect("it is among them");
    assert!(full["replicas"] == 1 && full["used"].is_number(), "{advice}");
}

#[test]
fn the_scrape_reaches_the_port_that_the_service_has() {
    let Some(kubectl) = tool("kubectl") else { return };
    let built = silent(
        std::process::Command::new(kubectl).args(["kustomize", "manifests/overlays/production"]).current_dir(root()),
    );
    let objects = yaml("production", &built);
    let monitor = objects.iter().find(|object| object["kind"] == "ServiceMonitor").expect("a ServiceMonitor");
    let wanted = monitor["spec"]["selector"]["matchLabels"].as_object().expect("labels");
    let matches = |service: &&Value| wanted.iter().all(|(label, value)| &service["metadata"]["labels"][label] == value);
    let service =
        objects.iter().filter(|object| object["kind"] == "Service").find(matches).expect("a Service that it selects");
    assert_eq!(service["spec"]["ports"][0]["name"], monitor["spec"]["endpoints"][0]["port"]);
    assert_eq!(monitor["spec"]["endpoints"][0]["interval"], "15s");
    // The job that rules and panels select by is the value of this label.
    let label = as_text(&monitor["spec"], "jobLabel");
    assert_eq!(service["metadata"]["labels"][label], "overspill");
    let scenario = Scenario::start();
    let path = as_text(&monitor["spec"]["endpoints"][0], "path");
    assert_eq!(scenario.router.admin_get(path).head.status, 200);
}
