use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use serde_json::Value;

use super::*;
use crate::config::Pooling;
use crate::fallback::error::EmbedError;
use crate::fallback::manifest::Identity;
use crate::fallback::tensor::{Datatype, TensorSpec};
use http::StatusCode;

fn card() -> Card {
    let identity = Identity {
        name: "a-model".to_owned(),
        revision: "00".to_owned(),
        dimension: 2,
        pooling: Pooling::Mean,
        normalised: true,
        file: "model.onnx".to_owned(),
    };
    let prompts = [("query".to_owned(), "query: ".to_owned())].into();
    Card { prompts, ..Card::of_texts(identity, ModelKind::Encoder, 256) }
}

fn embeddings() -> Embeddings {
    Embeddings {
        vectors: vec![vec![0.6, -0.8], vec![1.0, 0.0]],
        tokens: 7,
        queued: Duration::from_secs(1),
        inference: Duration::from_micros(2500),
    }
}

fn ask(path: &str, body: &str, cards: &[&Card]) -> Result<Asked, Rejection> {
    let catalogue = Catalogue { beside: cards[1..].to_vec(), ..Catalogue::of(cards[0]) };
    Endpoint::recognise(path).expect("a path of an API").read(body.as_bytes(), &catalogue)
}

fn parse(path: &str, body: &str) -> Result<Question, Rejection> {
    ask(path, body, &[&card()]).map(|asked| match asked {
        Asked::Texts(question) => question,
        other => panic!("{path} asks for {other:?}"),
    })
}

fn contents(question: &Question) -> Vec<&str> {
    question.texts.iter().map(|text| &*text.content).collect()
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("a body of JSON")
}

#[test]
fn openai_takes_one_text_or_many_and_ignores_what_does_not_matter() {
    for (body, texts) in [
        (r#"{"input":"one","model":"text-embedding-3-small","user":"u"}"#, vec!["one"]),
        (
            r#"{"input":["one","t\u0000wo"],"model":null,"user":null,"dimensions":2,"later":{"a":[]}}"#,
            vec!["one", "t\0wo"],
        ),
        (r#"{"model":"m","encoding_format":null,"input":["ä"]}"#, vec!["ä"]),
    ] {
        let question = parse("/v1/embeddings", body).expect(body);
        assert_eq!(contents(&question), texts);
    }
}

#[test]
fn openai_faults_name_the_field_and_the_cure() {
    let many = serde_json::json!({ "input": vec!["a"; 2049] }).to_string();
    let deep = format!(r#"{{"input":{}"#, "[".repeat(100_000));
    for (body, param, part) in [
        (r#"{"input":[1,2,3]}"#, serde_json::json!("input"), "check_embedding_ctx_length=False"),
        (r#"{"input":[[1,2],[3]]}"#, serde_json::json!("input"), "check_embedding_ctx_length=False"),
        (r#"{"input":["a",5]}"#, serde_json::json!("input"), "check_embedding_ctx_length=False"),
        (many.as_str(), serde_json::json!("input"), "more than 2048"),
        (r#"{"input":[]}"#, serde_json::json!("input"), "empty"),
        (r#"{"input":""}"#, serde_json::json!("input"), "empty"),
        (r#"{"input":["a",""]}"#, serde_json::json!("input"), "empty"),
        (r#"{"input":[["a"]]}"#, serde_json::json!("input"), "neither a text nor a list"),
        (r#"{"input":{"a":1}}"#, serde_json::json!("input"), "neither a text nor a list"),
        (r#"{"input":[true]}"#, serde_json::json!("input"), "neither a text nor a list"),
        (r#"{"input":-1.5}"#, serde_json::json!("input"), "neither a text nor a list"),
        (r#"{"input":null}"#, serde_json::json!("input"), "missing"),
        ("{}", serde_json::json!("input"), "missing"),
        (r#"{"input":"a","dimensions":256}"#, serde_json::json!("dimensions"), "vectors of 2 numbers"),
        (r#"{"input":"a","dimensions":0}"#, serde_json::json!("dimensions"), "vectors of 2 numbers"),
        (r#"{"input":"a","encoding_format":"int8"}"#, Value::Null, "unknown variant `int8`"),
        (r#"{"input":"\ud800"}"#, Value::Null, "line 1 column"),
        (deep.as_str(), Value::Null, "recursion limit"),
        ("", Value::Null, "cannot be read"),
        ("[]", Value::Null, "a JSON object"),
        (r#"["a","m",null,null,null]"#, Value::Null, "a JSON object"),
        (r#"{"input":"a","model":5}"#, Value::Null, "expected a string"),
        (r#"{"input":"a","model":["x"]}"#, Value::Null, "expected a string"),
        (r#"{"input":"a","user":5}"#, Value::Null, "expected a string"),
        (r#"{"input":"a","encoding_format":{"float":null}}"#, Value::Null, "expected a string"),
    ] {
        let start: String = body.chars().take(60).collect();
        let rejection = parse("/v1/embeddings", body).expect_err(&start);
        let error = &read(&rejection.body)["error"];
        assert_eq!(rejection.status, StatusCode::BAD_REQUEST);
        assert_eq!(
            (&error["type"], &error["param"], &error["code"]),
            (&serde_json::json!("invalid_request_error"), &param, &Value::Null)
        );
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(part), "{start}: {message}");
    }
}

#[test]
fn openai_answers_name_the_model_that_ran() {
    let question = parse("/v1/embeddings", r#"{"input":["a","b"],"model":"another"}"#).expect("a question");
    let answer = read(&question.answer(&card(), &embeddings()));
    assert_eq!((&answer["object"], &answer["model"]), (&serde_json::json!("list"), &serde_json::json!("a-model")));
    assert_eq!(answer["usage"], serde_json::json!({ "prompt_tokens": 7, "total_tokens": 7 }));
    assert_eq!(answer["data"][1], serde_json::json!({ "object": "embedding", "index": 1, "embedding": [1.0, 0.0] }));
}

#[test]
fn base64_is_little_endian_f32() {
    let question = parse("/v1/embeddings", r#"{"input":["a","b"],"encoding_format":"base64"}"#).expect("a question");
    let answer = read(&question.answer(&card(), &embeddings()));
    let text = answer["data"][0]["embedding"].as_str().expect("base64");
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("valid base64");
    assert_eq!(bytes, [0.6_f32.to_le_bytes(), (-0.8_f32).to_le_bytes()].concat());
}

#[test]
fn the_seed_service_has_its_own_shape() {
    let question = parse("/api/v1/embed", r#"{"text":"one","extra":1}"#).expect("a question");
    assert_eq!(contents(&question), ["one"]);
    let mut one = embeddings();
    one.vectors.truncate(1);
    let answer = read(&question.answer(&card(), &one));
    assert_eq!((&answer["dimension"], &answer["processing_time_ms"]), (&serde_json::json!(2), &serde_json::json!(2.5)));
    assert_eq!(answer["embedding"].as_array().map(Vec::len), Some(2));
    for (body, part) in [
        (r#"{"text":""}"#, "`text` is empty"),
        ("{}", "missing field `text`"),
        (r#"{"text":["a"]}"#, "expected a string"),
        ("\"a\"", "cannot be read"),
    ] {
        let rejection = parse("/api/v1/embed", body).expect_err(body);
        let error = read(&rejection.body)["error"].as_str().map(str::to_owned).expect("a text");
        assert!(rejection.status == StatusCode::BAD_REQUEST && error.contains(part), "{body}: {error}");
    }
}

#[test]
fn errors_of_the_tier_have_a_status_and_the_clients_shape() {
    for (error, status, kind) in [
        (EmbedError::QueueFull, 429, "rate_limit_error"),
        (EmbedError::Expired, 504, "server_error"),
        (EmbedError::Failed("why".to_owned()), 503, "server_error"),
        (EmbedError::Stopped, 503, "server_error"),
        (EmbedError::TooLong { found: 600, most: 256 }, 400, "invalid_request_error"),
    ] {
        let openai = Api::OpenAi.rejection_of(&error);
        assert_eq!(
            (openai.status.as_u16(), &read(&openai.body)["error"]["type"]),
            (status, &serde_json::json!(kind)),
            "{error}"
        );
        let status = if error.is_final() { 413 } else { status };
        let seed = Api::Seed.rejection_of(&error);
        assert_eq!(
            (seed.status.as_u16(), &read(&seed.body)),
            (status, &serde_json::json!({ "error": error.to_string() }))
        );
        let error_type = match status {
            413 => "Validation",
            429 => "Overloaded",
            504 => "Backend",
            _ => "Unhealthy",
        };
        let tei = Api::Tei.rejection_of(&error);
        assert_eq!(
            (tei.status.as_u16(), &read(&tei.body)),
            (status, &serde_json::json!({ "error": error.to_string(), "error_type": error_type }))
        );
    }
}

#[test]
fn text_embeddings_inference_says_how_texts_are_cut_scaled_and_prompted() {
    for (body, cut, scaling) in [
        (r#"{"inputs":"a"}"#, Cut::Right, Scaling::Unit),
        (
            r#"{"inputs":["a"],"truncate":true,"truncation_direction":"Left","normalize":false}"#,
            Cut::Left,
            Scaling::Raw,
        ),
        (
            r#"{"inputs":"a","truncate":false,"truncation_direction":"left","normalize":null}"#,
            Cut::Refuse,
            Scaling::Unit,
        ),
    ] {
        let question = parse("/embed", body).expect(body);
        assert_eq!((question.texts[0].cut, question.scaling), (cut, scaling), "{body}");
    }
    let question = parse("/embed", r#"{"inputs":"a","prompt_name":"query"}"#).expect("a question");
    assert_eq!(contents(&question), ["query: a"]);
    assert_eq!(read(&question.answer(&card(), &embeddings())), read(&json(&embeddings().vectors)));
    for (body, status, error_type, part) in [
        (r#"{"inputs":""}"#, 400, "Empty", "`inputs` is empty"),
        (r#"{"inputs":[1,2]}"#, 422, "Validation", "token ids"),
        (r#"{"inputs":"a","prompt_name":"passage"}"#, 422, "Validation", "`query`"),
        (r#"{"inputs":"a","dimensions":1}"#, 422, "Validation", "vectors of 2 numbers"),
        (r#"{"inputs":"a","truncation_direction":"up"}"#, 422, "Validation", "unknown variant"),
        ("{", 422, "Validation", "cannot be read"),
    ] {
        let rejection = parse("/embed", body).expect_err(body);
        let answer = read(&rejection.body);
        assert_eq!(
            (rejection.status.as_u16(), &answer["error_type"]),
            (status, &serde_json::json!(error_type)),
            "{body}"
        );
        assert!(answer["error"].as_str().expect("a text").contains(part), "{body}: {answer}");
    }
    let many = serde_json::json!({ "inputs": vec!["a"; 2049] }).to_string();
    assert_eq!(parse("/embed", &many).expect_err("too many").status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn vectors_are_shortened_only_for_a_model_that_was_trained_so() {
    let trained = Card { matryoshka_dimensions: vec![1], ..card() };
    let Ok(Asked::Texts(question)) = ask("/embed", r#"{"inputs":["a","b"],"dimensions":1}"#, &[&trained]) else {
        panic!("the model was trained so")
    };
    assert_eq!(read(&question.answer(&trained, &embeddings())), serde_json::json!([[1.0], [1.0]]));
    assert!(ask("/embed", r#"{"inputs":"a","dimensions":3}"#, &[&trained]).is_err());
    assert!(ask("/embed", r#"{"inputs":"a","dimensions":2}"#, &[&trained]).is_ok());
}

fn scorer() -> Card {
    let identity = Identity { name: "scorer".to_owned(), dimension: 1, ..card().identity };
    Card::of_texts(identity, ModelKind::CrossEncoder, 256)
}

#[test]
fn a_ranking_is_of_the_cross_encoder_the_best_first() {
    let body = r#"{"query":"q","texts":["a","b","c"],"return_text":true}"#;
    let Ok(Asked::Texts(question)) = ask("/rerank", body, &[&card(), &scorer()]) else { panic!("it is one") };
    assert_eq!(question.place, Place::Beside(0));
    assert_eq!(question.texts[1].pair.as_deref(), Some("b"));
    assert!(Arc::ptr_eq(&question.texts[0].content, &question.texts[2].content), "one query for all");
    let logits = Embeddings { vectors: vec![vec![-1.0], vec![2.0], vec![0.0]], ..embeddings() };
    let ranks = read(&question.answer(&scorer(), &logits));
    let order: Vec<_> = ranks.as_array().into_iter().flatten().map(|rank| (&rank["index"], &rank["text"])).collect();
    assert_eq!(
        order,
        [
            (&serde_json::json!(1), &serde_json::json!("b")),
            (&serde_json::json!(2), &serde_json::json!("c")),
            (&serde_json::json!(0), &serde_json::json!("a"))
        ]
    );
    assert_eq!(ranks[1]["score"], serde_json::json!(0.5));
    let endpoint = Endpoint::recognise("/rerank").expect("a path");
    assert!(!endpoint.is_served_by(&Catalogue::of(&card())));
}

fn tensors() -> Card {
    let spec = |name: &str, shape: &[i64]| TensorSpec {
        name: name.to_owned(),
        datatype: Datatype::Fp32,
        shape: shape.to_vec(),
    };
    let identity = Identity { name: "sums".to_owned(), ..card().identity };
    let card = Card::of_texts(identity, ModelKind::Tensors, 0);
    Card { inputs: vec![spec("x", &[-1, 2]), spec("y", &[2])], outputs: vec![spec("sum", &[-1, 2])], ..card }
}

#[test]
fn kserve_knows_models_inputs_and_outputs_by_name() {
    let cards = [&card(), &scorer(), &tensors()];
    let x = r#"{"name":"x","shape":[1,2],"datatype":"FP32","data":[[1,2]]}"#;
    let y = r#"{"name":"y","shape":[2],"datatype":"FP32","data":[3,4.5]}"#;
    let body = format!(r#"{{"id":"7","inputs":[{x},{y}],"outputs":[{{"name":"sum"}}]}}"#);
    let Ok(Asked::Tensors(question)) = ask("/v2/models/sums/versions/1/infer", &body, &cards) else {
        panic!("tensors")
    };
    assert_eq!((question.place, question.outputs.as_slice()), (Place::Beside(1), ["sum".to_owned()].as_slice()));
    let answer = read(&question.answer(&tensors(), &question.inputs[..1]).expect("numbers"));
    assert_eq!(
        answer,
        serde_json::json!({ "model_name": "sums", "model_version": "1", "id": "7",
                "outputs": [{ "name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0] }] })
    );
    for (path, inputs, status, part) in [
        ("/v2/models/other/infer", format!("{x},{y}"), 404, "`a-model`, `scorer`, `sums`"),
        ("/v2/models/sums/versions/2/infer", format!("{x},{y}"), 404, "no version `2`"),
        ("/v2/models/sums/infer", x.to_owned(), 400, "`y` is missing"),
        ("/v2/models/sums/infer", format!("{x},{x}"), 400, "twice"),
        ("/v2/models/sums/infer", x.replace("\"x\"", "\"z\""), 400, "no input `z`"),
        ("/v2/models/sums/infer", format!("{},{y}", x.replace("FP32", "INT64")), 400, "FP32 is taken"),
        ("/v2/models/sums/infer", format!("{},{y}", x.replace("[1,2],", "[1,3],")), 400, "shape [1, 3]"),
        ("/v2/models/sums/infer", format!("{},{y}", x.replace("[1,2],", "[2,2],")), 400, "2 elements"),
        ("/v2/models/a-model/infer", x.to_owned(), 400, "BYTES is taken"),
    ] {
        let rejection = ask(path, &format!(r#"{{"inputs":[{inputs}]}}"#), &cards).expect_err(part);
        let error = read(&rejection.body)["error"].as_str().map(str::to_owned).expect("a text");
        assert!(rejection.status == status && error.contains(part), "{path} {inputs}: {error}");
    }
}

#[test]
fn kserve_gives_texts_to_models_for_texts() {
    let cards = [&card(), &scorer()];
    let text = |name: &str, shape: &str, data: &str| {
        format!(r#"{{"name":"{name}","shape":{shape},"datatype":"BYTES","data":{data}}}"#)
    };
    for (shape, data) in [("[2]", r#"["a","b"]"#), ("[2,1]", r#"[["a"],["b"]]"#)] {
        let body = format!(r#"{{"inputs":[{}]}}"#, text("anything", shape, data));
        let Ok(Asked::Texts(question)) = ask("/v2/models/a-model/infer", &body, &cards) else { panic!("{body}") };
        assert_eq!(contents(&question), ["a", "b"]);
        let answer = read(&question.answer(&card(), &embeddings()));
        assert_eq!(answer["outputs"][0]["shape"], serde_json::json!([2, 2]));
    }
    let body =
        format!(r#"{{"inputs":[{},{}]}}"#, text("text", "[2]", r#"["a","b"]"#), text("query", "[1]", r#"["q"]"#));
    let Ok(Asked::Texts(question)) = ask("/v2/models/scorer/infer", &body, &cards) else { panic!("{body}") };
    assert_eq!((contents(&question), question.texts[1].pair.as_deref()), (vec!["q", "q"], Some("b")));
    assert!(Arc::ptr_eq(&question.texts[0].content, &question.texts[1].content), "one query for all");
}

#[test]
fn what_is_known_is_told() {
    let cards = [&card(), &tensors()];
    let told = |path: &str| match ask(path, "", &cards) {
        Ok(Asked::Told(body)) => (200, serde_json::from_slice(&body).unwrap_or(Value::Null)),
        Ok(other) => panic!("{path} asks for {other:?}"),
        Err(rejection) => (rejection.status.as_u16(), read(&rejection.body)),
    };
    for (path, status, pointer, expected) in [
        ("/v2", 200, "/name", serde_json::json!("overspill")),
        ("/v2/health/live", 200, "/live", serde_json::json!(true)),
        ("/v2/health/ready", 200, "/ready", serde_json::json!(true)),
        ("/v2/models/sums", 200, "/inputs/0", serde_json::json!({ "name": "x", "datatype": "FP32", "shape": [-1, 2] })),
        ("/v2/models/a-model", 200, "/outputs/0/shape", serde_json::json!([-1, 2])),
        ("/v2/models/a-model/ready", 200, "/ready", serde_json::json!(true)),
        (
            "/v2/models/other/ready",
            404,
            "/error",
            serde_json::json!("there is no model `other` here: ask for one of `a-model`, `sums`"),
        ),
        ("/v1/models", 200, "/data/1/id", serde_json::json!("sums")),
        ("/v1/models/a-model", 200, "/object", serde_json::json!("model")),
        ("/v1/models/gpt", 404, "/error/code", serde_json::json!("model_not_found")),
        ("/info", 200, "/model_type/embedding/pooling", serde_json::json!("mean")),
        ("/info", 200, "/max_input_length", serde_json::json!(256)),
    ] {
        let (found, body) = told(path);
        assert_eq!((found, body.pointer(pointer)), (status, Some(&expected)), "{path} {pointer}");
    }
    assert_eq!(told("/health"), (200, Value::Null));
}

#[test]
fn a_list_in_the_place_of_an_object_is_refused_by_every_api() {
    let infer = "/v2/models/a-model/infer";
    for (path, status, body) in [
        ("/v1/embeddings", 400, r#"["a","m",null,null,null,null]"#),
        ("/api/v1/embed", 400, r#"["a"]"#),
        ("/embed", 422, r#"["a",null,null,null,null,null]"#),
        ("/embed", 422, r#"{"inputs":"a","truncation_direction":{"Left":null}}"#),
        (infer, 400, r#"[null,[{"name":"text","shape":[1],"datatype":"BYTES","data":["a"]}],[]]"#),
        (infer, 400, r#"{"inputs":[["text",[1],"BYTES",["a"]]]}"#),
        (
            infer,
            400,
            r#"{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["a"]}],"outputs":[["embedding"]]}"#,
        ),
    ] {
        let rejection = parse(path, body).expect_err(body);
        assert_eq!(rejection.status, status, "{path} {body}");
        let said = String::from_utf8(rejection.body).expect("text");
        assert!(said.contains("expected a JSON object") || said.contains("expected a string"), "{path} {body}: {said}");
    }
    let scorer =
        Card::of_texts(Identity { name: "scorer".to_owned(), ..card().identity }, ModelKind::CrossEncoder, 256);
    let rejection = ask("/rerank", r#"["q",["a"],null,null,null,null]"#, &[&card(), &scorer]).expect_err("a list");
    assert_eq!(rejection.status, 422);
}
