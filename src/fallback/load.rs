//! From a folder to engines that are known to compute rightly.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use sha2::{Digest as _, Sha256};
use tokenizers::{Tokenizer, TruncationParams};

use super::batch::Most;
use super::encoder::Encoder;
use super::engine::{Engine as _, EngineError};
use super::error::LoadError;
use super::forecast::Pace;
use super::library;
use super::manifest::{Golden, Identity, Manifest, Model};
use super::warm_up;
use crate::config::LocalModel;

/// Engines that compute rightly.
pub(super) struct Loaded {
    /// One for each thread.
    pub(super) engines: Vec<Encoder>,
    pub(super) identity: Identity,
    /// The longest text in tokens.
    pub(super) longest: usize,
    /// How fast one of them was.
    pub(super) pace: Pace,
}

/// Loads one engine for each thread that `settings` ask for, checks the first with the golden input, and has each compute
/// what it is going to be asked, so that no request pays for the memory that its shape needs.
pub(super) fn load(settings: &LocalModel) -> Result<Loaded, LoadError> {
    let folder = &settings.folder;
    let manifest = Manifest::read(folder)?;
    let model = manifest.model(folder, &settings.file)?;
    let tokenizer = Arc::new(load_tokenizer(&manifest, folder, model.max_tokens)?);
    let path = folder.join(&model.file);
    check_hash(&path, &model.sha256)?;
    let environment = load_library(settings, &manifest)?;
    let engine = || -> Result<Encoder, LoadError> {
        let session =
            load_session(&environment, &path).map_err(|why| LoadError::Model { path: path.clone(), why: why.0 })?;
        Ok(Encoder {
            session,
            tokenizer: Arc::clone(&tokenizer),
            dimension: model.dimension,
            pooling: model.pooling,
            normalised: model.normalised,
        })
    };
    let mut engines = (0..settings.threads.get()).map(|_| engine()).collect::<Result<Vec<_>, _>>()?;
    if let Some(first) = engines.first_mut() {
        check_golden(first, model, &manifest.golden, &path)?;
    }
    let batch = Most {
        texts: usize::try_from(settings.max_batch.get()).unwrap_or(usize::MAX),
        tokens: usize::try_from(settings.batching.max_batch_tokens.get()).unwrap_or(usize::MAX),
    };
    let warmed = warm_up::all(&mut engines, &manifest.golden.text, (model.max_tokens, batch));
    let pace = warmed.map_err(|why| LoadError::Model { path: path.clone(), why: why.0 })?;
    Ok(Loaded { engines, identity: model.identity(), longest: model.max_tokens, pace })
}

fn load_library(settings: &LocalModel, manifest: &Manifest) -> Result<Environment, LoadError> {
    if let Some(path) = &settings.library {
        return library::load(path);
    }
    let Some(listed) = &manifest.library else {
        return library::load(&library::find(&settings.folder)?);
    };
    let path = settings.folder.join(&listed.file);
    if !path.exists() {
        return Err(LoadError::NoLibrary(settings.folder.clone()));
    }
    check_hash(&path, &listed.sha256)?;
    library::load(&path)
}

/// The tokenizer, without the padding and the truncation that its file asks for: batches are padded to their longest text,
/// and it is the model that says how long a text may be.
fn load_tokenizer(manifest: &Manifest, folder: &Path, max_tokens: usize) -> Result<Tokenizer, LoadError> {
    let path = folder.join(&manifest.tokenizer.file);
    check_hash(&path, &manifest.tokenizer.sha256)?;
    let wrong = |why: tokenizers::Error| LoadError::Tokenizer { path: path.clone(), why: why.to_string() };
    let mut tokenizer = Tokenizer::from_file(&path).map_err(wrong)?;
    tokenizer.with_padding(None);
    let truncation = TruncationParams { max_length: max_tokens, ..TruncationParams::default() };
    tokenizer.with_truncation(Some(truncation)).map_err(wrong)?;
    Ok(tokenizer)
}

/// A session that computes on the calling thread alone. Spinning is off: it burns a core after each run.
fn load_session(environment: &Environment, path: &Path) -> Result<Session, EngineError> {
    let failed = |why: ort::Error<SessionBuilder>| EngineError(why.to_string());
    let builder = Session::builder(environment)?.with_intra_threads(1).map_err(failed)?;
    let builder = builder.with_inter_threads(1).map_err(failed)?;
    let mut builder = builder.with_intra_op_spinning(false).map_err(failed)?;
    Ok(builder.commit_from_file(path)?)
}

/// Compares the SHA-256 of a file: zeroed or swapped weights load in silence.
fn check_hash(path: &Path, expected: &str) -> Result<(), LoadError> {
    let unreadable = |why| LoadError::File { path: path.to_owned(), why };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    let found = format!("{:x}", Bytes::copy_from_slice(&hasher.finalize()));
    if found.eq_ignore_ascii_case(expected) {
        Ok(())
    } else {
        Err(LoadError::Hash { path: path.to_owned(), expected: expected.to_owned(), found })
    }
}

fn check_golden(engine: &mut Encoder, model: &Model, golden: &Golden, path: &Path) -> Result<(), LoadError> {
    let failed = |why: EngineError| LoadError::Model { path: path.to_owned(), why: why.0 };
    let tokens = engine.tokenise(&golden.text).map_err(failed)?;
    let vectors = engine.embed(&[&tokens]).map_err(failed)?;
    let found = vectors.first().map_or(0.0, |vector| cosine(vector, &golden.embedding));
    // Written so that a NaN fails.
    if found >= model.least_agreement {
        Ok(())
    } else {
        Err(LoadError::Golden { path: path.to_owned(), found, least: model.least_agreement })
    }
}

/// The cosine of two vectors; 0 where their lengths differ.
fn cosine(left: &[f32], right: &[f32]) -> f32 {
    if left.len() != right.len() {
        return 0.0;
    }
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_tells_directions_apart_and_never_passes_a_nan() {
        assert!((cosine(&[1.0, 0.0], &[2.0, 0.0]) - 1.0).abs() < 1e-6);
        assert!(cosine(&[1.0, 0.0], &[0.0, 1.0]).abs() < 1e-6);
        assert!(cosine(&[1.0], &[1.0, 0.0]).abs() < 1e-6);
        assert!(cosine(&[0.0], &[1.0]).is_nan());
    }
}
