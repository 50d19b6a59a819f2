//! From a folder to engines that are known to compute rightly.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::environment::Environment;
use ort::session::Session;
use tokenizers::Tokenizer;

use super::batch::Most;
use super::card::{Capacity, Card, Provider};
use super::encoder::Encoder;
use super::engine::{Engine as _, EngineError, Tokens};
use super::error::{EmbedError, LoadError};
use super::forecast::Pace;
use super::hash;
use super::hints::Hints;
use super::library;
use super::manifest::{Golden, Identity, Manifest, Model, TOKENIZER};
use super::permits::{Claim, Permits};
use super::provider;
use super::signature::{Signature, kind_of};
use super::tensor;
use super::warm_up;
use super::weights;
use crate::config::{Encoding, LocalModel, ModelKind, NamedModel, Pooling};

/// A text to try a model with that has no golden input.
const TRIAL: &str = "a text";

/// Which files, and what for.
struct Source<'s> {
    folder: &'s Path,
    file: &'s str,
    encoding: &'s Encoding,
    kind: Option<ModelKind>,
}

/// Engines that compute rightly.
pub(super) struct Loaded {
    /// One for each thread.
    pub(super) engines: Vec<Encoder>,
    pub(super) card: Card,
    /// How fast one of them was.
    pub(super) pace: Pace,
    /// What they compute with.
    pub(super) claim: Claim,
}

/// What was loaded beside the main model.
pub(super) enum LoadedBeside {
    Texts(Loaded),
    /// With a session for each thread.
    Tensors(Vec<Session>, Card),
}

/// Loads the main model: one engine for each thread that `settings` ask for. Checks the first with the golden input, and has
/// each compute what it is going to be asked, so that no request pays for the memory that its shape needs.
pub(super) fn load(settings: &LocalModel, permits: &Permits) -> Result<Loaded, LoadError> {
    let source = Source {
        folder: &settings.folder,
        file: &settings.file,
        encoding: &settings.encoding,
        kind: Some(ModelKind::Encoder),
    };
    texts(settings, &source, permits)
}

/// Loads a model beside the main one.
pub(super) fn load_beside(
    settings: &LocalModel,
    named: &NamedModel,
    permits: &Permits,
) -> Result<LoadedBeside, LoadError> {
    let source = Source { folder: &named.folder, file: &named.file, encoding: &named.encoding, kind: named.kind };
    if !source.folder.is_dir() {
        return Err(LoadError::Folder(source.folder.to_owned()));
    }
    let has_tokenizer = source.folder.join(TOKENIZER).is_file();
    if source.kind == Some(ModelKind::Tensors) || source.kind.is_none() && !has_tokenizer {
        return tensors(settings, &source);
    }
    texts(settings, &source, permits).map(LoadedBeside::Texts)
}

fn texts(settings: &LocalModel, source: &Source<'_>, permits: &Permits) -> Result<Loaded, LoadError> {
    let manifest = Manifest::read(source.folder, source.file)?;
    let model = manifest.model(source.folder, source.file)?;
    let tokenizer = Arc::new(load_tokenizer(&manifest, source.folder)?);
    let path = source.folder.join(&model.file);
    hash::check(&path, &model.sha256)?;
    let environment = load_library(settings, Some((&manifest, source.folder)))?;
    let (session, provider) = open(settings, &environment, &path)?;
    let wrong = |why: String| LoadError::Model { path: path.clone(), why };
    let (inputs, outputs) = tensor::specs(&session).map_err(wrong)?;
    let kind = source.kind.unwrap_or_else(|| kind_of(&outputs));
    let pooling = source.encoding.pooling.or(model.pooling);
    let signature = Arc::new(Signature::discover((&inputs, &outputs), kind, pooling).map_err(wrong)?);
    let max_tokens = source.encoding.max_tokens.and_then(|most| usize::try_from(most.get()).ok());
    let max_tokens = max_tokens.unwrap_or(model.max_tokens).min(signature.tokens.unwrap_or(usize::MAX));
    let engine = |session| Encoder::new(session, Arc::clone(&tokenizer), Arc::clone(&signature), max_tokens);
    let mut engines = vec![engine(session)];
    let dimension = try_out(&mut engines[0], &manifest, model, &path)?;
    for _ in 1..settings.threads.get() {
        engines.push(engine(open(settings, &environment, &path)?.0));
    }
    let identity = Identity {
        name: source.encoding.name.clone().unwrap_or_else(|| model.name.clone()),
        revision: model.sha256.clone(),
        dimension,
        pooling: signature.pooling,
        normalised: kind == ModelKind::Encoder && source.encoding.normalize.unwrap_or(model.normalised),
        file: model.file.clone(),
    };
    let (dtype, capacity) = (weights::dtype(&path), Capacity::of(settings));
    let card = Card { dtype, capacity, provider, ..Card::of_texts(identity, kind, max_tokens) };
    let batch = Most {
        texts: usize::try_from(settings.max_batch.get()).unwrap_or(usize::MAX),
        tokens: usize::try_from(settings.batching.max_batch_tokens.get()).unwrap_or(usize::MAX),
    };
    let sample = manifest.golden.as_ref().map_or(TRIAL, |golden| &golden.text);
    let claim = permits.claim();
    let pace = warm_up::all(&mut engines, sample, (max_tokens, batch), &claim).map_err(|why| wrong(why.0))?;
    Ok(Loaded { engines, card: with_prompts(card, source), pace, claim })
}

/// The documents' prompts; where they have none, those of the model's own files.
fn with_prompts(mut card: Card, Source { folder, encoding, .. }: &Source<'_>) -> Card {
    card.matryoshka_dimensions.clone_from(&encoding.matryoshka_dimensions);
    if encoding.prompts.is_empty() {
        let hints = Hints::read(folder);
        (card.prompts, card.default_prompt) = (hints.prompts, hints.default_prompt);
    } else {
        (card.prompts, card.default_prompt) = (encoding.prompts.clone(), encoding.default_prompt.clone());
    }
    card
}

fn tensors(settings: &LocalModel, source: &Source<'_>) -> Result<LoadedBeside, LoadError> {
    let path = source.folder.join(source.file);
    let revision = hash::sha256(&path)?;
    let environment = load_library(settings, None)?;
    let (session, provider) = open(settings, &environment, &path)?;
    let wrong = |why: String| LoadError::Model { path: path.clone(), why };
    let (inputs, outputs) = tensor::specs(&session).map_err(wrong)?;
    let identity = Identity {
        name: source.encoding.name.clone().unwrap_or_default(),
        revision,
        dimension: 0,
        pooling: Pooling::Model,
        normalised: false,
        file: source.file.to_owned(),
    };
    let (dtype, capacity) = (weights::dtype(&path), Capacity::of(settings));
    let card = Card { dtype, capacity, provider, inputs, outputs, ..Card::of_texts(identity, ModelKind::Tensors, 0) };
    let mut sessions = vec![session];
    for _ in 1..settings.threads.get() {
        sessions.push(open(settings, &environment, &path)?.0);
    }
    Ok(LoadedBeside::Tensors(sessions, card))
}

fn open(settings: &LocalModel, environment: &Environment, path: &Path) -> Result<(Session, Provider), LoadError> {
    provider::open(environment, path, &settings.execution_providers)
        .map_err(|EngineError(why)| LoadError::Model { path: path.to_owned(), why })
}

/// The library that the settings name, else the one beside the model, else the one in the main model's folder.
fn load_library(settings: &LocalModel, beside: Option<(&Manifest, &Path)>) -> Result<Environment, LoadError> {
    if let Some(path) = &settings.library {
        return library::load(path);
    }
    if let Some((Manifest { library: Some(listed), .. }, folder)) = beside {
        let path = folder.join(&listed.file);
        if !path.exists() {
            return Err(LoadError::NoLibrary(folder.to_owned()));
        }
        hash::check(&path, &listed.sha256)?;
        return library::load(&path);
    }
    let is_main = beside.is_some_and(|(_, folder)| folder == settings.folder);
    match library::loaded().filter(|_| !is_main) {
        Some(loaded) => Ok(loaded),
        None => library::load(&library::find(&settings.folder)?),
    }
}

/// The tokenizer, without the padding and the truncation that its file asks for: batches are padded to their longest text,
/// and it is the model that says how long a text may be.
fn load_tokenizer(manifest: &Manifest, folder: &Path) -> Result<Tokenizer, LoadError> {
    let path: PathBuf = folder.join(&manifest.tokenizer.file);
    hash::check(&path, &manifest.tokenizer.sha256)?;
    let wrong = |why: tokenizers::Error| LoadError::Tokenizer { path: path.clone(), why: why.to_string() };
    let mut tokenizer = Tokenizer::from_file(&path).map_err(wrong)?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(wrong)?;
    Ok(tokenizer)
}

/// Computes the golden text, or one of no meaning where there is none, and gives the length of the vector. One that another
/// pooling makes than the manifest's has no golden vector.
fn try_out(engine: &mut Encoder, manifest: &Manifest, model: &Model, path: &Path) -> Result<usize, LoadError> {
    let failed = |why: EmbedError| LoadError::Model { path: path.to_owned(), why: why.to_string() };
    let golden = manifest.golden.as_ref().filter(|_| model.pooling.is_none_or(|own| own == engine.signature.pooling));
    let tokens: Tokens = engine.tokenise(&golden.map_or(TRIAL, |golden| &golden.text).into()).map_err(failed)?;
    let vectors = engine.embed(&[&tokens]).map_err(|why| failed(why.into()))?;
    let vector = vectors.into_iter().next().unwrap_or_default();
    if vector.iter().any(|number| !number.is_finite()) {
        let why = "its vector of a text holds NaN or an infinity".to_owned();
        return Err(LoadError::Model { path: path.to_owned(), why });
    }
    if let Some(expected) = model.dimension.filter(|&expected| expected != vector.len()) {
        let why = format!("its vectors have {} numbers, and the manifest says {expected}", vector.len());
        return Err(LoadError::Model { path: path.to_owned(), why });
    }
    if let Some(Golden { embedding, .. }) = golden {
        let found = cosine(&vector, embedding);
        // Of a vector of zeros there is no cosine, and so no agreement.
        if found.is_nan() || found < model.least_agreement {
            return Err(LoadError::Golden { path: path.to_owned(), found, least: model.least_agreement });
        }
    }
    Ok(vector.len())
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
