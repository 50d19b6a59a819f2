//! The local model in the real program: what is computed together and in which turn, and its life from load to replacement.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod batching;
mod guard;
mod life;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use harness::{Connection, Reply, Router, Service, Wire, policy, virtual_service};

/// The model's folder, which `make test` fetches before the tests run.
fn model() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".local-model");
    assert!(folder.join("model.onnx").exists(), "{} is not filled: run `make test`", folder.display());
    folder
}

/// A host whose pool has no endpoints, so that the local model answers for it; `rule` is what its route says beside the
/// destination, `settings` the fields of `localModel` beside its folder.
fn local_only(folder: &Path, rule: &str, settings: &str) -> String {
    let route = format!("  - {{name: all, {rule} route: [{{destination: {{host: pool.example}}}}]}}");
    virtual_service("app.example", &route)
        + &Service { host: "pool.example", wire: Wire::H1, endpoints: &[] }.document()
        + &policy("pool.example", "localModel: Allow")
        + &format!(
            "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: settings}}\n\
             spec: {{localModel: {{folder: {:?}, {settings}}}}}\n",
            folder.display(),
        )
}

/// The quantised model, which is the faster one.
const INT8: &str = "file: model-int8.onnx";

fn send(address: SocketAddr, texts: &[String]) -> Connection {
    let mut connection = Connection::open(address);
    let body = serde_json::json!({ "model": "any", "input": texts }).to_string();
    connection.send(format!(
        "POST /v1/embeddings HTTP/1.1\r\nhost: app.example\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ));
    connection
}

fn embed(router: &Router, texts: &[String]) -> Reply {
    send(router.traffic, texts).read_reply()
}

/// As many texts of some twenty tokens, no two alike.
fn texts(count: usize) -> Vec<String> {
    let filler = "which goes where there is room for it, be it near or far from here,";
    (0..count).map(|number| format!("request {number}, {filler} {}", number * 7919)).collect()
}
