//! What is known of a model that is served: what requests need of it, and what its metadata tells.

use std::collections::BTreeMap;

use super::manifest::Identity;
use super::tensor::{Datatype, TensorSpec};
use super::weights;
use crate::config::{LocalModel, ModelKind};

/// One model.
#[derive(Clone, Debug)]
pub struct Card {
    /// Its name, revision and vectors; of a model for tensors, name, file and revision alone are meant.
    pub identity: Identity,
    /// What it is for.
    pub kind: ModelKind,
    /// Longer texts are cut to this many tokens.
    pub max_tokens: usize,
    /// What is put before a text, by the name that a request asks for.
    pub prompts: BTreeMap<String, String>,
    /// The prompt of a request that names none.
    pub default_prompt: Option<String>,
    /// The lengths that vectors may be cut to beside their own.
    pub matryoshka_dimensions: Vec<u32>,
    /// The type of the numbers that its weights are made of, in Python's words.
    pub dtype: &'static str,
    /// How much it takes at once.
    pub capacity: Capacity,
    /// What it computes on.
    pub provider: Provider,
    /// What the Open Inference Protocol is told that it takes.
    pub inputs: Vec<TensorSpec>,
    /// What the Open Inference Protocol is told that it gives.
    pub outputs: Vec<TensorSpec>,
}

/// How much a model takes at once, by the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// The most texts computed in one run.
    pub max_batch: u32,
    /// The most tokens computed in one run, padding included.
    pub max_batch_tokens: u32,
    /// The most texts that wait.
    pub queue: u32,
    /// The threads that tokenise and compute.
    pub threads: u32,
}

impl Capacity {
    /// What the settings say.
    pub fn of(settings: &LocalModel) -> Self {
        Self {
            max_batch: settings.max_batch.get(),
            max_batch_tokens: settings.batching.max_batch_tokens.get(),
            queue: settings.queue.get(),
            threads: settings.threads.get(),
        }
    }
}

/// What a model computes on, and what else was asked for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Provider {
    /// The execution provider in use.
    pub in_use: &'static str,
    /// Why each one that was preferred is not in use.
    pub refused: Vec<String>,
}

impl Default for Provider {
    fn default() -> Self {
        Self { in_use: "CPU", refused: Vec::new() }
    }
}

impl Card {
    /// The card of a model for texts, without prompts, on the CPU.
    pub fn of_texts(identity: Identity, kind: ModelKind, max_tokens: usize) -> Self {
        let width = i64::try_from(identity.dimension).unwrap_or(-1);
        let spec = |name: &str, datatype, shape| TensorSpec { name: name.to_owned(), datatype, shape };
        let (inputs, outputs) = match kind {
            ModelKind::CrossEncoder => (
                vec![spec("query", Datatype::Bytes, vec![1]), spec("text", Datatype::Bytes, vec![-1])],
                vec![spec("score", Datatype::Fp32, vec![-1])],
            ),
            ModelKind::Encoder | ModelKind::Tensors => (
                vec![spec("text", Datatype::Bytes, vec![-1])],
                vec![spec("embedding", Datatype::Fp32, vec![-1, width])],
            ),
        };
        Self {
            identity,
            kind,
            max_tokens,
            prompts: BTreeMap::new(),
            default_prompt: None,
            matryoshka_dimensions: Vec::new(),
            dtype: weights::FLOAT,
            capacity: Capacity::default(),
            provider: Provider::default(),
            inputs,
            outputs,
        }
    }

    /// What is put before a text of a request that asks for the prompt `name`.
    ///
    /// # Errors
    /// What is wrong with the name, as text.
    pub fn prompt(&self, name: Option<&str>) -> Result<&str, String> {
        let Some(name) = name.or(self.default_prompt.as_deref()) else { return Ok("") };
        self.prompts.get(name).map(String::as_str).ok_or_else(|| {
            let known: Vec<_> = self.prompts.keys().map(|name| format!("`{name}`")).collect();
            if known.is_empty() {
                format!("there is no prompt `{name}`: the local model has none")
            } else {
                format!("there is no prompt `{name}`: name one of {}", known.join(", "))
            }
        })
    }
}
