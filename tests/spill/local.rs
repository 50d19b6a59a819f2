//! The last tier: the local model, on and off.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::harness::series::LOCAL_READY;
use super::harness::{Answer, Connection, Folder, Reply, Router, Setup, Upstream, Wire, text};
use super::{ONE_SLOT, Tiers, begin, served_by};

const FULL_THEN_LOCAL: &str =
    "slotsPerEndpoint: 1, queue: {maxPending: 0}, spillTo: [{host: cpu.example}], localModel: Allow";

/// The model's folder, which `make test` fetches before the tests run.
fn model() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".local-model");
    let file = folder.join("model.onnx");
    assert!(file.exists(), "{} is missing: run `make test`, which fetches it", file.display());
    folder
}

/// A router between two pools of one slot each, both held by the test.
struct Full {
    router: Router,
    _folder: Folder,
    gpu: Upstream,
    cpu: Upstream,
}

impl Full {
    fn start(gpu_policy: &str, model: &Path) -> Self {
        let (gpu, cpu) = (Upstream::start(Wire::H1, Answer::Held), Upstream::start(Wire::H1, Answer::Held));
        let (gpus, cpus) = ([gpu.address], [cpu.address]);
        let folder = Folder::with(&Tiers { gpu: &gpus, cpu: &cpus, gpu_policy, cpu_policy: ONE_SLOT }.documents());
        let variables = [("OVERSPILL_MODEL", OsString::from(model))];
        let router = Router::with(&Setup { config: folder.path(), variables: &variables });
        Self { router, _folder: folder, gpu, cpu }
    }

    /// Takes both slots, for as long as the connections are kept.
    fn fill(&self) -> [Connection; 2] {
        let first = begin(self.router.traffic);
        let exchange = self.gpu.next();
        // The exchange stays unanswered; forgetting it keeps its slot until the connection goes.
        std::mem::forget(exchange);
        let second = begin(self.router.traffic);
        std::mem::forget(self.cpu.next());
        [first, second]
    }
}

fn post(address: SocketAddr, path: &str, body: &str) -> Reply {
    Connection::open(address).ask(&format!(
        "POST {path} HTTP/1.1\r\nhost: app.example\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn is_unit_vector(embedding: &Value) {
    let vector: Vec<f64> = embedding.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    assert_eq!(vector.len(), 384, "all-MiniLM-L6-v2 has 384 dimensions");
    let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!((length - 1.0).abs() < 1e-3, "{length}");
}

#[test]
fn the_local_model_answers_when_the_pools_are_full() {
    let full = Full::start(FULL_THEN_LOCAL, &model());
    full.router.wait_for("the model is loaded", |metrics| metrics.count(LOCAL_READY, &[]) == 1);
    let _taken = full.fill();
    let reply = post(full.router.traffic, "/api/v1/embed", r#"{"text": "a cat on a mat"}"#);
    assert_eq!((reply.head.status, served_by(&reply).as_str()), (200, "local"), "{reply:?}");
    assert!(reply.head.value("proxy-status").contains("slots_taken"), "{reply:?}");
    is_unit_vector(&reply.json()["embedding"]);
    let reply = post(full.router.traffic, "/v1/embeddings", r#"{"input": ["one", "two"], "model": "any"}"#);
    assert_eq!((reply.head.status, served_by(&reply).as_str()), (200, "local"), "{reply:?}");
    let answer = reply.json();
    assert_eq!(answer["data"].as_array().map(Vec::len), Some(2));
    is_unit_vector(&answer["data"][1]["embedding"]);

    // More texts than the queue holds by default: refused each time, they would never be answered.
    let texts: Vec<String> = (0..64).map(|number| format!("\"text {number}\"")).collect();
    let reply = post(full.router.traffic, "/v1/embeddings", &format!(r#"{{"input": [{}]}}"#, texts.join(",")));
    assert_eq!(reply.head.status, 200, "{reply:?}");
    assert_eq!(reply.json()["data"].as_array().map(Vec::len), Some(64));
}

#[test]
fn the_local_model_answers_embedding_routes_alone() {
    let full = Full::start(FULL_THEN_LOCAL, &model());
    full.router.wait_for("the model is loaded", |metrics| metrics.count(LOCAL_READY, &[]) == 1);
    let _taken = full.fill();
    let reply = post(full.router.traffic, "/v1/chat/completions", "{}");
    assert!(matches!(reply.head.status, 429 | 503), "{reply:?}");
    assert!(reply.head.field("retry-after").is_some() && served_by(&reply).is_empty(), "{reply:?}");
}

#[test]
fn the_local_model_answers_only_where_the_documents_allow_it() {
    for gpu_policy in [
        super::ONE_SLOT_THEN_CPU,
        "slotsPerEndpoint: 1, queue: {maxPending: 0}, spillTo: [{host: cpu.example}], localModel: Deny",
    ] {
        let full = Full::start(gpu_policy, &model());
        full.router.wait_for("the model is loaded", |metrics| metrics.count(LOCAL_READY, &[]) == 1);
        let _taken = full.fill();
        let reply = post(full.router.traffic, "/api/v1/embed", r#"{"text": "a"}"#);
        assert_eq!(reply.head.status, 429, "{gpu_policy}: {reply:?}");
    }
}

/// The router routes, says that the local tier is off, and names `file` and why.
fn the_local_tier_is_off(folder: &Path, file: &str) {
    let full = Full::start(FULL_THEN_LOCAL, folder);
    full.router.wait_for_log(0, |line| {
        let text = line.to_string();
        text.contains(file) && (text.contains("\"ERROR\"") || text.contains("\"WARN\""))
    });
    assert_eq!(full.router.metrics().count(LOCAL_READY, &[]), 0);
    let mut routed = begin(full.router.traffic);
    let exchange = full.gpu.next();
    assert_eq!(text(&exchange.request.headers, "host"), "app.example");
    exchange.answer(200, "routed");
    assert_eq!(routed.read_reply().text(), "routed");
    let _taken = full.fill();
    let reply = post(full.router.traffic, "/api/v1/embed", r#"{"text": "a"}"#);
    assert!(matches!(reply.head.status, 429 | 503), "{reply:?}");
    assert!(reply.head.field("retry-after").is_some(), "{reply:?}");
}

/// The model's folder with one file replaced by `bytes`, or left out.
fn spoiled(file: &str, bytes: Option<&[u8]>) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for entry in fs::read_dir(model()).expect("the model's folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("an entry has a name");
        if name != file {
            symlink(&path, folder.path().join(name)).expect("a link");
        }
    }
    if let Some(bytes) = bytes {
        fs::write(folder.path().join(file), bytes).expect("a file in a temporary folder is writable");
    }
    folder
}

#[test]
fn a_missing_folder_leaves_the_local_tier_off() {
    let folder = TempDir::new().expect("a temporary folder");
    let missing = folder.path().join("no-such-folder");
    the_local_tier_is_off(&missing, "no-such-folder");
}

#[test]
fn a_missing_model_file_leaves_the_local_tier_off() {
    the_local_tier_is_off(spoiled("model.onnx", None).path(), "model.onnx");
}

#[test]
fn a_corrupt_model_file_leaves_the_local_tier_off() {
    the_local_tier_is_off(spoiled("model.onnx", Some(b"not a model")).path(), "model.onnx");
}

#[test]
fn a_corrupt_tokenizer_leaves_the_local_tier_off() {
    the_local_tier_is_off(spoiled("tokenizer.json", Some(b"{")).path(), "tokenizer.json");
}

#[test]
fn a_pool_without_endpoints_keeps_the_limits_and_reasons_of_any_other() {
    let (gpu_policy, cpu_policy) = ("localModel: Allow", "queue: {maxPending: 0}");
    let settings = "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: settings}\n\
                    spec: {limits: {maxBodyBytes: 64}}\n";
    let folder = Folder::with(&(Tiers { gpu: &[], cpu: &[], gpu_policy, cpu_policy }.documents() + settings));
    let variables = [("OVERSPILL_MODEL", OsString::from(model()))];
    let router = Router::with(&Setup { config: folder.path(), variables: &variables });
    let reply = post(router.traffic, "/api/v1/embed", r#"{"text": "a cat on a mat"}"#);
    assert_eq!((reply.head.status, served_by(&reply).as_str()), (200, "local"), "{reply:?}");
    let reply = post(router.traffic, "/v1/chat/completions", "{}");
    assert_eq!(reply.head.status, 503, "{reply:?}");
    assert!(reply.head.value("proxy-status").contains("\"no_endpoint:"), "{reply:?}");
    let mut connection = Connection::open(router.traffic);
    connection.send("POST /api/v1/embed HTTP/1.1\r\nhost: app.example\r\ntransfer-encoding: chunked\r\n\r\n");
    connection.send_chunk(&"x".repeat(65));
    let reply = connection.read_reply();
    assert_eq!(reply.head.status, 413, "{reply:?}");
}
