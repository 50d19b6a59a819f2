//! The model's life: loaded in the background, replaced without a lost request, refused where it is bad, and split by version.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::harness::{Answer, Folder, Router, Setup, Upstream, Wire, get, text};
use super::{INT8, embed, local_only, model, texts};

const LOADS: &str = "overspill_local_model_loads_total";
const INFO: &str = "overspill_local_model_info";
const SHARE: &str = "overspill_local_model_traffic_percentage";
const ANSWERED: &str = "overspill_local_model_inference_requests_total";
const READY: &str = "overspill_local_model_ready";

/// Puts links to the model's files into `folder`.
fn link(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    for entry in fs::read_dir(model()).expect("the model's folder") {
        let path = entry.expect("an entry").path();
        symlink(&path, folder.join(path.file_name().expect("a name"))).expect("a link");
    }
}

fn linked() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    link(folder.path());
    folder
}

/// Puts `bytes` in the place of a file, at once.
fn replace(folder: &Path, name: &str, bytes: &[u8]) {
    let new = folder.join(format!(".{name}.new"));
    fs::write(&new, bytes).expect("a writable folder");
    fs::rename(new, folder.join(name)).expect("a writable folder");
}

fn manifest(folder: &Path, edit: impl FnOnce(&mut Value)) {
    let text = fs::read(folder.join("manifest.json")).expect("the manifest");
    let mut manifest = serde_json::from_slice(&text).expect("a manifest of JSON");
    edit(&mut manifest);
    replace(folder, "manifest.json", manifest.to_string().as_bytes());
}

/// The revision that the manifest gives of a file.
fn revision(file: &str) -> String {
    let text = fs::read(model().join("manifest.json")).expect("the manifest");
    let manifest: Value = serde_json::from_slice(&text).expect("a manifest of JSON");
    let models = manifest["models"].as_array().expect("models");
    let found = models.iter().find(|model| model["file"] == file).expect("a model of that file");
    found["sha256"].as_str().expect("digits").to_owned()
}

fn life(router: &Router) -> Value {
    get(router.admin, "/config_dump").json()["local_model_versions"].take()
}

fn wait_for_revision(router: &Router, revision: &str) {
    router.wait_for("the revision is in force", |metrics| metrics.has(INFO, &[("revision", revision)]));
}

/// A router with its documents, and both folders, kept for as long as it runs.
fn start(folder: &Path, settings: &str) -> (Router, Folder) {
    let documents = Folder::with(&local_only(folder, "", settings));
    (Router::with(&Setup { config: documents.path(), variables: &[] }), documents)
}

#[test]
fn traffic_is_forwarded_while_the_model_is_loaded_and_readiness_says_so() {
    let folder = linked();
    let held = folder.path().join("manifest.json");
    let manifest = fs::read(&held).expect("the manifest");
    fs::remove_file(&held).expect("a link");
    // Whoever reads a pipe waits until it is written to.
    assert!(Command::new("mkfifo").arg(&held).status().expect("mkfifo runs").success());
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let pools = super::harness::virtual_service("pool.app", "  - route: [{destination: {host: full.example}}]")
        + &super::harness::Service { host: "full.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let documents = Folder::with(&(local_only(folder.path(), "", INT8) + &pools));
    let router = Router::begin(&Setup { config: documents.path(), variables: &[] });
    let ready = get(router.admin, "/healthz/ready");
    assert_eq!((ready.head.status, ready.text().as_str()), (503, "not ready: the local model is being loaded\n"));

    let mut forwarded = super::harness::Connection::open(router.traffic);
    forwarded.send("GET / HTTP/1.1\r\nhost: pool.app\r\n\r\n");
    let exchange = upstream.next();
    assert_eq!(text(&exchange.request.headers, "host"), "pool.app");
    exchange.answer(200, "forwarded");
    assert_eq!(forwarded.read_reply().text(), "forwarded");
    let reply = embed(&router, &texts(1));
    assert_eq!(reply.head.status, 503, "{reply:?}");
    assert!(reply.head.value("proxy-status").contains("local_loading at local"), "{reply:?}");
    assert!(reply.head.field("retry-after").is_some() && life(&router)["phase"] == "loading");

    fs::write(&held, manifest).expect("the loader reads");
    router.wait_until("it is ready", Router::is_ready);
    assert_eq!(embed(&router, &texts(1)).head.status, 200);
}

#[test]
fn readiness_does_not_wait_where_the_settings_say_so() {
    let folder = linked();
    let held = folder.path().join("manifest.json");
    fs::remove_file(&held).expect("a link");
    assert!(Command::new("mkfifo").arg(&held).status().expect("mkfifo runs").success());
    let (router, _documents) = start(folder.path(), "readiness: Ignore");
    assert_eq!(get(router.admin, "/healthz/ready").text(), "ready: the local model is being loaded\n");
}

/// Ends what asks when it goes, also with a change that fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks without end until `change` is done and has taken effect; every answer must be one of the model's.
fn under_load(router: &Router, change: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut answers = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        let reply = embed(router, &texts(2));
                        assert_eq!(reply.head.status, 200, "{}", reply.head.value("proxy-status"));
                        assert_eq!(reply.json()["model"], "all-MiniLM-L6-v2");
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        let over = Over(&is_over);
        change();
        drop(over);
        let answers: Vec<u32> = asking.into_iter().map(|asking| asking.join().expect("no request is lost")).collect();
        assert!(answers.iter().all(|answers| *answers > 0), "{answers:?}");
    });
}

#[test]
fn a_changed_setting_is_loaded_beside_and_swapped_in_without_a_lost_request() {
    let (router, documents) = start(&model(), "");
    wait_for_revision(&router, &revision("model.onnx"));
    under_load(&router, || {
        documents.replace("documents.yaml", &local_only(&model(), "", INT8));
        wait_for_revision(&router, &revision("model-int8.onnx"));
    });
    router.wait_for_log(0, |line| line.to_string().contains("is freed"));
    let metrics = router.metrics();
    assert_eq!(metrics.count(LOADS, &[("result", "succeeded")]), 2);
    assert_eq!(metrics.count("overspill_local_model_load_duration_seconds_count", &[]), 2);
    assert!(metrics.sum("overspill_local_model_memory_bytes", &[("version", "unversioned")]) > 1e6);
    assert!(!metrics.has(INFO, &[("revision", &revision("model.onnx"))]));
    assert_eq!(life(&router)["in_force"][0]["identity"]["file"], "model-int8.onnx");
}

#[test]
fn a_new_file_is_swapped_in_and_a_bad_one_is_refused() {
    let folder = linked();
    let (router, _documents) = start(folder.path(), "");
    let int8 = fs::read(model().join("model-int8.onnx")).expect("the model");
    under_load(&router, || {
        // The file first: until the manifest vouches for it, it is a bad one.
        replace(folder.path(), "model.onnx", &int8);
        router.wait_until("it is refused", |router| life(router)["refused"][0]["why"].is_string());
        assert_eq!(router.metrics().count(LOADS, &[("result", "failed")]), 1);
        let life = life(&router);
        assert!(life["phase"] == "serving" && life["in_force"][0]["identity"]["revision"] == revision("model.onnx"));
        assert!(life["refused"][0]["why"].as_str().expect("a text").contains("model.onnx is corrupt"), "{life:#}");
        manifest(folder.path(), |manifest| {
            let digits: Vec<String> = Sha256::digest(&int8).iter().map(|byte| format!("{byte:02x}")).collect();
            manifest["models"][0]["sha256"] = digits.concat().into();
            manifest["models"][0]["least_agreement"] = json!(0.97);
        });
        wait_for_revision(&router, &revision("model-int8.onnx"));
        // One that computes other vectors than its golden ones.
        manifest(folder.path(), |manifest| manifest["golden"]["text"] = "another text".into());
        router.wait_for("it is refused", |metrics| metrics.count(LOADS, &[("result", "failed")]) == 2);
    });
    assert_eq!(router.metrics().count(READY, &[]), 1);
    assert_eq!(life(&router)["in_force"][0]["identity"]["revision"], revision("model-int8.onnx"));
    assert_eq!(embed(&router, &texts(1)).head.status, 200);
}

/// A folder with `v1`, which is fp32, and `v2`, which is quantised, each with a copy of the library.
fn versions() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (version, file) in [("v1", "model.onnx"), ("v2", "model-int8.onnx")] {
        let folder = folder.path().join(version);
        link(&folder);
        let library = "libonnxruntime.so.1.28.0";
        fs::remove_file(folder.join(library)).expect("a link");
        fs::copy(model().join(library), folder.join(library)).expect("a copy");
        manifest(&folder, |manifest| {
            let models = manifest["models"].as_array().expect("models").clone();
            let mut model = models.into_iter().find(|model| model["file"] == file).expect("a model of that file");
            model["file"] = "model.onnx".into();
            manifest["models"] = json!([model]);
        });
        replace(&folder, "model.onnx", &fs::read(model().join(file)).expect("the model"));
    }
    folder
}

fn model_version(version: &str, canary: &str) -> String {
    format!(
        "---\napiVersion: suoke.life/v1\nkind: ModelVersion\nmetadata: {{name: mini-{version}}}\n\
         spec: {{modelRef: mini, version: {version}{canary}}}\n"
    )
}

#[test]
fn a_canary_takes_its_share_and_gives_it_back() {
    let folder = versions();
    let canary =
        |share: u32| model_version("v2", &format!(", canaryDeployment: {{enabled: true, trafficPercentage: {share}}}"));
    let documents = |versions: &str| local_only(folder.path(), "", "") + versions;
    let held = Folder::with(&documents(&(model_version("v1", "") + &canary(30))));
    let router = Router::with(&Setup { config: held.path(), variables: &[] });
    router.wait_for("both are in force", |metrics| {
        metrics.count(SHARE, &[("version", "v1")]) == 70 && metrics.count(SHARE, &[("version", "v2")]) == 30
    });
    for _ in 0..100 {
        assert_eq!(embed(&router, &texts(1)).head.status, 200);
    }
    let metrics = router.metrics();
    let (v1, v2) = (metrics.count(ANSWERED, &[("version", "v1")]), metrics.count(ANSWERED, &[("version", "v2")]));
    // Five standard deviations of a binomial of 100 with 0.3.
    assert!(v1 + v2 == 100 && (8..=52).contains(&v2), "{v1} and {v2}");

    held.replace("documents.yaml", &documents(&(model_version("v1", "") + &canary(0))));
    router.wait_for("the canary takes none", |metrics| metrics.count(SHARE, &[("version", "v1")]) == 100);
    assert_eq!(router.metrics().count(LOADS, &[]), 2, "shares change without a load");
    // Rolled forward, and back by pointing at the earlier version.
    for (version, revision) in [("v2", revision("model-int8.onnx")), ("v1", revision("model.onnx"))] {
        held.replace("documents.yaml", &documents(&model_version(version, "")));
        router.wait_for("it is alone in force", |metrics| {
            metrics.has(INFO, &[("revision", &revision)]) && metrics.label_values(SHARE, "version") == [version]
        });
    }
    held.replace("documents.yaml", &documents(&model_version("v7", "")));
    router.wait_for_log(0, |line| line.to_string().contains("v7"));
    assert!(router.metrics().has(SHARE, &[("version", "v1")]), "what is missing changes nothing");
    // Without a word on versions the highest one serves.
    held.replace("documents.yaml", &documents(""));
    router.wait_for("the highest serves", |metrics| metrics.label_values(SHARE, "version") == ["v2"]);
}

#[test]
fn the_local_tier_is_switched_off_and_on_again_by_a_reload() {
    let (router, documents) = start(&model(), INT8);
    let on = local_only(&model(), "", INT8);
    let (off, _settings) = on.split_once("---\napiVersion: overspill.dev/v1\nkind: Settings").expect("settings");
    documents.replace("documents.yaml", off);
    router.wait_for("it is off", |metrics| metrics.count(READY, &[]) == 0);
    let reply = embed(&router, &texts(1));
    assert!(reply.head.value("proxy-status").contains("local_off"), "{reply:?}");
    documents.replace("documents.yaml", &on);
    router.wait_for("it is on", |metrics| metrics.count(READY, &[]) == 1);
    assert_eq!(embed(&router, &texts(1)).head.status, 200);
    assert!(router.stop().status.success());
}

#[test]
fn a_model_beside_that_cannot_be_loaded_is_counted() {
    let bad = TempDir::new().expect("a temporary folder");
    fs::write(bad.path().join("model.onnx"), "no model").expect("a writable folder");
    let beside = format!(
        "{INT8}, models: [{{name: broken, folder: {:?}}}, {{name: missing, folder: /nowhere}}]",
        bad.path().display()
    );
    let (router, _documents) = start(&model(), &beside);
    router.wait_for("it is counted", |metrics| metrics.count(LOADS, &[("result", "failed")]) == 2);
    assert_eq!(router.metrics().count(LOADS, &[("result", "succeeded")]), 1);
    assert_eq!(embed(&router, &texts(1)).head.status, 200);
}
