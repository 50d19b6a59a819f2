//! `kubectl kustomize` builds every folder without a word, and what it builds is valid, bounded and unprivileged.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::files::{kustomizations, root, yaml};
use super::tools::{all, silent, tool};

/// What a folder builds.
fn build(kubectl: &Path, folder: &str) -> String {
    silent(Command::new(kubectl).args(["kustomize", folder]).current_dir(root()))
}

/// Each container of each pod, with where it stands.
fn containers(folder: &str, objects: &[Value]) -> Vec<(String, Value, Value)> {
    let mut found = Vec::new();
    for object in objects {
        let pod = &object["spec"]["template"]["spec"];
        for list in ["initContainers", "containers"] {
            for container in pod[list].as_array().into_iter().flatten() {
                let place =
                    format!("{folder}: {} {}: {}", object["kind"], object["metadata"]["name"], container["name"]);
                found.push((place, pod.clone(), container.clone()));
            }
        }
    }
    found
}

#[test]
fn every_folder_builds_and_every_object_is_valid() {
    let (Some(kubectl), Some(validator)) = (tool("kubectl"), tool("kubernetes-validate")) else { return };
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let mut validate = Command::new(validator.with_file_name("python"));
    validate
        .current_dir(root())
        .arg("tests/manifests/validate.py")
        .args(["--definitions", "manifests/crds/definitions.yaml"]);
    // Istio's definitions are not shipped; where they are at hand, the documents are held against them too.
    let istio = root().join("../shared/data/crds/istio-crds.yaml");
    if istio.is_file() {
        validate.arg("--definitions").arg(&istio);
    }
    for (at, name) in kustomizations().iter().enumerate() {
        let built = build(&kubectl, name);
        let mut text = built.clone();
        for object in yaml(name, &built).iter().filter(|object| object["kind"] == "ConfigMap" && istio.is_file()) {
            let files = object["data"]
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(file, _)| Path::new(file).extension().is_some_and(|extension| extension == "yaml"));
            let documents = files.filter_map(|(_, text)| text.as_str()).filter(|text| text.contains("apiVersion:"));
            documents.for_each(|document| write!(text, "---\n{document}").expect("a string takes all text"));
        }
        let path = folder.path().join(format!("{at}.yaml"));
        fs::write(&path, text).expect("a temporary folder is writable");
        validate.arg(format!("{name}={}", path.display()));
    }
    let output = validate.output().expect("python starts");
    assert!(output.status.success(), "{}", all(&output));
}

#[test]
fn no_container_may_do_more_than_it_needs() {
    let Some(kubectl) = tool("kubectl") else { return };
    let mut seen = 0;
    for folder in kustomizations() {
        for (place, pod, container) in containers(&folder, &yaml(&folder, &build(&kubectl, &folder))) {
            seen += 1;
            let (own, shared) = (&container["securityContext"], &pod["securityContext"]);
            assert_eq!(own["readOnlyRootFilesystem"], true, "{place}");
            assert_eq!(own["allowPrivilegeEscalation"], false, "{place}");
            assert_eq!(own["capabilities"]["drop"][0], "ALL", "{place}");
            assert_eq!(shared["runAsNonRoot"], true, "{place}");
            assert_eq!(shared["seccompProfile"]["type"], "RuntimeDefault", "{place}");
            assert_eq!(pod["automountServiceAccountToken"], false, "{place}");
        }
    }
    assert!(seen > 8, "{seen} containers were found");
}

/// A CPU quantity in thousandths, or a memory quantity in bytes.
fn quantity(value: &Value, place: &str) -> f64 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let units =
        [("Ki", 1024.0), ("Mi", 1_048_576.0), ("Gi", 1_073_741_824.0), ("m", 0.001), ("M", 1e6), ("G", 1e9), ("", 1.0)];
    let (number, unit) = units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size))).expect("a unit");
    number.parse::<f64>().unwrap_or_else(|error| panic!("{place}: {text}: {error}")) * unit
}

#[test]
fn limits_are_what_operators_set_over_requests() {
    let Some(kubectl) = tool("kubectl") else { return };
    for folder in kustomizations() {
        for (place, _, container) in containers(&folder, &yaml(&folder, &build(&kubectl, &folder))) {
            let resources = &container["resources"];
            for (name, ratio) in [("cpu", 2.0), ("memory", 1.5)] {
                let [request, limit] = ["requests", "limits"].map(|of| quantity(&resources[of][name], &place));
                assert!(
                    (limit / request - ratio).abs() < 1e-9,
                    "{place}: {name}: {limit} is not {ratio} times {request}"
                );
            }
        }
    }
}
