//! Vectors of two models do not mix: a route says which it accepts, and nothing else of the local model's answers for it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::TempDir;

use super::harness::{Connection, Folder, Reply, Router, Setup};
use super::{INT8, embed, local_only, model, texts};

/// The policy of every rule of the host.
fn accepting(accepts: &str) -> String {
    format!(
        "---\napiVersion: overspill.dev/v1\nkind: RoutePolicy\nmetadata: {{name: guard, namespace: default}}\n\
         spec: {{virtualService: app-example, localModel: {{accepts: [{accepts}]}}}}\n"
    )
}

const ACCEPTED: &str = "{name: other}, {name: all-MiniLM-L6-v2, dimension: 384, pooling: mean, normalized: true}";

fn documents(accepts: &str) -> String {
    local_only(&model(), "", INT8) + &accepting(accepts)
}

/// What `check` finds.
fn check(documents: &str) -> String {
    let folder = Folder::with(documents);
    let output = Command::new(env!("CARGO_BIN_EXE_overspill")).arg("check").arg(folder.path()).output();
    String::from_utf8(output.expect("the program runs").stdout).expect("text")
}

#[test]
fn a_route_is_answered_from_a_space_that_it_accepts_and_from_no_other() {
    let folder = Folder::with(&documents(ACCEPTED));
    let router = Router::with(&Setup { config: folder.path(), variables: &[] });
    let reply = embed(&router, &texts(1));
    assert_eq!((reply.head.status, &reply.json()["model"]), (200, &"all-MiniLM-L6-v2".into()));
    for other in [
        "{name: bge-m3}",
        "{name: all-MiniLM-L6-v2, dimension: 1024}",
        "{name: all-MiniLM-L6-v2, revision: \"0123\"}",
        "",
    ] {
        let generation = router.generation();
        folder.replace("documents.yaml", &documents(other));
        router.wait_until("it is in force", |router| router.generation() > generation);
        let reply = embed(&router, &texts(1));
        assert_eq!(reply.head.status, 503, "{other}: {reply:?}");
        assert!(reply.head.value("proxy-status").contains("local_identity_mismatch at local"), "{other}: {reply:?}");
        assert_eq!(reply.json()["error"]["code"], "local_identity_mismatch", "{other}");
    }
    assert_eq!(embed(&router, &texts(1)).head.status, 503);
}

#[test]
fn a_space_that_is_not_accepted_is_found_by_check_and_said_in_the_log() {
    let wrong = documents("{name: bge-m3, dimension: 1024}");
    let found = check(&wrong);
    assert!(
        found.contains("warning OVS221: spec.localModel.accepts: The local model is `all-MiniLM-L6-v2`"),
        "{found}"
    );
    assert!(!check(&documents(ACCEPTED)).contains("OVS221"));
    let elsewhere = wrong.replace(&format!("{:?}", model().display().to_string()), "/nowhere");
    assert!(!check(&elsewhere).contains("OVS221"), "nothing is said of a folder that is not here");

    let folder = Folder::with(&wrong);
    let router = Router::with(&Setup { config: folder.path(), variables: &[] });
    router.wait_for_log(0, |line| line.to_string().contains("OVS221"));
}

#[test]
fn a_version_without_a_folder_is_found_by_check_where_the_model_is_here() {
    let (_folder, documents) = bare_versions();
    assert!(!check(&documents).contains("OVS220"));
    for (named, missing) in [("version: v1", "v7"), ("version: v2", "v9")] {
        let found = check(&documents.replace(named, &format!("version: {missing}")));
        let said = format!("warning OVS220: spec.version: The local model's version `{missing}` has no folder");
        assert!(found.contains(&said), "{found}");
    }
    assert!(
        !check(&documents.replace("/mini", "/nowhere")).contains("OVS220"),
        "of a folder that is not here nothing is said"
    );
}

/// A model's folder `mini` with versions that come without a manifest, and the documents that make one of them a canary.
fn bare_versions() -> (TempDir, String) {
    let folder = TempDir::new().expect("a temporary folder");
    for version in ["v1", "v2"] {
        let version = folder.path().join("mini").join(version);
        fs::create_dir_all(&version).expect("a folder");
        for (from, to) in [
            ("model-int8.onnx", "model.onnx"),
            ("tokenizer.json", "tokenizer.json"),
            ("libonnxruntime.so.1.28.0", "libonnxruntime.so.1.28.0"),
        ] {
            symlink(model().join(from), version.join(to)).expect("a link");
        }
    }
    let version = |name: &str, canary: &str| {
        format!(
            "---\napiVersion: suoke.life/v1\nkind: ModelVersion\nmetadata: {{name: mini-{name}}}\n\
             spec: {{modelRef: mini, version: {name}{canary}}}\n"
        )
    };
    let canary = ", canaryDeployment: {enabled: true, trafficPercentage: 50}";
    let documents = local_only(&folder.path().join("mini"), "", "") + &version("v1", "") + &version("v2", canary);
    (folder, documents)
}

#[test]
fn check_compares_what_is_known_of_a_model_without_a_manifest() {
    let (_folder, documents) = bare_versions();
    let found = check(&(documents.clone() + &accepting("{name: other-model, dimension: 768}")));
    assert!(found.contains("OVS221") && found.contains("nothing spills to it"), "{found}");
    assert!(found.contains("version v1") && found.contains("version v2"), "{found}");
    let found = check(&(documents + &accepting("{name: mini, dimension: 384}")));
    assert!(!found.contains("OVS221"), "what only a run shows is not held against it: {found}");
}

#[test]
fn versions_without_a_manifest_have_their_model_s_name() {
    let (_folder, documents) = bare_versions();
    let folder = Folder::with(&documents);
    let router = Router::with(&Setup { config: folder.path(), variables: &[] });
    router.wait_for("both are in force", |metrics| {
        ["v1", "v2"].iter().all(|v| metrics.has("overspill_local_model_traffic_percentage", &[("version", v)]))
    });
    for _ in 0..12 {
        assert_eq!(embed(&router, &texts(1)).json()["model"], "mini");
    }
}

#[test]
fn one_version_that_is_not_accepted_is_found_and_named() {
    let (folder, documents) = bare_versions();
    let canary = folder.path().join("mini/v2/model.onnx");
    fs::remove_file(&canary).expect("a link");
    symlink(model().join("model.onnx"), &canary).expect("a link");
    let manifest = fs::read_to_string(model().join("manifest.json")).expect("the manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    let models = manifest["models"].as_array().expect("models");
    let revision = |file: &str| {
        let found = models.iter().find(|model| model["file"] == file).expect("a model of that file");
        found["sha256"].as_str().expect("digits").to_owned()
    };
    for (file, refused, passed) in [("model-int8.onnx", "v2", "v1"), ("model.onnx", "v1", "v2")] {
        let accepts = format!("{{name: mini, revision: \"{}\"}}", revision(file));
        let found = check(&(documents.clone() + &accepting(&accepts)));
        assert!(found.contains("OVS221") && found.contains(&format!("(version {refused}, ")), "{found}");
        assert!(!found.contains(&format!("(version {passed}, ")), "{found}");
        assert!(found.contains("no vectors of that version spill"), "{found}");
    }
}

fn ask(router: &Router, name: &str) -> Reply {
    let mut connection = Connection::open(router.traffic);
    let body = format!("{{\"model\":\"{name}\",\"input\":\"a text\"}}");
    connection.send(format!(
        "POST /v1/embeddings HTTP/1.1\r\nhost: app.example\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ));
    connection.read_reply()
}

#[test]
fn a_model_beside_is_judged_by_its_own_space() {
    let beside = format!("{INT8}, models: [{{name: beside, folder: {:?}, file: model.onnx}}]", model().display());
    let documents = |accepts: &str| local_only(&model(), "", &beside) + &accepting(accepts);
    let found = check(&documents("{name: beside}"));
    assert!(found.contains("only requests whose model is `beside` spill"), "{found}");
    assert!(!found.contains("nothing spills"), "{found}");

    let folder = Folder::with(&documents("{name: beside, dimension: 384}"));
    let router = Router::with(&Setup { config: folder.path(), variables: &[] });
    let reply = ask(&router, "beside");
    assert_eq!((reply.head.status, &reply.json()["model"]), (200, &"beside".into()), "{reply:?}");
    for main in ["all-MiniLM-L6-v2", "any"] {
        let reply = ask(&router, main);
        assert_eq!((reply.head.status, &reply.json()["error"]["code"]), (503, &"local_identity_mismatch".into()));
    }
}
