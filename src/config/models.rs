//! The local models: what `Settings.localModel` says of them, in range and complete.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::finding::{Findings, OWN_SCHEMA, remark};
use super::path::Path;
use super::written::{Settings, Sourced, WrittenEncoding, WrittenModel};

/// The tokens that a text may be given at most. Fewer leave no room for the special tokens around a text, and no model takes
/// more.
pub const MAX_TOKENS: RangeInclusive<i64> = 8..=1 << 20;

const FILE: &str = "model.onnx";

/// How a text's vector is made of its tokens' vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The first one's, which is the `[CLS]` of BERT.
    Cls,
    /// The last one's, as decoders are read.
    LastToken,
    /// The model makes it itself.
    Model,
}

impl Pooling {
    /// As the documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::LastToken => "lastToken",
            Self::Model => "model",
        }
    }
}

/// What a model beside the main one is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ModelKind {
    /// Vectors of texts.
    Encoder,
    /// Scores of pairs of texts.
    CrossEncoder,
    /// Tensors in, tensors out.
    Tensors,
}

/// What computes a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum ExecutionProvider {
    /// NVIDIA GPUs.
    #[serde(rename = "CUDA")]
    Cuda,
    /// NVIDIA GPUs through `TensorRT`.
    #[serde(rename = "TensorRT")]
    TensorRt,
    /// AMD GPUs.
    #[serde(rename = "MIGraphX")]
    MiGraphX,
    /// Intel's processors and GPUs.
    #[serde(rename = "OpenVINO")]
    OpenVino,
    /// Optimised operators for CPUs.
    #[serde(rename = "XNNPACK")]
    Xnnpack,
    /// ONNX Runtime's own operators for CPUs.
    #[serde(rename = "CPU")]
    Cpu,
}

/// How a model makes vectors of texts; what is `None` is as the model's own files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The model's name, as answers give it.
    pub name: Option<String>,
    /// How a text's vector is made of its tokens' vectors.
    pub pooling: Option<Pooling>,
    /// Whether vectors are scaled to length 1.
    pub normalize: Option<bool>,
    /// Longer texts are cut to this many tokens.
    pub max_tokens: Option<NonZeroU32>,
    /// What is put before a text, by the name that a request asks for.
    pub prompts: BTreeMap<String, String>,
    /// The prompt of a request that names none.
    pub default_prompt: Option<String>,
    /// The lengths that vectors may be cut to, for a model that was trained so.
    pub matryoshka_dimensions: Vec<u32>,
}

/// A model beside the main one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedModel {
    /// The name that requests ask for it by.
    pub name: String,
    /// The folder of its files.
    pub folder: PathBuf,
    /// The ONNX file's name in the folder.
    pub file: String,
    /// What it is for; `None` is found out from its files.
    pub kind: Option<ModelKind>,
    /// How it makes vectors of texts.
    pub encoding: Encoding,
}

/// The models beside the one in `folder`.
pub(super) fn beside(written: &[WrittenModel], folder: &std::path::Path) -> Vec<NamedModel> {
    written.iter().map(|model| named(model, folder)).collect()
}

fn named(written: &WrittenModel, beside: &std::path::Path) -> NamedModel {
    let name = written.encoding.name.clone().unwrap_or_default();
    NamedModel {
        folder: written.folder.as_ref().map_or_else(|| beside.join(&name), PathBuf::from),
        name,
        file: written.file.clone().unwrap_or_else(|| FILE.to_owned()),
        kind: written.kind,
        encoding: encoding(&written.encoding),
    }
}

/// What is said of how vectors are made.
pub(super) fn encoding(written: &WrittenEncoding) -> Encoding {
    Encoding {
        name: written.name.clone(),
        pooling: written.pooling,
        normalize: written.normalize,
        max_tokens: written.max_tokens.and_then(NonZeroU32::new),
        prompts: written.prompts.clone(),
        default_prompt: written.default_prompt.clone(),
        matryoshka_dimensions: written.matryoshka_dimensions.clone(),
    }
}

/// Reports models that share a name, names that no path of KServe's can hold, and default prompts that are none.
pub(super) fn check(source: &Sourced<Settings>, findings: &mut Findings) {
    let Some(model) = &source.spec.local_model else { return };
    let path = || Path::spec().key("localModel");
    let mut wrong = |path: Path, message: String, cure: &str| {
        findings.error(OWN_SCHEMA, source.document.place(&path), remark(message, cure));
    };
    let mut names: BTreeSet<&str> = model.encoding.name.as_deref().into_iter().collect();
    let own = std::iter::once((path(), &model.encoding));
    let others = model.models.iter().enumerate().map(|(at, model)| (path().key("models").index(at), &model.encoding));
    for (nth, (path, encoding)) in own.chain(others).enumerate() {
        if let Some(name) = encoding.default_prompt.as_ref().filter(|name| !encoding.prompts.contains_key(*name)) {
            let cure = "Name one of `prompts`, or leave it out.";
            wrong(path.key("defaultPrompt"), format!("There is no prompt `{name}`."), cure);
        }
        let Some(name) = encoding.name.as_deref() else { continue };
        if name.is_empty() || name.contains('/') {
            wrong(path.key("name"), format!("`{name}` is no name of a model."), "Write one without slashes.");
        } else if nth > 0 && !names.insert(name) {
            let cure = "Give each model a name of its own.";
            wrong(path.key("name"), format!("Two models are named `{name}`."), cure);
        }
    }
}
