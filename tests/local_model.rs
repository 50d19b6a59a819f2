//! The local model with its real files: agreement with the reference implementation, and what is said about bad files.

#![expect(clippy::expect_used, reason = "what helpers expect, the test expects")]

#[path = "local_model/files.rs"]
mod files;

use std::fs;
use std::time::{Duration, Instant};

use files::{edit_manifest, linked, replace, settings, sha256};
use overspill::fallback::{Asked, Catalogue, EmbedError, Embeddings, Endpoint, LoadError, LocalTier};
use serde::Deserialize;

/// A line of the golden file, which `tests/golden/local_model/reference.py` made.
#[derive(Deserialize)]
struct Sentence {
    text: String,
    tokens: usize,
    embedding: Vec<f32>,
}

fn sentences() -> Vec<Sentence> {
    serde_json::from_str(include_str!("golden/local_model/sentences.json")).expect("a golden file of JSON")
}

fn start(file: &str) -> LocalTier {
    LocalTier::start(&settings(&files::folder(), file), |_| {}).expect("the local model starts")
}

fn embed(tier: &LocalTier, texts: Vec<String>) -> Result<Embeddings, EmbedError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(tier.embed(texts, Instant::now() + Duration::from_mins(2)))
}

fn cosine(left: &[f32], right: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    assert_eq!(left.len(), right.len());
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}

/// Compares each golden sentence alone, and all of them in one request, with the reference.
fn agrees(file: &str, least: f64) {
    let tier = start(file);
    let sentences = sentences();
    let together = embed(&tier, sentences.iter().map(|sentence| sentence.text.clone()).collect()).expect("an answer");
    assert_eq!(together.tokens, sentences.iter().map(|sentence| sentence.tokens).sum::<usize>());
    for (sentence, together) in sentences.iter().zip(&together.vectors) {
        let alone = embed(&tier, vec![sentence.text.clone()]).expect("an answer");
        let start: String = sentence.text.chars().take(40).collect();
        assert_eq!(alone.tokens, sentence.tokens, "{start}");
        for (vector, how) in [(&alone.vectors[0], "alone"), (together, "together")] {
            let found = cosine(vector, &sentence.embedding);
            assert!(found >= least, "{file}, {how}: cosine {found} for {start:?}");
            assert!((cosine(vector, vector) - 1.0).abs() < 1e-9 && (norm(vector) - 1.0).abs() < 1e-5);
        }
    }
}

fn norm(vector: &[f32]) -> f64 {
    vector.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn fp32_agrees_with_the_reference() {
    agrees("model.onnx", 0.999);
}

#[test]
fn int8_agrees_with_the_reference() {
    agrees("model-int8.onnx", 0.97);
}

#[test]
fn the_identity_is_that_of_the_file_in_use() {
    let tier = start("model-int8.onnx");
    let identity = tier.identity();
    let revision = sha256(&fs::read(files::folder().join("model-int8.onnx")).expect("the file"));
    assert_eq!((identity.name.as_str(), identity.dimension, identity.normalised), ("all-MiniLM-L6-v2", 384, true));
    assert_eq!((identity.file.as_str(), identity.revision.as_str()), ("model-int8.onnx", revision.as_str()));
}

#[test]
fn a_request_goes_through_its_api_to_an_answer() {
    let tier = start("model.onnx");
    for (path, body, place) in [
        ("/v1/embeddings", r#"{"input":"Hello, world!","model":"any"}"#, "/data/0/embedding"),
        ("/api/v1/embed", r#"{"text":"Hello, world!"}"#, "/embedding"),
        ("/embed", r#"{"inputs":"Hello, world!"}"#, "/0"),
    ] {
        let endpoint = Endpoint::recognise(path).expect("a path of an API");
        let Ok(Asked::Texts(question)) = endpoint.read(body.as_bytes(), &Catalogue::of(tier.card())) else {
            panic!("{path} asks for vectors")
        };
        let embeddings =
            embed(&tier, question.texts.iter().map(|text| text.content.to_string()).collect()).expect("an answer");
        let answer: serde_json::Value =
            serde_json::from_slice(&question.answer(tier.card(), &embeddings)).expect("an answer of JSON");
        let vector: Vec<f32> =
            serde_json::from_value(answer.pointer(place).expect("a vector").clone()).expect("a vector of numbers");
        assert!(cosine(&vector, &sentences()[0].embedding) >= 0.999, "{path}");
    }
}

#[test]
fn odd_texts_are_served_and_so_is_the_next_one() {
    let tier = start("model-int8.onnx");
    for text in ["x".repeat(1 << 20), " ".repeat(1 << 20), "\0".repeat(9), "é".repeat(40_000), "a ".repeat(1 << 19)] {
        let answer = embed(&tier, vec![text]).expect("an answer");
        assert!(answer.tokens >= 2 && answer.tokens <= 256 && (norm(&answer.vectors[0]) - 1.0).abs() < 1e-5);
    }
}

/// What [`LocalTier::start`] says about a folder.
fn fault(folder: &tempfile::TempDir, file: &str) -> LoadError {
    LocalTier::start(&settings(folder.path(), file), |_| {}).err().expect("the folder is refused")
}

#[test]
fn a_missing_folder_or_file_is_named() {
    let empty = tempfile::tempdir().expect("a temporary folder");
    let missing = settings(&empty.path().join("nowhere"), "model.onnx");
    let error = LocalTier::start(&missing, |_| {}).err().expect("nothing is there");
    assert!(matches!(&error, LoadError::Folder(path) if path.ends_with("nowhere")), "{error}");
    assert!(error.to_string().contains("obtain.py"), "{error}");

    let error = fault(&empty, "model.onnx");
    assert!(matches!(&error, LoadError::File { path, .. } if path.ends_with("manifest.json")), "{error}");
    for name in ["model.onnx", "tokenizer.json"] {
        let folder = linked();
        fs::remove_file(folder.path().join(name)).expect("the link is removed");
        let error = fault(&folder, "model.onnx");
        assert!(matches!(&error, LoadError::File { path, .. } if path.ends_with(name)), "{error}");
    }
    let folder = linked();
    fs::remove_file(folder.path().join("libonnxruntime.so.1.28.0")).expect("the link is removed");
    assert!(matches!(fault(&folder, "model.onnx"), LoadError::NoLibrary(_)));
    edit_manifest(&folder, |manifest| manifest["library"] = serde_json::Value::Null);
    assert!(matches!(fault(&folder, "model.onnx"), LoadError::NoLibrary(_)));
    let error = fault(&folder, "model-int4.onnx");
    assert!(error.to_string().contains("`model.onnx`, `model-int8.onnx`"), "{error}");
}

#[test]
fn a_corrupt_or_truncated_file_is_named() {
    let mut model = fs::read(files::folder().join("model.onnx")).expect("the model");
    let middle = model.len() / 2;
    model[middle] ^= 1;
    let truncated = &model[..middle];
    for (name, content) in
        [("model.onnx", model.as_slice()), ("model.onnx", truncated), ("model.onnx", b""), ("tokenizer.json", b"{}")]
    {
        let folder = linked();
        replace(&folder, name, content);
        let error = fault(&folder, "model.onnx");
        assert!(matches!(&error, LoadError::Hash { path, .. } if path.ends_with(name)), "{error}");
    }
    for content in [&b"{"[..], b"[]", b"{\"models\":[]}"] {
        let folder = linked();
        replace(&folder, "manifest.json", content);
        let error = fault(&folder, "model.onnx");
        assert!(matches!(&error, LoadError::Manifest { path, .. } if path.ends_with("manifest.json")), "{error}");
    }
    let folder = linked();
    edit_manifest(&folder, |manifest| manifest["models"][0]["max_tokens"] = 1.into());
    assert!(matches!(fault(&folder, "model.onnx"), LoadError::Manifest { .. }));
}

#[test]
fn a_file_that_its_manifest_vouches_for_wrongly_is_named() {
    let folder = linked();
    replace(&folder, "tokenizer.json", b"{}");
    edit_manifest(&folder, |manifest| manifest["tokenizer"]["sha256"] = sha256(b"{}").into());
    let error = fault(&folder, "model.onnx");
    assert!(matches!(&error, LoadError::Tokenizer { path, .. } if path.ends_with("tokenizer.json")), "{error}");

    let folder = linked();
    replace(&folder, "model.onnx", b"no model");
    edit_manifest(&folder, |manifest| manifest["models"][0]["sha256"] = sha256(b"no model").into());
    let error = fault(&folder, "model.onnx");
    assert!(matches!(&error, LoadError::Model { path, .. } if path.ends_with("model.onnx")), "{error}");

    let folder = linked();
    edit_manifest(&folder, |manifest| manifest["models"][0]["dimension"] = 385.into());
    let error = fault(&folder, "model.onnx");
    assert!(matches!(&error, LoadError::Model { .. }), "{error}");
}

#[test]
fn a_model_that_computes_other_vectors_is_refused() {
    // Zeroed weights load in silence; here the manifest's hash vouches for them. These are word vectors, which the file has first.
    let mut model = fs::read(files::folder().join("model.onnx")).expect("the model");
    model[1_000_000..40_000_000].fill(0);
    let folder = linked();
    replace(&folder, "model.onnx", &model);
    let digits = sha256(&model);
    edit_manifest(&folder, |manifest| manifest["models"][0]["sha256"] = digits.into());
    let error = fault(&folder, "model.onnx");
    assert!(
        matches!(&error, LoadError::Golden { path, found, .. } if path.ends_with("model.onnx") && *found < 0.999),
        "{error}"
    );
}
