//! Versions of a model as clients of the Open Inference Protocol see them: told, addressed, and named in what they answer.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::stage::{Models, Stage, settings};

/// A model's folder `fruit` whose `v1` pools by the mean; `v2` is a model of the name `fruit-2` that pools by itself.
fn versions() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (version, file) in [("v1", "model.onnx"), ("v2", "pooled.onnx")] {
        let own = folder.path().join("fruit").join(version);
        fs::create_dir_all(&own).expect("a folder");
        for (from, to) in [(file, "model.onnx"), ("tokenizer.json", "tokenizer.json")] {
            fs::copy(Path::new(&Models::get().path("encoder")).join(from), own.join(to)).expect("a copy");
        }
    }
    folder
}

/// Gives `v2` a manifest with a name of its own.
fn rename(folder: &Path) {
    let folder = folder.join("fruit/v2");
    let listed = |file: &str| {
        let digest = Sha256::digest(fs::read(folder.join(file)).expect("a file"));
        let digits: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "file": file, "sha256": digits.concat() })
    };
    let mut model = listed("model.onnx");
    for (field, value) in [
        ("name", json!("fruit-2")),
        ("normalised", json!(true)),
        ("max_tokens", json!(16)),
        ("least_agreement", json!(0.9)),
    ] {
        model[field] = value;
    }
    let manifest = json!({ "tokenizer": listed("tokenizer.json"), "models": [model] });
    fs::write(folder.join("manifest.json"), manifest.to_string()).expect("a writable folder");
}

fn stage(folder: &Path, share: u32) -> Stage {
    let version = |name: &str, canary: &str| {
        format!(
            "---\napiVersion: suoke.life/v1\nkind: ModelVersion\nmetadata: {{name: fruit-{name}, namespace: default}}\n\
             spec: {{modelRef: fruit, version: {name}{canary}}}\n"
        )
    };
    let canary = format!(", canaryDeployment: {{enabled: true, trafficPercentage: {share}}}");
    let rule = "  - {name: all, route: [{destination: {host: pool.example}}]}";
    let fruit = settings(&format!("folder: {}", folder.join("fruit").display()));
    let documents =
        super::harness::virtual_service("app.example", rule) + &fruit + &version("v1", "") + &version("v2", &canary);
    Stage::with(&documents, &[])
}

fn infer(stage: &Stage, model: &str) -> Value {
    let text = json!({ "name": "text", "shape": [1], "datatype": "BYTES", "data": ["red apple"] });
    stage.asked(&format!("/v2/models/{model}/infer"), &json!({ "inputs": [text] }).to_string())
}

#[test]
fn versions_that_are_loaded_are_told_and_served_whatever_their_shares() {
    let folder = versions();
    for (share, drawn) in [(0, "v1"), (100, "v2")] {
        let stage = stage(folder.path(), share);
        let metadata = stage.got("/v2/models/fruit").json();
        assert_eq!(metadata["versions"], json!(["v1", "v2"]), "{metadata}");
        let answer = infer(&stage, "fruit");
        assert_eq!((&answer["model_name"], &answer["model_version"]), (&json!("fruit"), &json!(drawn)));
        let each = ["v1", "v2"].map(|version| {
            let of = format!("fruit/versions/{version}");
            assert_eq!(stage.got(&format!("/v2/models/{of}")).json()["versions"], json!(["v1", "v2"]));
            assert_eq!(stage.got(&format!("/v2/models/{of}/ready")).json()["ready"], json!(true));
            let answer = infer(&stage, &of);
            assert_eq!(answer["model_version"], json!(version));
            answer["outputs"][0]["data"].clone()
        });
        assert_ne!(each[0], each[1], "each version computes its own vectors");
        for missing in ["1", "v3"] {
            let reply = stage.got(&format!("/v2/models/fruit/versions/{missing}/ready"));
            assert_eq!(reply.head.status, 404);
            assert!(reply.text().contains("only v1, v2"), "{}", reply.text());
        }
    }
}

#[test]
fn a_version_with_a_name_of_its_own_is_there_for_whoever_names_it() {
    let folder = versions();
    rename(folder.path());
    let stage = stage(folder.path(), 0);
    for (name, version) in [("fruit", "v1"), ("fruit-2", "v2")] {
        assert_eq!(stage.got(&format!("/v2/models/{name}")).json()["versions"], json!([version]));
        let answer = infer(&stage, name);
        assert_eq!((&answer["model_name"], &answer["model_version"]), (&json!(name), &json!(version)));
        assert_eq!(stage.got(&format!("/v1/models/{name}")).json()["id"], json!(name));
    }
    let models = stage.got("/v1/models").json();
    let names: Vec<_> = models["data"].as_array().into_iter().flatten().map(|model| &model["id"]).collect();
    assert_eq!(names, ["fruit", "fruit-2"]);
    for (of, known) in [("fruit/versions/v2", "only v1"), ("fruit-2/versions/v1", "only v2")] {
        let reply = stage.got(&format!("/v2/models/{of}"));
        assert!(reply.head.status == 404 && reply.text().contains(known), "{of}: {}", reply.text());
    }
}

#[test]
fn a_name_in_a_path_may_be_percent_encoded() {
    let at = |name: &str| Models::get().path(name);
    let models =
        format!("folder: {}, name: bge m3, models: [{{name: my scorer, folder: {}}}]", at("encoder"), at("scorer"));
    let stage = Stage::start(&settings(&models));
    for (path, pointer, name) in [
        ("/v2/models/bge%20m3", "/name", "bge m3"),
        ("/v2/models/b%67e%20m3/versions/%31/ready", "/name", "bge m3"),
        ("/v2/models/my%20scorer", "/name", "my scorer"),
        ("/v1/models/bge%20m3", "/id", "bge m3"),
        ("/v1/models/bge%20%6d3", "/id", "bge m3"),
    ] {
        let reply = stage.got(path);
        assert_eq!(reply.json().pointer(pointer), Some(&json!(name)), "{path}: {}", reply.text());
    }
    assert_eq!(infer(&stage, "bge%20m3")["model_name"], json!("bge m3"));
    for path in ["/v2/models/%ff", "/v2/models/%zz", "/v2/models/bge%2520m3"] {
        let reply = stage.got(path);
        assert!(reply.head.status == 404 && reply.json()["error"].is_string(), "{path}: {}", reply.text());
    }
}
