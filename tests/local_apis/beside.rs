//! The life of a model beside the main one: a bad file is refused, and what was loaded before stays.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::stage::{Models, Stage, settings};

const LOADS: &str = "overspill_local_model_loads_total";

/// Puts `bytes` in the place of the model's file, at once.
fn replace(folder: &Path, bytes: &[u8]) {
    let new = folder.join(".model.onnx.new");
    fs::write(&new, bytes).expect("a writable folder");
    fs::rename(new, folder.join("model.onnx")).expect("a writable folder");
}

#[test]
fn a_bad_file_of_a_model_beside_leaves_the_one_that_was_loaded() {
    let (folder, own) = (TempDir::new().expect("a temporary folder"), Models::get().path("scorer"));
    let good = fs::read(Path::new(&own).join("model.onnx")).expect("the model");
    fs::copy(Path::new(&own).join("tokenizer.json"), folder.path().join("tokenizer.json")).expect("a copy");
    replace(folder.path(), &good);
    let models = format!("models: [{{name: scorer, folder: {}}}]", folder.path().display());
    let stage = Stage::start(&settings(&format!("folder: {}, {models}", Models::get().path("encoder"))));
    let rank = || stage.asked("/rerank", r#"{"query":"red apple","texts":["red apple","blue pear"]}"#);
    let first = rank();
    for (failures, bad) in [(1, &good[..good.len() / 2]), (2, b"no model")] {
        replace(folder.path(), bad);
        stage.router.wait_for("it is refused", |metrics| metrics.count(LOADS, &[("result", "failed")]) == failures);
        stage.router.wait_for_log(0, |line| line.to_string().contains("what was loaded before stays"));
        assert_eq!(rank(), first, "the old one serves");
    }
    let refused = stage.router.admin_get("/config_dump").json()["local_models"].clone();
    assert!(refused.to_string().contains("refused"), "{refused}");
    replace(folder.path(), &good);
    stage.router.wait_for("it is loaded again", |metrics| metrics.count(LOADS, &[("result", "succeeded")]) == 4);
    assert_eq!((rank(), stage.got("/v2/models/scorer/ready").json()["ready"].clone()), (first, json!(true)));
}
