//! A router that answers from tiny models alone, and the requests of these tests.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use super::harness::{Connection, Folder, Reply, Router, Service, Setup, Wire, policy, virtual_service};

/// A file of this folder.
pub(super) fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/local_apis").join(name)
}

/// The folder that `make test` fills.
pub(super) fn fetched() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".local-model");
    assert!(folder.join("model.onnx").exists(), "{} is not filled: run `make test`", folder.display());
    folder
}

/// The tiny models, made once, and what they compute.
pub(super) struct Models {
    folder: TempDir,
    pub(super) expected: Value,
}

impl Models {
    pub(super) fn get() -> &'static Self {
        static MADE: OnceLock<Models> = OnceLock::new();
        MADE.get_or_init(|| {
            let folder = TempDir::new().expect("a temporary folder");
            let made = Command::new("python3").arg(beside("models.py")).arg(folder.path()).status();
            assert!(made.expect("python3 starts").success(), "models.py makes the models");
            let expected = std::fs::read(folder.path().join("expected.json")).expect("what the models compute");
            Self { folder, expected: serde_json::from_slice(&expected).expect("JSON") }
        })
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }
}

/// The `Settings` with this `localModel`, in flow style, whose library is the fetched one.
pub(super) fn settings(local_model: &str) -> String {
    format!(
        "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {{name: settings, namespace: default}}\n\
         spec:\n  localModel: {{library: {}, {local_model}}}\n",
        fetched().join("libonnxruntime.so.1.28.0").display()
    )
}

/// Every model of `models.py`; the encoder pools by its first token.
pub(super) fn every_model() -> String {
    let at = |name: &str| Models::get().path(name);
    settings(&format!(
        "folder: {encoder}, name: tiny, pooling: cls, maxTokens: 16, prompts: {{query: \"query: \", passage: \"\"}}, models: [\
         {{name: pooled, folder: {encoder}, file: pooled.onnx, normalize: false}}, \
         {{name: scorer, folder: {}}}, \
         {{name: add, folder: {tensors}, file: add.onnx}}, \
         {{name: types, folder: {tensors}, file: types.onnx, kind: tensors}}]",
        at("scorer"),
        encoder = at("encoder"),
        tensors = at("tensors"),
    ))
}

/// A router whose one pool has no endpoint, so that the local models answer.
pub(super) struct Stage {
    pub(super) router: Router,
    _folder: Folder,
}

impl Stage {
    pub(super) fn start(settings: &str) -> Self {
        let rule = "  - {name: all, route: [{destination: {host: pool.example}}]}";
        Self::with(&(virtual_service("app.example", rule) + settings), &[])
    }

    /// With rules of the test's own; `pool.example` has no endpoint.
    pub(super) fn with(documents: &str, variables: &[(&str, OsString)]) -> Self {
        let folder = Folder::with(
            &(Service { host: "pool.example", wire: Wire::H1, endpoints: &[] }.document()
                + &policy("pool.example", "tier: gpu, localModel: Allow")
                + documents),
        );
        let router = Router::with(&Setup { config: folder.path(), variables });
        Self { router, _folder: folder }
    }

    /// Sends `body` with these further lines of the head.
    pub(super) fn send(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> Reply {
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: app.example\r\ncontent-length: {}\r\n{fields}\r\n", body.len());
        let mut connection = Connection::open(self.router.traffic);
        connection.send([head.as_bytes(), body].concat());
        connection.read_reply()
    }

    pub(super) fn post(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, "content-type: application/json\r\n", body.as_bytes())
    }

    /// The JSON of an answer with status 200.
    pub(super) fn asked(&self, path: &str, body: &str) -> Value {
        let reply = self.post(path, body);
        assert_eq!(
            (reply.head.status, reply.head.value("x-served-by").as_str()),
            (200, "local"),
            "{path} {body}: {}",
            reply.text()
        );
        assert_eq!(reply.head.value("content-type"), "application/json");
        reply.json()
    }

    pub(super) fn got(&self, path: &str) -> Reply {
        self.send("GET", path, "", b"")
    }
}

/// Asserts that numbers are those that were worked out, as far as FP32 goes.
#[track_caller]
pub(super) fn same(found: &Value, expected: &Value, what: &str) {
    let numbers =
        |value: &Value| -> Vec<f64> { value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect() };
    let (found, expected) = (numbers(found), numbers(expected));
    let is_close = found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(!expected.is_empty() && found.len() == expected.len() && is_close, "{what}: {found:?}, not {expected:?}");
}
