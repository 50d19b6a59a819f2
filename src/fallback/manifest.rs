//! manifest.json: what the files of the model's folder are, and how to tell that they are right.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::error::LoadError;
use super::hash::sha256;
use super::hints::{self, Hints};
use crate::config::{MAX_TOKENS, Pooling};
use crate::domain::EmbeddingSpace;

/// The manifest's name in the model's folder.
pub(super) const FILE: &str = "manifest.json";

/// The tokenizer's name in a folder without a manifest.
pub(super) const TOKENIZER: &str = "tokenizer.json";

/// The manifest as written.
#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    /// The ONNX Runtime library in the folder; without it any `libonnxruntime.so*` there is taken as it is.
    pub(super) library: Option<Listed>,
    /// The tokenizer.
    pub(super) tokenizer: Listed,
    /// The ONNX files: variants of one model, which share the tokenizer and the golden input.
    pub(super) models: Vec<Model>,
    /// A text and its vector, to tell a model that computes wrongly; without one only a run that fails is noticed.
    pub(super) golden: Option<Golden>,
}

/// A file and its content's hash.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    /// The file's name in the folder.
    pub(super) file: String,
    /// The SHA-256 of its content, in hexadecimal digits.
    pub(super) sha256: String,
}

/// One ONNX file.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Model {
    /// The file's name in the folder.
    pub(super) file: String,
    /// The SHA-256 of its content, in hexadecimal digits.
    pub(super) sha256: String,
    /// The model's name.
    pub(super) name: String,
    /// The length of its vectors; `None` is what a run gives.
    pub(super) dimension: Option<usize>,
    /// How a text's vector is made of its tokens' vectors; `None` is found out from its outputs.
    pub(super) pooling: Option<Pooling>,
    /// Whether vectors are scaled to length 1.
    pub(super) normalised: bool,
    /// Longer texts are cut to this many tokens.
    pub(super) max_tokens: usize,
    /// The least cosine to the golden vector.
    pub(super) least_agreement: f32,
}

/// A text with the vector that the reference implementation gives it.
#[derive(Debug, Deserialize)]
pub(super) struct Golden {
    /// The text.
    pub(super) text: String,
    /// Its vector.
    pub(super) embedding: Vec<f32>,
}

/// What vectors come from: those of two identities do not mix in one index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The model's name, as answers give it.
    pub name: String,
    /// The SHA-256 of the ONNX file, in hexadecimal digits.
    pub revision: String,
    /// The length of the vectors.
    pub dimension: usize,
    /// How a text's vector is made of its tokens' vectors.
    pub pooling: Pooling,
    /// Whether vectors are scaled to length 1.
    pub normalised: bool,
    /// The ONNX file's name in the model's folder.
    pub file: String,
}

impl Identity {
    /// The space that its vectors are of.
    pub fn space(&self) -> EmbeddingSpace<'_> {
        EmbeddingSpace {
            name: &self.name,
            revision: Some(&self.revision),
            dimension: Some(self.dimension),
            pooling: Some(self.pooling.as_str()),
            normalized: Some(self.normalised),
        }
    }
}

impl Manifest {
    /// Reads the manifest of `folder`, or makes one up for `file` and what lies beside it where there is none.
    pub(super) fn read(folder: &Path, file: &str) -> Result<Self, LoadError> {
        let path = folder.join(FILE);
        if !path.exists() && folder.join(file).is_file() {
            return assumed(folder, file);
        }
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(_) if !folder.is_dir() => return Err(LoadError::Folder(folder.to_owned())),
            Err(why) => return Err(LoadError::File { path, why }),
        };
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|why| LoadError::Manifest { path: path.clone(), why: why.to_string() })?;
        let is_taken = |tokens: usize| i64::try_from(tokens).is_ok_and(|tokens| MAX_TOKENS.contains(&tokens));
        if manifest.models.iter().any(|model| model.dimension == Some(0) || !is_taken(model.max_tokens)) {
            let (least, most) = (MAX_TOKENS.start(), MAX_TOKENS.end());
            let why = format!("every `dimension` is at least 1, and every `max_tokens` from {least} to {most}");
            return Err(LoadError::Manifest { path, why });
        }
        Ok(manifest)
    }

    /// The entry of the ONNX file `file`.
    pub(super) fn model(&self, folder: &Path, file: &str) -> Result<&Model, LoadError> {
        self.models.iter().find(|model| model.file == file).ok_or_else(|| LoadError::NotListed {
            manifest: folder.join(FILE),
            file: file.to_owned(),
            listed: self.models.iter().map(|model| format!("`{}`", model.file)).collect::<Vec<_>>().join(", "),
        })
    }
}

/// A manifest for an ONNX file that came without one: a tokenizer beside it or in the folder, and what the files of
/// sentence-transformers there say. Nothing vouches for the files; their hashes are what is found.
fn assumed(folder: &Path, file: &str) -> Result<Manifest, LoadError> {
    let listed = |file: &str| -> Result<Listed, LoadError> {
        Ok(Listed { file: file.to_owned(), sha256: sha256(&folder.join(file))? })
    };
    let hints = Hints::read(folder);
    let nonsense = |found: Number| LoadError::MaxTokens { path: folder.join(hints::LENGTH), found: found.to_string() };
    let model = Model {
        file: file.to_owned(),
        sha256: listed(file)?.sha256,
        name: folder_name(folder).unwrap_or_else(|| file.to_owned()),
        dimension: None,
        pooling: hints.pooling,
        normalised: hints.normalised,
        max_tokens: hints.max_tokens.map_err(nonsense)?,
        least_agreement: 0.0,
    };
    Ok(Manifest { library: None, tokenizer: listed(TOKENIZER)?, models: vec![model], golden: None })
}

/// The name that a model has for want of another: its folder's.
pub(super) fn folder_name(folder: &Path) -> Option<String> {
    Some(folder.canonicalize().ok()?.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_no_model_takes_is_refused_with_the_file_and_the_range() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("model.onnx", "a model");
        write(TOKENIZER, "{}");
        write(hints::LENGTH, r#"{"max_seq_length": 256}"#);
        assert_eq!(Manifest::read(folder.path(), "model.onnx").unwrap().models[0].max_tokens, 256);
        write(hints::LENGTH, r#"{"max_seq_length": 10000000000}"#);
        let why = Manifest::read(folder.path(), "model.onnx").unwrap_err().to_string();
        assert!(why.contains("sentence_bert_config.json says") && why.contains("10000000000 tokens"), "{why}");
        assert!(why.contains("8 to 1048576"), "{why}");
        for (tokens, is_taken) in [("7", false), ("8", true), ("1048576", true), ("1048577", false)] {
            let model = format!(
                r#"{{"file": "model.onnx", "sha256": "", "name": "m", "normalised": true, "max_tokens": {tokens},
                   "least_agreement": 0.9}}"#
            );
            write(FILE, &format!(r#"{{"tokenizer": {{"file": "t", "sha256": ""}}, "models": [{model}]}}"#));
            let read = Manifest::read(folder.path(), "model.onnx").map_err(|why| why.to_string());
            assert_eq!(read.is_ok(), is_taken, "{tokens}: {read:?}");
            assert!(read.err().is_none_or(|why| why.contains("from 8 to 1048576")), "{tokens}");
        }
    }
}
