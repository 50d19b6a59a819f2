//! The chart gives the objects of the overlays, and refuses values that it does not know.

use std::collections::BTreeMap;
use std::fs;
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

/// The sidecar alone.
const SIDECAR: &str = "--set sidecar.enabled=true,router.enabled=false,pools.enabled=false,autoscaling.preset=none";

/// What kustomize builds of a folder, but for the namespace, which is there before a release; and what the chart gives.
fn both(folder: &str, values: &str) -> Option<[BTreeMap<(String, String), Value>; 2]> {
    let (helm, kubectl) = (tool("helm")?, tool("kubectl")?);
    let mut built = objects(&silent(Command::new(kubectl).args(["kustomize", folder]).current_dir(root())));
    built.retain(|(kind, _), _| kind != "\"Namespace\"");
    let output = template(&helm, "inference", values);
    assert!(output.status.success(), "{values}: {}", all(&output));
    Some([built, objects(&String::from_utf8_lossy(&output.stdout))])
}

#[test]
fn the_chart_gives_what_the_overlays_do() {
    let overlays = [
        ("gateway", ""),
        ("canary", "--set canary.enabled=true"),
        ("keda", "--set autoscaling.keda=external-push"),
        ("metrics-api", "--set autoscaling.preset=custom,autoscaling.metricsApi=true"),
        ("production", "--include-crds --set localModel.enabled=true,monitoring.enabled=true,vpa.enabled=true"),
        ("sidecar", SIDECAR),
    ];
    let folders = fs::read_dir(root().join("manifests/overlays")).expect("a folder").count();
    assert_eq!(folders, overlays.len(), "every overlay is compared");
    for (overlay, values) in overlays {
        let Some([built, given]) = both(&format!("manifests/overlays/{overlay}"), values) else { return };
        let (kustomized, helmed): (Vec<_>, Vec<_>) = (built.keys().collect(), given.keys().collect());
        assert_eq!(kustomized, helmed, "{overlay}");
        for (key, object) in &built {
            assert_eq!(object, &given[key], "{overlay}: {key:?}");
        }
    }
}

#[test]
fn the_chart_gives_what_every_way_to_scale_has() {
    let ways = [
        ("hpa-online", "--set autoscaling.preset=online"),
        ("hpa-batch", "--set autoscaling.preset=batch"),
        ("hpa-custom", "--set autoscaling.preset=custom"),
        ("hpa-cost", "--set autoscaling.preset=cost"),
        ("keda-prometheus", "--set autoscaling.keda=prometheus"),
        ("keda-metrics-api", "--set autoscaling.keda=metrics-api"),
        ("keda-external", "--set autoscaling.keda=external"),
        ("keda-external-push", "--set autoscaling.keda=external-push"),
        ("metrics-api", "--set autoscaling.metricsApi=true"),
        ("prometheus-adapter", "--set autoscaling.prometheusAdapter.enabled=true"),
    ];
    let folders = fs::read_dir(root().join("manifests/base/autoscaling")).expect("a folder").count();
    assert_eq!(folders, ways.len(), "every way is compared");
    for (way, values) in ways {
        let Some([built, given]) = both(&format!("manifests/base/autoscaling/{way}"), values) else { return };
        for (key, object) in &built {
            assert_eq!(Some(object), given.get(key), "{way}: {key:?}");
        }
    }
}

#[test]
fn keda_has_the_figures_of_the_preset() {
    for (preset, least, most) in
        [("online", 5.0, 20.0), ("batch", 2.0, 10.0), ("custom", 3.0, 15.0), ("cost", 1.0, 10.0)]
    {
        for trigger in ["prometheus", "metrics-api", "external", "external-push"] {
            let Some(helm) = tool("helm") else { return };
            let values = format!("--set autoscaling.preset={preset},autoscaling.keda={trigger}");
            let given = objects(&String::from_utf8_lossy(&template(&helm, "inference", &values).stdout));
            let of_kind = |kind: &str| given.iter().filter(|((known, _), _)| *known == format!("\"{kind}\"")).count();
            assert_eq!((of_kind("ScaledObject"), of_kind("HorizontalPodAutoscaler")), (2, 0), "{values}");
            let key = ("\"ScaledObject\"".to_owned(), "\"embeddings-gpu\"".to_owned());
            let spec = &given[&key]["spec"];
            assert_eq!((&spec["minReplicaCount"], &spec["maxReplicaCount"]), (&least.into(), &most.into()), "{values}");
        }
    }
}

#[test]
fn a_release_stays_in_its_namespace() {
    let Some(helm) = tool("helm") else { return };
    let values = "--set canary.enabled=true,localModel.enabled=true,monitoring.enabled=true,vpa.enabled=true,autoscaling.keda=external-push,sidecar.enabled=true";
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
    for values in [
        "autoscaling.preset=fast",
        "router.replicas=0",
        "router.replica=3",
        "router.enabled=perhaps",
        "localModel.storage=big",
        "documents.a=b",
        "sidecar.imag=search:1",
        "monitoring.workloads={My_Pool}",
        "autoscaling.prometheusAdapter.namespace=Monitoring",
    ] {
        let output = template(&helm, "inference", &format!("--set {values}"));
        assert!(!output.status.success() && all(&output).contains("values don't meet"), "{values}: {}", all(&output));
    }
    for (values, said) in [
        ("autoscaling.keda=external,autoscaling.metricsApi=true", "exclude each other"),
        ("autoscaling.keda=external,autoscaling.preset=none", "autoscaling.keda needs a preset"),
    ] {
        let output = template(&helm, "inference", &format!("--set {values}"));
        assert!(!output.status.success() && all(&output).contains(said), "{values}: {}", all(&output));
    }
    let output = Command::new(helm).args(["lint", "--strict", "manifests/helm"]).current_dir(root()).output();
    let output = output.expect("helm starts");
    assert!(output.status.success(), "{}", all(&output));
}
