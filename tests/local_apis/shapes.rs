//! Encoders of other shapes and types than most, and one that some texts break.

use serde_json::{Value, json};

use super::stage::{Models, Stage, same, settings};

fn of(file: &str, more: &str) -> Stage {
    Stage::start(&settings(&format!("folder: {}, file: {file}, pooling: mean{more}", Models::get().path("encoder"))))
}

/// The vectors of `texts`, asked for together.
fn together(stage: &Stage, texts: &[&String]) -> Value {
    stage.asked("/embed", &json!({ "inputs": texts, "normalize": false }).to_string())
}

#[test]
fn models_of_fixed_shapes_and_other_types_give_the_vectors_worked_out() {
    let expected = Models::get().expected["raw"]["mean"].as_object().expect("vectors by text");
    for (file, least) in [("fixed.onnx", 1e-5), ("packed.onnx", 1e-5), ("half.onnx", 2e-3)] {
        let stage = of(file, "");
        // Texts beyond eight tokens are cut by the model that takes no more.
        let texts: Vec<&String> = expected.keys().filter(|text| text.split(' ').count() <= 6).collect();
        let found = together(&stage, &texts);
        for (found, text) in found.as_array().expect("vectors").iter().zip(&texts) {
            let numbers = |vector: &Value| -> Vec<f64> {
                vector.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
            };
            let (found, due) = (numbers(found), numbers(&expected[*text]));
            let is_close = found.iter().zip(&due).all(|(one, other)| (one - other).abs() < least);
            assert!(found.len() == due.len() && is_close, "{file} {text}: {found:?}, not {due:?}");
        }
        assert_eq!(texts.len(), found.as_array().expect("vectors").len());
    }
    let stage = of("fixed.onnx", "");
    let long = "red ".repeat(100);
    let six = "red ".repeat(6);
    let found = together(&stage, &[&long, &six]);
    same(&found[0], &found[1], "a text is cut to the tokens that the model takes");
}

#[test]
fn tensors_of_16_bits_are_taken_and_given() {
    let stage = Stage::start(&settings(&format!(
        "folder: {}, models: [{{name: half, folder: {}, file: half.onnx}}]",
        Models::get().path("encoder"),
        Models::get().path("tensors"),
    )));
    let tensor = |name: &str, data: Value| json!({ "name": name, "shape": [2], "datatype": "FP16", "data": data });
    let asked = |x: Value| json!({ "inputs": [tensor("x", x), tensor("y", json!([0.25, 2]))] }).to_string();
    let answer = stage.asked("/v2/models/half/infer", &asked(json!([1, 2.5])));
    assert_eq!(answer["outputs"], json!([tensor("sum", json!([1.25, 4.5]))]));
    let reply = stage.post("/v2/models/half/infer", &asked(json!([1, 100_000])));
    assert_eq!(reply.head.status, 400, "{}", reply.text());
    assert!(reply.text().contains("FP16"), "{}", reply.text());
    let inputs = &stage.got("/v2/models/half").json()["inputs"];
    assert_eq!(inputs[0], json!({ "name": "x", "datatype": "FP16", "shape": [-1] }));
}

/// Requests for `texts`, all of them under way together; the status of each.
fn at_once(stage: &Stage, texts: &[&str]) -> Vec<u16> {
    std::thread::scope(|scope| {
        let ask = |text: String| {
            scope.spawn(move || stage.post("/embed", &json!({ "inputs": text }).to_string()).head.status)
        };
        let asked: Vec<_> = texts.iter().map(|text| ask((*text).to_owned())).collect();
        asked.into_iter().map(|one| one.join().expect("an answer")).collect()
    })
}

#[test]
fn a_text_that_the_model_cannot_compute_fails_alone() {
    let stage = of("picky.onnx", "");
    for _ in 0..5 {
        let texts = ["red apple", "red pear", "blue apple", "one two", "two one", "three apple"];
        assert_eq!(at_once(&stage, &texts), [200, 503, 200, 200, 200, 200]);
    }
    let reply = stage.post("/embed", r#"{"inputs":["red apple","red pear"]}"#);
    assert!(reply.head.status == 503 && reply.head.value("proxy-status").contains("local_failed"), "{reply:?}");
    assert_eq!(stage.post("/embed", r#"{"inputs":"red apple"}"#).head.status, 200);
}
