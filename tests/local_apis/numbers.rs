//! What a model gives and JSON has no word for: whoever asked is told in the shape of its API, and nobody is sent a null.

use serde_json::{Value, json};

use super::stage::{Models, Stage, settings};

const LOADS: &str = "overspill_local_model_loads_total";

/// The encoder that gives no numbers for `pear`, and models that give none at all or too large ones.
fn odd() -> Stage {
    let at = |name: &str| Models::get().path(name);
    Stage::start(&settings(&format!(
        "folder: {odd}, models: [{{name: broken, folder: {odd}, file: broken.onnx}}, \
         {{name: add, folder: {}, file: add.onnx}}]",
        at("tensors"),
        odd = at("odd"),
    )))
}

#[test]
fn a_vector_that_is_no_number_fails_its_request_in_the_shape_of_its_api_and_no_other() {
    let stage = odd();
    let infer =
        json!({ "inputs": [{ "name": "text", "shape": [1], "datatype": "BYTES", "data": ["pear"] }] }).to_string();
    for (path, body, pointer) in [
        ("/v1/embeddings", r#"{"input":["apple","pear"]}"#, "/error/message"),
        ("/v1/embeddings", r#"{"input":"pear","encoding_format":"base64"}"#, "/error/message"),
        ("/embed", r#"{"inputs":["pear"]}"#, "/error"),
        ("/embed", r#"{"inputs":["pear"],"normalize":false}"#, "/error"),
        ("/api/v1/embed", r#"{"text":"a pear"}"#, "/error"),
        ("/v2/models/odd/infer", infer.as_str(), "/error"),
    ] {
        let reply = stage.post(path, body);
        assert_eq!(reply.head.status, 503, "{path} {body}: {}", reply.text());
        assert!(reply.head.value("proxy-status").contains("local_failed at local"), "{reply:?}");
        assert!(reply.json().pointer(pointer).is_some_and(Value::is_string), "{path}: {}", reply.text());
        assert!(!stage.asked("/embed", r#"{"inputs":"apple"}"#)[0][0].is_null());
    }
    stage.router.wait_for_log(0, |line| line.to_string().contains("holds NaN"));
}

#[test]
fn a_model_that_computes_no_numbers_is_refused_as_it_is_loaded() {
    let stage = odd();
    let metrics = stage.router.metrics();
    assert_eq!(
        (metrics.count(LOADS, &[("result", "failed")]), metrics.count(LOADS, &[("result", "succeeded")])),
        (1, 1)
    );
    stage.router.wait_for_log(0, |line| line.to_string().contains("holds NaN or an infinity"));
    assert_eq!(stage.got("/v2/models/broken").head.status, 404);
}

#[test]
fn an_output_that_is_no_tensor_is_left_out_where_there_are_others() {
    let at = |name: &str| Models::get().path(name);
    let stage = Stage::start(&settings(&format!(
        "folder: {}, models: [{{name: label, folder: {tensors}, file: label.onnx}}, \
         {{name: sequence, folder: {tensors}, file: sequence.onnx}}]",
        at("encoder"),
        tensors = at("tensors"),
    )));
    let outputs = json!([{ "name": "label", "datatype": "INT64", "shape": [-1] }]);
    assert_eq!(stage.got("/v2/models/label").json()["outputs"], outputs);
    let x = json!({ "name": "x", "shape": [2, 3], "datatype": "FP32", "data": [[1, 2, 3], [6, 5, 4]] });
    let answer = stage.asked("/v2/models/label/infer", &json!({ "inputs": [x] }).to_string());
    assert_eq!(answer["outputs"], json!([{ "name": "label", "datatype": "INT64", "shape": [2], "data": [2, 0] }]));
    stage.router.wait_for_log(0, |line| line.to_string().contains("`probabilities` is no tensor"));
    assert_eq!(stage.got("/v2/models/sequence").head.status, 404);
}

#[test]
fn tensors_that_json_has_no_numbers_for_are_an_error() {
    let stage = odd();
    let body = |number: f64, output: &str| {
        let tensor = |name: &str| json!({ "name": name, "shape": [1, 3], "datatype": "FP32", "data": [number, 1, 1] });
        json!({ "inputs": [tensor("x"), tensor("y")], "outputs": [{ "name": output }] }).to_string()
    };
    let reply = stage.post("/v2/models/add/infer", &body(3e20, "product"));
    assert_eq!(reply.head.status, 400, "{}", reply.text());
    assert!(reply.json()["error"].as_str().expect("a text").contains("`product` holds NaN"), "{}", reply.text());
    let sum = stage.asked("/v2/models/add/infer", &body(3.5, "sum"));
    assert_eq!(sum["outputs"][0]["data"], json!([7.0, 2.0, 2.0]));
}
