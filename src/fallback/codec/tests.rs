use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

use super::super::manifest::Pooling;
use super::*;

fn identity() -> Identity {
    Identity {
        name: "a-model".to_owned(),
        revision: "00".to_owned(),
        dimension: 2,
        pooling: Pooling::Mean,
        normalised: true,
        file: "model.onnx".to_owned(),
    }
}

fn embeddings() -> Embeddings {
    Embeddings {
        vectors: vec![vec![0.6, -0.8], vec![1.0, 0.0]],
        tokens: 7,
        queued: Duration::from_secs(1),
        inference: Duration::from_micros(2500),
    }
}

fn parse(api: Api, body: &str) -> Result<Question, Rejection> {
    api.parse(body.as_bytes(), &identity())
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("a body of JSON")
}

#[test]
fn only_the_right_method_and_path_are_an_api() {
    for (method, path, expected) in [
        (Method::POST, "/v1/embeddings", Some(Api::OpenAi)),
        (Method::POST, "/api/v1/embed", Some(Api::Seed)),
        (Method::GET, "/v1/embeddings", None),
        (Method::POST, "/v1/embeddings/", None),
        (Method::POST, "/v1/chat/completions", None),
    ] {
        assert_eq!(Api::recognise(&method, path), expected, "{method} {path}");
    }
}

#[test]
fn openai_takes_one_text_or_many_and_ignores_what_does_not_matter() {
    for (body, texts) in [
        (r#"{"input":"one","model":"text-embedding-3-small","user":"u"}"#, vec!["one"]),
        (r#"{"input":["one","t\u0000wo"],"model":7,"dimensions":2,"later":{"a":[]}}"#, vec!["one", "t\0wo"]),
        (r#"{"model":"m","encoding_format":null,"input":["ä"]}"#, vec!["ä"]),
    ] {
        assert_eq!(
            parse(Api::OpenAi, body).map(|question| question.texts),
            Ok(texts.iter().map(ToString::to_string).collect())
        );
    }
}

#[test]
fn openai_faults_name_the_field_and_the_cure() {
    let many = json!({ "input": vec!["a"; 2049] }).to_string();
    let deep = format!(r#"{{"input":{}"#, "[".repeat(100_000));
    for (body, param, part) in [
        (r#"{"input":[1,2,3]}"#, json!("input"), "check_embedding_ctx_length=False"),
        (r#"{"input":[[1,2],[3]]}"#, json!("input"), "check_embedding_ctx_length=False"),
        (r#"{"input":["a",5]}"#, json!("input"), "check_embedding_ctx_length=False"),
        (many.as_str(), json!("input"), "more than 2048"),
        (r#"{"input":[]}"#, json!("input"), "empty"),
        (r#"{"input":""}"#, json!("input"), "empty"),
        (r#"{"input":["a",""]}"#, json!("input"), "empty"),
        (r#"{"input":[["a"]]}"#, json!("input"), "neither a text nor a list"),
        (r#"{"input":{"a":1}}"#, json!("input"), "neither a text nor a list"),
        (r#"{"input":[true]}"#, json!("input"), "neither a text nor a list"),
        (r#"{"input":-1.5}"#, json!("input"), "neither a text nor a list"),
        (r#"{"input":null}"#, json!("input"), "missing"),
        ("{}", json!("input"), "missing"),
        (r#"{"input":"a","dimensions":256}"#, json!("dimensions"), "vectors of 2 numbers"),
        (r#"{"input":"a","dimensions":0}"#, json!("dimensions"), "vectors of 2 numbers"),
        (r#"{"input":"a","encoding_format":"int8"}"#, Value::Null, "unknown variant `int8`"),
        (r#"{"input":"\ud800"}"#, Value::Null, "line 1 column"),
        (deep.as_str(), Value::Null, "recursion limit"),
        ("", Value::Null, "cannot be read"),
        ("[]", Value::Null, "cannot be read"),
    ] {
        let start: String = body.chars().take(60).collect();
        let rejection = parse(Api::OpenAi, body).expect_err(&start);
        let error = &read(&rejection.body)["error"];
        assert_eq!(rejection.status, StatusCode::BAD_REQUEST);
        assert_eq!(
            (&error["type"], &error["param"], &error["code"]),
            (&json!("invalid_request_error"), &param, &Value::Null)
        );
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(part), "{start}: {message}");
    }
}

#[test]
fn openai_answers_name_the_model_that_ran() {
    let question = parse(Api::OpenAi, r#"{"input":["a","b"],"model":"another"}"#).expect("a question");
    let answer = read(&question.answer(&identity(), &embeddings()));
    assert_eq!((&answer["object"], &answer["model"]), (&json!("list"), &json!("a-model")));
    assert_eq!(answer["usage"], json!({ "prompt_tokens": 7, "total_tokens": 7 }));
    assert_eq!(answer["data"][1], json!({ "object": "embedding", "index": 1, "embedding": [1.0, 0.0] }));
}

#[test]
fn base64_is_little_endian_f32() {
    let question = parse(Api::OpenAi, r#"{"input":["a","b"],"encoding_format":"base64"}"#).expect("a question");
    let answer = read(&question.answer(&identity(), &embeddings()));
    let text = answer["data"][0]["embedding"].as_str().expect("base64");
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("valid base64");
    assert_eq!(bytes, [0.6_f32.to_le_bytes(), (-0.8_f32).to_le_bytes()].concat());
}

#[test]
fn the_seed_service_has_its_own_shape() {
    let question = parse(Api::Seed, r#"{"text":"one","extra":1}"#).expect("a question");
    assert_eq!(question.texts, ["one"]);
    let mut one = embeddings();
    one.vectors.truncate(1);
    let answer = read(&question.answer(&identity(), &one));
    assert_eq!((&answer["dimension"], &answer["processing_time_ms"]), (&json!(2), &json!(2.5)));
    assert_eq!(answer["embedding"].as_array().map(Vec::len), Some(2));
    for (body, part) in [
        (r#"{"text":""}"#, "`text` is empty"),
        ("{}", "missing field `text`"),
        (r#"{"text":["a"]}"#, "expected a string"),
        ("\"a\"", "cannot be read"),
    ] {
        let rejection = parse(Api::Seed, body).expect_err(body);
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
    ] {
        let openai = Api::OpenAi.rejection_of(&error);
        assert_eq!((openai.status.as_u16(), &read(&openai.body)["error"]["type"]), (status, &json!(kind)), "{error}");
        let seed = Api::Seed.rejection_of(&error);
        assert_eq!((seed.status.as_u16(), &read(&seed.body)), (status, &json!({ "error": error.to_string() })));
    }
}
