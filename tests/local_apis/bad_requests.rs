//! Requests that cannot be answered: each gets an error that the clients of its API read, and the next one is served.

use serde_json::{Value, json};

use super::harness::Reply;
use super::stage::{Stage, every_model};

const OPENAI: &str = "/v1/embeddings";
const SEED: &str = "/api/v1/embed";
const EMBED: &str = "/embed";
const RERANK: &str = "/rerank";
const ADD: &str = "/v2/models/add/infer";
const TYPES: &str = "/v2/models/types/infer";
const TINY: &str = "/v2/models/tiny/infer";
const SCORER: &str = "/v2/models/scorer/infer";

/// The APIs, and for each an answerable request.
pub(super) const GOOD: [(&str, &str); 6] = [
    (OPENAI, r#"{"input":"red apple"}"#),
    (SEED, r#"{"text":"red apple"}"#),
    (EMBED, r#"{"inputs":"red apple"}"#),
    (RERANK, r#"{"query":"red","texts":["red apple"]}"#),
    (TINY, r#"{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["red"]}]}"#),
    (
        ADD,
        r#"{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]},{"name":"y","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]}"#,
    ),
];

/// A request: its path, its body, and the status of its answer.
type Case = (&'static str, Vec<u8>, u16);

/// Asserts that an error has the shape of the API at `path`.
#[track_caller]
pub(super) fn is_of_its_api(path: &str, reply: &Reply, what: &str) {
    let body = reply.json();
    let message = if path == OPENAI {
        let error = &body["error"];
        let has_all = ["message", "type", "param", "code"].iter().all(|field| error.get(field).is_some());
        assert!(
            has_all && error["type"].is_string() && body.as_object().map(serde_json::Map::len) == Some(1),
            "{what}: {body}"
        );
        &error["message"]
    } else {
        if [EMBED, RERANK].contains(&path) {
            assert!(
                ["Validation", "Empty"].contains(&body["error_type"].as_str().unwrap_or_default()),
                "{what}: {body}"
            );
        } else {
            assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{what}: {body}");
        }
        &body["error"]
    };
    assert!(message.as_str().is_some_and(|message| message.len() > 10), "{what}: {body}");
    assert_eq!(reply.head.value("content-type"), "application/json", "{what}");
}

/// Sends each, and after each an answerable one.
fn all_are_refused(cases: &[Case]) {
    let stage = Stage::start(&every_model());
    for (number, (path, body, status)) in cases.iter().enumerate() {
        let start: String = String::from_utf8_lossy(body).chars().take(80).collect();
        let what = format!("{path} {start}");
        let reply = stage.send("POST", path, "content-type: application/json\r\n", body);
        assert_eq!(reply.head.status, *status, "{what}: {}", reply.text());
        is_of_its_api(path, &reply, &what);
        let (next, good) = GOOD[number % GOOD.len()];
        stage.asked(next, good);
    }
}

/// Bodies that are no object of the API's, whatever the API.
fn unreadable() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "\0",
        "{",
        "}",
        "[]",
        "null",
        "7",
        "\"text\"",
        "true",
        "{\"",
        "{\"a\":}",
        "{'input':'a'}",
        "{\"a\":1,}",
        "<xml/>",
        "input=a",
        "{\"a\":1}{\"b\":2}",
        "\u{feff}{\"a\":1}",
        "{\"a\":nul}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":NaN}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\n\"}",
    ]
    .iter()
    .map(|body| body.as_bytes().to_vec())
    .collect();
    bodies.push(b"{\"a\":\"\xff\"}".to_vec());
    bodies.push(b"\xff\xfe{\x00}\x00".to_vec());
    bodies.push("[".repeat(200_000).into_bytes());
    bodies.push("{\"a\":".repeat(200_000).into_bytes());
    bodies
}

#[test]
fn bodies_that_are_no_request_are_refused_by_every_api() {
    let mut cases = Vec::new();
    for path in [OPENAI, SEED, EMBED, RERANK, ADD] {
        let status = if [EMBED, RERANK].contains(&path) { 422 } else { 400 };
        cases.extend(unreadable().into_iter().map(|body| (path, body, status)));
    }
    assert!(cases.len() >= 100, "{}", cases.len());
    all_are_refused(&cases);
}

/// What a field for texts may hold that is no text: the value, and whether text-embeddings-inference calls it empty.
fn no_texts() -> Vec<(String, bool)> {
    let many = |text: &str, count: usize| format!("[{}]", vec![text; count].join(","));
    let mut values: Vec<(String, bool)> = [
        "null",
        "true",
        "5",
        "-1.5",
        "1e300",
        "{}",
        "{\"a\":\"b\"}",
        "[null]",
        "[true]",
        "[1]",
        "[1,2,3]",
        "[[1,2],[3]]",
        "[[\"a\"]]",
        "[[[]]]",
        "[\"a\",1]",
        "[\"a\",null]",
        "[\"a\",[\"b\"]]",
        "[\"a\",{}]",
        "[{}]",
        "[123456789012345678901234567890]",
        "[[]]",
    ]
    .iter()
    .map(|value| ((*value).to_owned(), false))
    .collect();
    values.extend(["\"\"", "[]", "[\"\"]", "[\"a\",\"\"]"].map(|value| (value.to_owned(), true)));
    values.extend(
        [r#""\ud800""#, r#"["\udfff"]"#, r#""\ud800\u0041""#, r#""\u12""#].map(|value| (value.to_owned(), false)),
    );
    values.push((many("7", 5000), false));
    values.push((format!("{}1{}", "[".repeat(100), "]".repeat(100)), false));
    values
}

#[test]
fn fields_for_texts_that_hold_something_else_are_refused() {
    let mut cases: Vec<Case> = Vec::new();
    for (value, is_empty) in no_texts() {
        cases.push((OPENAI, format!(r#"{{"input":{value}}}"#).into_bytes(), 400));
        cases.push((EMBED, format!(r#"{{"inputs":{value}}}"#).into_bytes(), if is_empty { 400 } else { 422 }));
        if !value.starts_with("[\"") || value.contains('1') {
            cases.push((SEED, format!(r#"{{"text":{value}}}"#).into_bytes(), 400));
        }
        let status = if is_empty && value.starts_with('[') { 400 } else { 422 };
        cases.push((RERANK, format!(r#"{{"query":"a","texts":{value}}}"#).into_bytes(), status));
        let tensor = format!(r#"{{"inputs":[{{"name":"text","shape":[1],"datatype":"BYTES","data":{value}}}]}}"#);
        // Lists within lists are a tensor's rows.
        if value != "[[\"a\"]]" {
            cases.push((TINY, tensor.into_bytes(), 400));
        }
    }
    // More than 300,000 tokens, since each word is at least one.
    cases.push((OPENAI, json!({ "input": vec!["a word ".repeat(160); 1000] }).to_string().into_bytes(), 400));
    let texts = json!(vec!["a"; 2049]);
    cases.push((OPENAI, json!({ "input": texts }).to_string().into_bytes(), 400));
    cases.push((EMBED, json!({ "inputs": texts }).to_string().into_bytes(), 413));
    cases.push((RERANK, json!({ "query": "a", "texts": texts }).to_string().into_bytes(), 413));
    cases.push((
        TINY,
        json!({ "inputs": [{ "name": "text", "shape": [2049], "datatype": "BYTES", "data": texts }] })
            .to_string()
            .into_bytes(),
        400,
    ));
    assert!(cases.len() >= 100, "{}", cases.len());
    all_are_refused(&cases);
}

#[test]
fn other_fields_that_are_wrong_are_refused() {
    let mut cases: Vec<Case> = Vec::new();
    for field in [
        r#""dimensions":0"#,
        r#""dimensions":3"#,
        r#""dimensions":-1"#,
        r#""dimensions":4.5"#,
        r#""dimensions":"4""#,
        r#""dimensions":18446744073709551616"#,
        r#""dimensions":[4]"#,
        r#""encoding_format":"int8""#,
        r#""encoding_format":1"#,
        r#""encoding_format":["float"]"#,
        r#""prompt_name":"other""#,
        r#""prompt_name":5"#,
        r#""input":"b""#,
    ] {
        cases.push((OPENAI, format!(r#"{{"input":"a",{field}}}"#).into_bytes(), 400));
    }
    for field in [
        r#""truncate":"yes""#,
        r#""truncate":1"#,
        r#""truncation_direction":"up""#,
        r#""truncation_direction":0"#,
        r#""normalize":"no""#,
        r#""normalize":[]"#,
        r#""prompt_name":"other""#,
        r#""prompt_name":[]"#,
        r#""dimensions":1"#,
        r#""dimensions":-4"#,
        r#""dimensions":1e99"#,
        r#""inputs":"b""#,
    ] {
        cases.push((EMBED, format!(r#"{{"inputs":"a",{field}}}"#).into_bytes(), 422));
    }
    for (body, status) in [
        (r#"{"texts":["a"]}"#, 422),
        (r#"{"query":"a"}"#, 422),
        (r#"{"query":"","texts":["a"]}"#, 400),
        (r#"{"query":["a"],"texts":["a"]}"#, 422),
        (r#"{"query":"a","texts":["a"],"raw_scores":"yes"}"#, 422),
        (r#"{"query":"a","texts":["a"],"return_text":0}"#, 422),
        (r#"{"query":"a","texts":["a"],"query":"b"}"#, 422),
    ] {
        cases.push((RERANK, body.as_bytes().to_vec(), status));
    }
    cases.push((SEED, br#"{"text":"a","text":"b"}"#.to_vec(), 400));
    cases.push((SEED, br#"{"Text":"a"}"#.to_vec(), 400));
    all_are_refused(&cases);
}

/// What a tensor's fields may hold that does not fit.
fn wrong_fields() -> Vec<(&'static str, Value)> {
    let names = vec![json!("z"), json!(""), json!(1), json!(null)];
    let shapes = vec![
        json!([3]),
        json!([1, 4]),
        json!([1, 2]),
        json!([2, 3]),
        json!([0, 3]),
        json!([1, 3, 1]),
        json!([]),
        json!([-1, 3]),
        json!([1.0, 3]),
        json!("1,3"),
        json!(null),
        json!([u64::MAX, 3]),
        json!([u64::MAX, u64::MAX]),
        json!([[1, 3]]),
    ];
    let datatypes =
        ["FP64", "FP16", "fp32", "float32", ""].map(|name| json!(name)).into_iter().chain([json!(1), json!(null)]);
    let data = vec![
        json!([]),
        json!([1, 2]),
        json!([1, 2, 3, 4]),
        json!(["1", "2", "3"]),
        json!([true, false, true]),
        json!([1, null, 3]),
        json!([1, "2", 3]),
        json!([1, 2, 1e300]),
        json!({ "0": 1 }),
        json!("AACAPwAAAEAAAEBA"),
        json!(7),
        json!(null),
        json!([[1, 2, 3], [4, 5, 6]]),
    ];
    let all = [("name", names), ("shape", shapes), ("datatype", datatypes.collect()), ("data", data)];
    all.into_iter().flat_map(|(field, values)| values.into_iter().map(move |value| (field, value))).collect()
}

#[test]
fn tensors_that_do_not_fit_are_refused() {
    let x = json!({ "name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3] });
    let y = json!({ "name": "y", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3] });
    let changed = |field: &str, value: Value| {
        let mut tensor = x.clone();
        tensor[field] = value;
        json!({ "inputs": [tensor, y] })
    };
    let mut bodies = vec![
        json!({ "inputs": [] }),
        json!({ "inputs": {} }),
        json!({ "inputs": "x" }),
        json!({ "inputs": [x] }),
        json!({ "inputs": [x, x] }),
        json!({ "inputs": [x, y, y] }),
        json!({ "inputs": [x, y], "outputs": [{ "name": "difference" }] }),
        json!({ "inputs": [x, y], "outputs": ["sum"] }),
        json!({ "inputs": [x, y], "outputs": [{}] }),
        json!({ "inputs": [x, y], "id": 7 }),
        json!({ "inputs": [x, y], "parameters": 5 }),
        json!({ "inputs": [x, { "name": "y", "shape": [1, 3], "datatype": "FP32", "parameters": { "binary_data_size": 12 } }] }),
        json!({ "inputs": [x, { "name": "y", "shape": [1, 3], "datatype": "FP32", "parameters": [] , "data": [1, 2, 3] }] }),
        json!({ "inputs": [{ "name": "x" }, y] }),
    ];
    bodies.extend(wrong_fields().into_iter().map(|(field, value)| changed(field, value)));
    let cases: Vec<Case> = bodies.into_iter().map(|body| (ADD, body.to_string().into_bytes(), 400)).collect();
    all_are_refused(&cases);
}

#[test]
fn tensors_of_models_for_other_things_are_refused() {
    let mut cases: Vec<Case> = Vec::new();
    for (whole, truth, text) in [
        (json!([1, 1.5]), json!([true]), json!(["a"])),
        (json!([1, 9_223_372_036_854_775_808_u64]), json!([true]), json!(["a"])),
        (json!([1, 2]), json!([2]), json!(["a"])),
        (json!([1, 2]), json!(["true"]), json!(["a"])),
        (json!([1, 2]), json!([true]), json!([1])),
        // ONNX Runtime's texts end at a NUL, so that one within would be lost in silence.
        (json!([1, 2]), json!([true]), json!(["a\u{0}b"])),
    ] {
        let tensor = |name: &str, datatype: &str, length: usize, data: &Value| json!({ "name": name, "datatype": datatype, "shape": [length], "data": data });
        let inputs = [
            tensor("whole", "INT64", 2, &whole),
            tensor("truth", "BOOL", 1, &truth),
            tensor("text", "BYTES", 1, &text),
        ];
        cases.push((TYPES, json!({ "inputs": inputs }).to_string().into_bytes(), 400));
    }
    let query = json!({ "name": "query", "shape": [1], "datatype": "BYTES", "data": ["a"] });
    let texts = |data: Value| json!({ "name": "text", "shape": [1], "datatype": "BYTES", "data": data });
    for inputs in [
        json!([query]),
        json!([texts(json!(["a"]))]),
        json!([query, texts(json!([""]))]),
        json!([query, texts(json!([1]))]),
    ] {
        cases.push((SCORER, json!({ "inputs": inputs }).to_string().into_bytes(), 400));
    }
    let ids = json!({ "inputs": [{ "name": "input_ids", "shape": [1, 2], "datatype": "INT64", "data": [1, 2] }] });
    cases.push((TINY, ids.to_string().into_bytes(), 400));
    for path in ["/v2/models/other/infer", "/v2/models/add/versions/7/infer", "/v2/models/all-MiniLM-L6-v2/infer"] {
        cases.push((path, GOOD[5].1.as_bytes().to_vec(), 404));
    }
    all_are_refused(&cases);
}

#[test]
fn texts_that_are_odd_are_answered_all_the_same() {
    let stage = Stage::start(&every_model());
    let long = ["x".repeat(1 << 20), "letters ".repeat(1 << 17), "\u{1F600}".repeat(1 << 17)];
    let odd = [
        "\0",
        "a\0b",
        "\u{feff}",
        "\u{202e}red",
        "e\u{301}",
        "\t\n\r",
        " ",
        "\u{10ffff}",
        "{\"input\":\"a\"}",
        "[CLS] [SEP]",
    ];
    for text in odd.iter().map(|text| (*text).to_owned()).chain(long) {
        let start: String = text.chars().take(20).collect();
        let openai =
            stage.asked(OPENAI, &json!({ "input": [text], "user": null, "model": "any", "more": [[]] }).to_string());
        let numbers =
            openai["data"][0]["embedding"].as_array().map_or(0, |all| all.iter().filter(|one| one.is_f64()).count());
        assert_eq!(numbers, 4, "{start:?}: {openai}");
        stage.asked(EMBED, &json!({ "inputs": text }).to_string());
        stage.asked(SEED, &json!({ "text": text }).to_string());
        stage.asked(RERANK, &json!({ "query": text, "texts": [text] }).to_string());
    }
    // As many texts as OpenAI takes.
    let most = stage.asked(OPENAI, &json!({ "input": vec!["red"; 2048], "encoding_format": "base64" }).to_string());
    assert_eq!(most["data"].as_array().map(Vec::len), Some(2048));
    assert_eq!(most["data"][2047]["index"], json!(2047));
    assert!(most["data"][0]["embedding"].is_string());
}
