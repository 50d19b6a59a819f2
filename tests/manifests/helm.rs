//! The chart gives the objects of the overlays, and refuses values that it does not know.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::files::{root, yaml};
use super::tools::{all, silent, tool};

fn template(helm: &Path, namespace: &str, values: &str) -> Output {
    let mut command = Command::new(helm);
    command.current_dir(root()).args(["template", "overspill", "manifests/helm", "--namespace", namespace]);
    command.args(values.split_whitespace()).output().expect("helm starts")
}

/// Objects by kind and name. Kustomize puts what a patch adds to a list before what is there, so that lists of named things
/// are put in order; it writes whole floating-point numbers as integers, so that all numbers are made one kind.
fn objects(text: &str) -> BTreeMap<(String, String), Value> {
    let key = |object: &Value| (object["kind"].to_string(), object["metadata"]["name"].to_string());
    let objects = yaml("objects", text).into_iter().map(|mut object| {
        in_order(&mut object);
        (key(&object), object)
    });
    objects.collect()
}

fn in_order(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(in_order);
            if items.iter().all(|item| item["name"].is_string()) {
                items.sort_by_key(|item| item["name"].to_string());
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(in_order),
        Value::Number(number) => *value = number.as_f64().into(),
        _ => {}
    }
}

#[test]
fn the_chart_gives_what_the_overlays_do() {
    let (Some(helm), Some(kubectl)) = (tool("helm"), tool("kubectl")) else { return };
    for (overlay, values) in [
        ("gateway", ""),
        ("canary", "--set canary.enabled=true"),
        ("metrics-api", "--set autoscaling.preset=custom,autoscaling.metricsApi=true"),
        ("production", "--include-crds --set localModel.enabled=true,monitoring.enabled=true,vpa.enabled=true"),
    ] {
        let folder = format!("manifests/overlays/{overlay}");
        let mut built = objects(&silent(Command::new(&kubectl).args(["kustomize", &folder]).current_dir(root())));
        // A release's namespace is there before it.
        built.retain(|(kind, _), _| kind != "\"Namespace\"");
        let output = template(&helm, "inference", values);
        assert!(output.status.success(), "{}", all(&output));
        let given = objects(&String::from_utf8_lossy(&output.stdout));
        let (kustomized, helmed): (Vec<_>, Vec<_>) = (built.keys().collect(), given.keys().collect());
        assert_eq!(kustomized, helmed, "{overlay}");
        for (key, object) in &built {
            assert_eq!(object, &given[key], "{overlay}: {key:?}");
        }
    }
}

#[test]
fn a_release_stays_in_its_namespace() {
    let Some(helm) = tool("helm") else { return };
    let values = "--set canary.enabled=true,localModel.enabled=true,monitoring.enabled=true,vpa.enabled=true,autoscaling.keda=external-push";
    let output = template(&helm, "elsewhere", values);
    assert!(output.status.success(), "{}", all(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    for object in yaml("objects", &text) {
        assert_eq!(object["metadata"]["namespace"], "elsewhere", "{} {}", object["kind"], object["metadata"]["name"]);
    }
    let strays: Vec<&str> =
        text.lines().filter(|line| line.contains("namespace: inference") || line.contains(".inference.svc")).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[test]
fn values_that_the_schema_does_not_know_are_refused() {
    let Some(helm) = tool("helm") else { return };
    for values in
        ["autoscaling.preset=fast", "router.replicas=0", "router.replica=3", "localModel.storage=big", "documents.a=b"]
    {
        let output = template(&helm, "inference", &format!("--set {values}"));
        assert!(!output.status.success() && all(&output).contains("values don't meet"), "{values}: {}", all(&output));
    }
    let output = Command::new(helm).args(["lint", "--strict", "manifests/helm"]).current_dir(root()).output();
    let output = output.expect("helm starts");
    assert!(output.status.success(), "{}", all(&output));
}
