//! What the APIs say besides results: metadata, health, methods, media types.

use serde_json::{Value, json};

use super::harness::{Answer, Connection, Service, Upstream, Wire, policy, virtual_service};
use super::stage::{Models, Stage, every_model, settings};

#[test]
fn information_health_and_metadata_are_told() {
    let stage = Stage::start(&every_model());
    for (path, pointer, expected) in [
        ("/info", "/model_id", json!("tiny")),
        ("/info", "/model_type", json!({ "embedding": { "pooling": "cls" } })),
        ("/info", "/max_input_length", json!(16)),
        ("/info", "/max_client_batch_size", json!(2048)),
        ("/info?verbose=1", "/auto_truncate", json!(true)),
        ("/v1/models", "/data/0/id", json!("tiny")),
        ("/v1/models/scorer", "/id", json!("scorer")),
        ("/v2", "/name", json!("overspill")),
        ("/v2", "/version", json!(env!("CARGO_PKG_VERSION"))),
        ("/v2/health/live", "/live", json!(true)),
        ("/v2/health/ready", "/ready", json!(true)),
        ("/v2/models/tiny", "/outputs", json!([{ "name": "embedding", "datatype": "FP32", "shape": [-1, 4] }])),
        ("/v2/models/tiny/versions/1", "/inputs/0/datatype", json!("BYTES")),
        ("/v2/models/scorer", "/inputs/0/name", json!("query")),
        ("/v2/models/add", "/inputs/1", json!({ "name": "y", "datatype": "FP32", "shape": [-1, 3] })),
        ("/v2/models/types", "/outputs/0", json!({ "name": "whole_back", "datatype": "INT64", "shape": [2] })),
        ("/v2/models/types/versions/1/ready", "/ready", json!(true)),
    ] {
        let reply = stage.got(path);
        assert_eq!((reply.head.status, reply.head.value("x-served-by").as_str()), (200, "local"), "{path}");
        assert_eq!(reply.json().pointer(pointer), Some(&expected), "{path} {pointer}: {}", reply.text());
    }
    let health = stage.got("/health");
    assert_eq!((health.head.status, health.body.len()), (200, 0));
    for path in
        ["/v2/models/other", "/v2/models/other/ready", "/v2/models/tiny/versions/2", "/v2/models/add/versions/2/ready"]
    {
        let reply = stage.got(path);
        assert!(reply.head.status == 404 && reply.json()["error"].is_string(), "{path}: {}", reply.text());
    }
}

#[test]
fn what_is_told_of_the_model_is_what_holds() {
    let own =
        format!("folder: {}, queue: 7, maxBatch: 3, maxBatchTokens: 100, threads: 2", Models::get().path("encoder"));
    let told = Stage::start(&settings(&own)).got("/info").json();
    for (field, expected) in [
        ("max_concurrent_requests", json!(7)),
        ("max_batch_requests", json!(3)),
        ("max_batch_tokens", json!(100)),
        ("tokenization_workers", json!(2)),
        ("max_input_length", json!(512)),
        ("model_dtype", json!("float32")),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(told[field], expected, "{field}");
    }
    assert_eq!(told["model_sha"].as_str().map(str::len), Some(64));
}

#[test]
fn other_methods_are_told_which_are_allowed() {
    let stage = Stage::start(&every_model());
    for (method, path, status, allow) in [
        ("HEAD", "/info", 200, ""),
        ("HEAD", "/v2/health/ready", 200, ""),
        ("HEAD", "/v1/embeddings", 405, "POST"),
        ("GET", "/v1/embeddings", 405, "POST"),
        ("PUT", "/api/v1/embed", 405, "POST"),
        ("DELETE", "/embed", 405, "POST"),
        ("GET", "/rerank", 405, "POST"),
        ("GET", "/v2/models/add/infer", 405, "POST"),
        ("POST", "/info", 405, "GET, HEAD"),
        ("POST", "/v2/models/add", 405, "GET, HEAD"),
    ] {
        let mut connection = Connection::open(stage.router.traffic);
        let reply = connection.ask(&format!("{method} {path} HTTP/1.1\r\nhost: app.example\r\n\r\n"));
        assert_eq!((reply.head.status, reply.head.value("allow").as_str()), (status, allow), "{method} {path}");
        let body = if method == "HEAD" || status == 200 { Value::Null } else { reply.json()["error"].clone() };
        assert_eq!(body.is_null(), method == "HEAD", "{method} {path}: {body}");
    }
}

#[test]
fn media_types_and_codings_other_than_plain_json_are_refused_with_the_cure() {
    let stage = Stage::start(&every_model());
    let body = br#"{"inputs":"red apple"}"#;
    for (fields, status, part) in [
        ("content-type: application/json\r\n", 200, ""),
        ("content-type: application/json; charset=utf-8\r\n", 200, ""),
        ("content-type: Application/JSON;charset=\"UTF-8\"\r\n", 200, ""),
        ("", 200, ""),
        ("content-type: application/json\r\ncontent-encoding: identity\r\n", 200, ""),
        ("content-type: text/plain\r\n", 415, "application/json"),
        ("content-type: application/x-www-form-urlencoded\r\n", 415, "application/json"),
        ("content-type: application/json; charset=utf-16\r\n", 415, "UTF-8"),
        ("content-type: \r\n", 415, "application/json"),
        ("content-type: application/json\r\ncontent-encoding: gzip\r\n", 415, "Content-Encoding"),
        ("content-type: application/json\r\ncontent-encoding: br, gzip\r\n", 415, "Content-Encoding"),
    ] {
        let reply = stage.send("POST", "/embed", fields, body);
        assert_eq!(reply.head.status, status, "{fields:?}: {}", reply.text());
        if status != 200 {
            assert!(reply.json()["error"].as_str().expect("a text").contains(part), "{fields:?}: {}", reply.text());
            assert_eq!(reply.head.value("accept-encoding") == "identity", part == "Content-Encoding");
        }
    }
    let fields = "content-type: application/octet-stream\r\ninference-header-content-length: 9\r\n";
    let reply = stage.send("POST", "/v2/models/add/infer", fields, b"{\"inputs\"");
    assert!(reply.head.status == 415 && reply.text().contains("binary tensors"), "{}", reply.text());
}

#[test]
fn overload_has_the_shape_of_each_api_and_says_when_to_come_again() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let documents = virtual_service("app.example", "  - {name: all, route: [{destination: {host: full.example}}]}")
        + &Service { host: "full.example", wire: Wire::H1, endpoints: &[upstream.address] }.document()
        + &policy("full.example", "slotsPerEndpoint: 1, queue: {maxPending: 0}, localModel: Allow")
        + &settings(&format!("folder: {}", Models::get().path("encoder")));
    let stage = Stage::with(&documents, &[]);
    let mut taken = Connection::open(stage.router.traffic);
    taken.send("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    let _held = upstream.next();
    // The pool is full, and the local models have none that ranks.
    let reply = stage.post("/rerank", r#"{"query":"a","texts":["a"]}"#);
    assert_eq!((reply.head.status, reply.head.value("retry-after").as_str()), (429, "1"), "{}", reply.text());
    assert_eq!(reply.json(), json!({ "error": "the pool and its queue are full", "error_type": "Overloaded" }));
    let reply = stage.post("/v1/chat/completions", "{}");
    assert_eq!((reply.head.status, &reply.json()["error"]["code"]), (429, &json!("queue_full")), "{}", reply.text());
    for (path, pointer) in
        [("/v2/models", "/error"), ("/v2/models/a/generate", "/error"), ("/embed_all", "/error_type")]
    {
        let reply = stage.post(path, "{}");
        let said = reply.json().pointer(pointer).is_some_and(Value::is_string);
        assert!(reply.head.status == 429 && said, "{path}: {}", reply.text());
    }
    // What it has an answer for is answered, named after what really ran.
    let vectors = stage.asked("/v1/embeddings", r#"{"input":"red","model":"text-embedding-3-small"}"#);
    assert_eq!(vectors["model"], json!("encoder"));
    assert_eq!(stage.got("/info").json()["model_id"], json!("encoder"));
}
