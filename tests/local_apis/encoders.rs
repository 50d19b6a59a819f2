//! Encoders, cross-encoders and models for tensors, against what was worked out without them.

use std::process::Command;

use serde_json::{Value, json};

use super::harness::{Folder, log_field, virtual_service};
use super::stage::{Models, Stage, every_model, fetched, same, settings};

const PROVIDER_FALLBACK: &str = "overspill_local_model_execution_provider_fallback";

/// The vector of `text` by text-embeddings-inference's API, as the model and its pooling make it.
fn raw(stage: &Stage, text: &str) -> Value {
    stage.asked("/embed", &json!({ "inputs": text, "normalize": false }).to_string())[0].clone()
}

#[test]
fn each_pooling_gives_the_vectors_worked_out() {
    let models = Models::get();
    for pooling in ["mean", "cls", "lastToken"] {
        let own = settings(&format!("folder: {}, pooling: {pooling}", models.path("encoder")));
        let stage = Stage::start(&own);
        let expected = models.expected["raw"][pooling].as_object().expect("vectors by text");
        for (text, vector) in expected {
            same(&raw(&stage, text), vector, &format!("{pooling} {text}"));
        }
        // Together, padded to the longest.
        let texts: Vec<&String> = expected.keys().collect();
        let all = stage.asked("/embed", &json!({ "inputs": texts, "normalize": false }).to_string());
        for (found, text) in all.as_array().expect("vectors").iter().zip(&texts) {
            same(found, &expected[*text], &format!("{pooling} {text} among others"));
        }
        let dump = stage.router.admin_get("/config_dump").json();
        let identity = &dump["local_model"];
        assert_eq!(
            (&identity["name"], &identity["pooling"], &identity["dimension"]),
            (&json!("encoder"), &json!(pooling), &json!(4))
        );
    }
}

#[test]
fn pooling_is_the_mean_unless_the_model_or_its_files_say_otherwise() {
    let models = Models::get();
    let stage = Stage::start(&settings(&format!("folder: {}", models.path("encoder"))));
    same(&raw(&stage, "red apple"), &models.expected["raw"]["mean"]["red apple"], "no pooling is set");
    let own = settings(&format!("folder: {}, file: pooled.onnx", models.path("encoder")));
    let stage = Stage::start(&own);
    same(
        &raw(&stage, "red apple"),
        &models.expected["raw"]["cls"]["red apple"],
        "the model pools, with ids of 32 bits",
    );
    let own = settings(&format!("folder: {}, file: pooled.onnx, pooling: lastToken", models.path("encoder")));
    let stage = Stage::start(&own);
    same(&raw(&stage, "red apple"), &models.expected["raw"]["lastToken"]["red apple"], "its tokens are pooled here");
}

#[test]
fn vectors_are_scaled_as_the_request_or_the_documents_say() {
    let models = Models::get();
    let stage = Stage::start(&every_model());
    let (unit, raw) = (&models.expected["unit"]["red apple"], &models.expected["raw"]["cls"]["red apple"]);
    same(&stage.asked("/embed", r#"{"inputs":"red apple"}"#)[0], unit, "scaled by default");
    same(&stage.asked("/embed", r#"{"inputs":"red apple","normalize":false}"#)[0], raw, "not scaled");
    let openai = stage.asked("/v1/embeddings", r#"{"input":"red apple","model":"text-embedding-3-small"}"#);
    same(&openai["data"][0]["embedding"], unit, "OpenAI's are scaled");
    assert_eq!((&openai["model"], &openai["usage"]["prompt_tokens"]), (&json!("tiny"), &json!(4)));
    let named = stage.asked("/v1/embeddings", r#"{"input":"red apple","model":"pooled"}"#);
    same(&named["data"][0]["embedding"], raw, "the other model's are not, by `normalize: false`");
    assert_eq!(named["model"], json!("pooled"));
}

#[test]
fn prompts_come_before_texts_and_long_texts_are_cut_where_it_is_asked() {
    let models = Models::get();
    let stage = Stage::start(&every_model());
    let unit = &models.expected["unit"];
    let asked = |body: Value| stage.asked("/embed", &body.to_string())[0].clone();
    same(&asked(json!({ "inputs": "red apple", "prompt_name": "query" })), &unit["query: red apple"], "by name");
    same(&asked(json!({ "inputs": "red apple", "prompt_name": "passage" })), &unit["red apple"], "an empty one");
    let fixed = settings(&format!(
        "folder: {}, pooling: cls, prompts: {{query: \"query: \"}}, defaultPrompt: query",
        models.path("encoder")
    ));
    let prompted = Stage::start(&fixed);
    same(&prompted.asked("/embed", r#"{"inputs":"red apple"}"#)[0], &unit["query: red apple"], "by default");
    same(
        &prompted.asked("/v1/embeddings", r#"{"input":"red apple"}"#)["data"][0]["embedding"],
        &unit["query: red apple"],
        "by default, for OpenAI's clients",
    );

    // A model of eight tokens keeps six words; the last of seven is cut off, or the first.
    let short = Stage::start(&settings(&format!("folder: {}, pooling: cls, maxTokens: 8", models.path("encoder"))));
    let vector = |body: Value| short.asked("/embed", &body.to_string())[0].clone();
    let seven = "one red red red red red three";
    same(
        &vector(json!({ "inputs": seven })),
        &vector(json!({ "inputs": "one red red red red red" })),
        "the end is cut off",
    );
    same(
        &vector(json!({ "inputs": seven, "truncation_direction": "Left" })),
        &vector(json!({ "inputs": "red red red red red three" })),
        "the beginning is cut off",
    );
    let reply = short.post("/embed", &json!({ "inputs": seven, "truncate": false }).to_string());
    assert_eq!((reply.head.status, &reply.json()["error_type"]), (413, &json!("Validation")), "{}", reply.text());
    assert!(reply.text().contains("at most 8 tokens, and a text has 9"), "{}", reply.text());
}

#[test]
fn a_cross_encoder_ranks_texts_and_says_how_sure_it_is() {
    let models = Models::get();
    let stage = Stage::start(&every_model());
    let pairs = models.expected["logits"].as_array().expect("pairs");
    let texts: Vec<&Value> = pairs.iter().map(|pair| &pair[1]).collect();
    let request = |raw: bool| json!({ "query": pairs[0][0], "texts": texts, "raw_scores": raw, "return_text": raw });
    let ranks = stage.asked("/rerank", &request(true).to_string());
    let ranks = ranks.as_array().expect("ranks");
    let mut expected: Vec<(usize, f64)> =
        pairs.iter().map(|pair| pair[2].as_f64().expect("a logit")).enumerate().collect();
    expected.sort_by(|left, right| right.1.total_cmp(&left.1));
    for (rank, (index, logit)) in ranks.iter().zip(&expected) {
        assert_eq!((&rank["index"], &rank["text"]), (&json!(index), texts[*index]));
        assert!((rank["score"].as_f64().expect("a score") - logit).abs() < 1e-5, "{rank} {logit}");
    }
    let shares = stage.asked("/rerank", &request(false).to_string());
    for (rank, (_, logit)) in shares.as_array().expect("ranks").iter().zip(&expected) {
        let share = 1.0 / (1.0 + (-logit).exp());
        assert!(
            (rank["score"].as_f64().expect("a score") - share).abs() < 1e-5 && rank.get("text").is_none(),
            "{rank}"
        );
    }
    let plain = Stage::start(&settings(&format!("folder: {}", models.path("encoder"))));
    let reply = plain.post("/rerank", &request(false).to_string());
    assert_eq!((reply.head.status, &reply.json()["error_type"]), (503, &json!("Unhealthy")), "no cross-encoder");
}

#[test]
fn a_long_query_is_kept_once_for_all_its_texts() {
    // Time enough on any machine: it is the length that it is refused for.
    let rule = "  - {name: all, timeout: 3600s, route: [{destination: {host: pool.example}}]}";
    let stage = Stage::with(&(virtual_service("app.example", rule) + &every_model()), &[]);
    let before = stage.router.peak_memory();
    let body = json!({ "query": "red ".repeat(250_000), "texts": vec!["red"; 2048], "truncate": false });
    let reply = stage.post("/rerank", &body.to_string());
    assert_eq!(reply.head.status, 413, "{}", reply.text());
    // A copy for each text would be two gigabytes.
    let more = stage.router.peak_memory() - before;
    assert!(more < 512 << 20, "{more} bytes more");
}

#[test]
fn tensors_of_every_shape_come_back_as_they_were_worked_out() {
    let stage = Stage::start(&every_model());
    let tensor = |name: &str, shape: Value, datatype: &str, data: Value| json!({ "name": name, "shape": shape, "datatype": datatype, "data": data });
    let x = tensor("x", json!([2, 3]), "FP32", json!([[1, 2, 3], [4, 5, 6.5]]));
    let y = tensor("y", json!([2, 3]), "FP32", json!([0.5, -1, 0, 10, 20, 30]));
    let both = json!({ "id": "a", "inputs": [x, y] });
    let answer = stage.asked("/v2/models/add/infer", &both.to_string());
    assert_eq!(
        answer,
        json!({ "model_name": "add", "model_version": "1", "id": "a", "outputs": [
            tensor("sum", json!([2, 3]), "FP32", json!([1.5, 1.0, 3.0, 14.0, 25.0, 36.5])),
            tensor("product", json!([2, 3]), "FP32", json!([0.5, -2.0, 0.0, 40.0, 100.0, 195.0])),
        ] })
    );
    let one = json!({ "inputs": [x, y], "outputs": [{ "name": "product" }] });
    let answer = stage.asked("/v2/models/add/versions/1/infer", &one.to_string());
    assert_eq!(
        (answer["outputs"].as_array().map(Vec::len), &answer["outputs"][0]["name"]),
        (Some(1), &json!("product"))
    );
    // ONNX's broadcast of shapes that do not fit is the model's to refuse.
    let unlike = json!({ "inputs": [x, tensor("y", json!([3, 3]), "FP32", json!([0, 0, 0, 0, 0, 0, 0, 0, 0]))] });
    let reply = stage.post("/v2/models/add/infer", &unlike.to_string());
    assert_eq!(reply.head.status, 400, "{}", reply.text());
    assert!(
        reply.json()["error"].as_str().expect("a text").contains("cannot compute these tensors"),
        "{}",
        reply.text()
    );

    let inputs = [
        tensor("whole", json!([2]), "INT64", json!([i64::MIN, i64::MAX])),
        tensor("truth", json!([3]), "BOOL", json!([true, false, true])),
        tensor("text", json!([2]), "BYTES", json!(["ä", ""])),
    ];
    let answer = stage.asked("/v2/models/types/infer", &json!({ "inputs": inputs }).to_string());
    for (input, output) in inputs.iter().zip(answer["outputs"].as_array().expect("outputs")) {
        assert_eq!(
            (&output["data"], &output["datatype"], &output["shape"]),
            (&input["data"], &input["datatype"], &input["shape"])
        );
    }
    let none = [
        tensor("whole", json!([2]), "INT64", json!([1, 2])),
        tensor("truth", json!([0]), "BOOL", json!([])),
        tensor("text", json!([0]), "BYTES", json!([])),
    ];
    let answer = stage.asked("/v2/models/types/infer", &json!({ "inputs": none }).to_string());
    assert_eq!(answer["outputs"][1], tensor("truth_back", json!([0]), "BOOL", json!([])));
}

#[test]
fn an_execution_provider_that_cannot_be_had_is_told_loudly_and_the_cpu_computes() {
    let models = Models::get();
    let own = settings(&format!("folder: {}, pooling: cls, executionProviders: [CUDA, CPU]", models.path("encoder")));
    let stage = Stage::start(&own);
    same(&raw(&stage, "blue"), &models.expected["raw"]["cls"]["blue"], "the CPU computes");
    let line = stage.router.wait_for_log(0, |line| log_field(line, "provider") == "CPU");
    assert!(line["level"] == "WARN" && line.to_string().contains("CUDA"), "{line}");
    assert_eq!(stage.router.metrics().count(PROVIDER_FALLBACK, &[]), 1);
    let dump = stage.router.admin_get("/config_dump").json();
    let provider = &dump["local_models"][0]["execution_provider"];
    assert_eq!(provider["in_use"], json!("CPU"));
    assert!(provider["refused"][0].as_str().expect("why").starts_with("CUDA: "), "{provider}");
    let found = checked(&own);
    let said = "warning OVS222: spec.localModel.executionProviders: `CUDA` cannot be used";
    assert!(found.contains(said) && found.contains("libonnxruntime_providers_cuda.so"), "{found}");
    assert!(found.contains(".yaml:6:"), "the file and the line: {found}");
    assert_eq!(Stage::start(&every_model()).router.metrics().count(PROVIDER_FALLBACK, &[]), 0);
}

/// What `check` says of these documents.
fn checked(documents: &str) -> String {
    let folder = Folder::with(documents);
    let check = Command::new(env!("CARGO_BIN_EXE_overspill")).arg("check").arg(folder.path()).output();
    String::from_utf8(check.expect("the program starts").stdout).expect("text")
}

#[test]
fn what_the_library_of_a_version_lacks_is_found_without_loading_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let version = folder.path().join("v1");
    std::fs::create_dir(&version).expect("a folder for the version");
    let link = |from: &std::path::Path, name: &str| {
        std::os::unix::fs::symlink(from, version.join(name)).expect("a link");
    };
    let encoder = Models::get().path("encoder");
    for name in ["model.onnx", "tokenizer.json"] {
        link(&std::path::Path::new(&encoder).join(name), name);
    }
    link(&fetched().join("libonnxruntime.so.1.28.0"), "libonnxruntime.so.1.28.0");
    let wanting = |providers: &str| {
        checked(&format!(
            "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: settings, namespace: default}}\n\
             spec:\n  localModel:\n    folder: {}\n    executionProviders: [{providers}]\n",
            folder.path().display()
        ))
    };
    let found = wanting("XNNPACK, CUDA, CPU");
    assert!(found.contains("libonnxruntime_providers_cuda.so") && found.contains(".yaml:8:"), "{found}");
    assert!(found.contains("`XNNPACK` cannot be used") && found.contains("was built without it"), "{found}");
    assert!(!wanting("CPU").contains("OVS222"), "the CPU is always there");
}

#[test]
fn a_model_that_cannot_be_loaded_is_left_out_and_named() {
    let models = Models::get();
    let endless = tempfile::tempdir().expect("a temporary folder");
    for entry in std::fs::read_dir(models.path("encoder")).expect("the encoder's folder") {
        let entry = entry.expect("an entry");
        std::os::unix::fs::symlink(entry.path(), endless.path().join(entry.file_name())).expect("a link");
    }
    let length = endless.path().join("sentence_bert_config.json");
    std::fs::write(length, r#"{"max_seq_length": 10000000000}"#).expect("a writable folder");
    let own = settings(&format!(
        "folder: {}, models: [{{name: lost, folder: /nowhere}}, {{name: endless, folder: {}}}, {{name: add, folder: {}, file: add.onnx, kind: encoder}}]",
        models.path("encoder"),
        endless.path().display(),
        models.path("tensors"),
    ));
    let stage = Stage::start(&own);
    for (model, part) in [("lost", "/nowhere"), ("endless", "8 to 1048576"), ("add", "tokenizer.json")] {
        let line = stage.router.wait_for_log(0, |line| log_field(line, "model") == model);
        assert!(line["level"] == "ERROR" && line.to_string().contains(part), "{line}");
        assert_eq!(stage.got(&format!("/v2/models/{model}")).head.status, 404);
    }
    assert_eq!(stage.got("/v2/models/encoder").head.status, 200);
}
