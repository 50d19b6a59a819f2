//! Every file of `config/` and `manifests/` is read: YAML and JSON parse, and the router's documents compile.

use serde_json::Value;

use super::files::{below, kustomizations, name, root, text, yaml};
use super::tools::{all, overspill, silent, tool};

#[test]
fn every_file_parses() {
    let mut parsed = 0;
    for path in below("config").into_iter().chain(below("manifests")) {
        let (name, ending) = (name(&path), path.extension().and_then(|ending| ending.to_str()).unwrap_or_default());
        // Templates of the chart are no YAML until they are filled in.
        if name.contains("helm/templates/") {
            continue;
        }
        match ending {
            "yaml" => assert!(!yaml(&name, &text(&path)).is_empty(), "{name} is empty"),
            "json" => {
                drop(serde_json::from_str::<Value>(&text(&path)).unwrap_or_else(|error| panic!("{name}: {error}")));
            }
            "sh" | "txt" | "tpl" | "helmignore" | "" => continue,
            other => panic!("{name}: what is a .{other} file here?"),
        }
        parsed += 1;
    }
    assert!(parsed > 40, "{parsed} files were found");
}

#[test]
fn every_folder_of_documents_is_free_of_findings() {
    let mut folders: Vec<String> = below("manifests")
        .iter()
        .filter_map(|path| Some(name(path.parent()?)).filter(|folder| folder.ends_with("/config")))
        .collect();
    folders.dedup();
    assert!(!folders.is_empty());
    // What an overlay replaces stands in its folder alone, so that the whole is looked at where it is built (below).
    let is_whole =
        |folder: &&String| ["settings.yaml", "routes.yaml"].iter().all(|file| root().join(folder).join(file).exists());
    for folder in folders.iter().filter(is_whole) {
        let output = overspill().args(["check", folder]).output().expect("the program starts");
        assert_eq!(all(&output), "0 errors, 0 warnings\n", "{folder}");
    }
}

#[test]
fn every_config_map_of_documents_compiles() {
    let Some(kubectl) = tool("kubectl") else { return };
    let mut checked = 0;
    for folder in kustomizations() {
        let built = silent(std::process::Command::new(&kubectl).args(["kustomize", &folder]).current_dir(root()));
        for object in yaml(&folder, &built).iter().filter(|object| object["kind"] == "ConfigMap") {
            let Some(data) = object["data"].as_object().filter(|data| data.contains_key("settings.yaml")) else {
                continue;
            };
            let volume = tempfile::TempDir::new().expect("a temporary folder");
            for (file, text) in data {
                std::fs::write(volume.path().join(file), text.as_str().expect("a text")).expect("it is writable");
            }
            let output = overspill().arg("check").arg(volume.path()).output().expect("the program starts");
            let said = all(&output);
            // The image turns the local tier on by OVERSPILL_MODEL, which `check` does not look at; certificates are where
            // the pod mounts them.
            let known = |line: &str| {
                line.contains("OVS205") || line.contains("errors, ") || line.contains("/etc/overspill-metrics/")
            };
            let warnings = said.lines().filter(|line| !known(line));
            assert!(output.status.success() && warnings.count() == 0, "{folder}: {said}");
            checked += 1;
        }
    }
    assert!(checked >= 4, "{checked} ConfigMaps were found");
}
