//! The local model's settings, as JSON.

use serde_json::{Value, json};

use crate::config::batching;
use crate::config::checked::{LocalModel, ModelReadiness};
use crate::config::models::Encoding;

/// Everything that is set of it.
pub(super) fn dump(model: &LocalModel) -> Value {
    json!({
        "folder": model.folder.to_string_lossy(),
        "file": model.file,
        "batching": batching::dump(&model.batching),
        "rollout": {
            "stable": model.rollout.stable,
            "canary": model.rollout.canary.as_ref().map(|canary| json!({
                "version": canary.version,
                "trafficPercentage": canary.percentage,
            })),
        },
        "readiness": match model.readiness {
            ModelReadiness::Wait => "Wait",
            ModelReadiness::Ignore => "Ignore",
        },
        "library": model.library.as_ref().map(|library| library.to_string_lossy()),
        "cores": model.cores,
        "threads": model.threads,
        "maxBatch": model.max_batch,
        "queue": model.queue,
        "encoding": encoding(&model.encoding),
        "executionProviders": model.execution_providers,
        "models": model.models.iter().map(|model| json!({
            "name": model.name,
            "folder": model.folder.to_string_lossy(),
            "file": model.file,
            "kind": model.kind,
            "encoding": encoding(&model.encoding),
        })).collect::<Vec<_>>(),
    })
}

fn encoding(encoding: &Encoding) -> Value {
    json!({
        "name": encoding.name,
        "pooling": encoding.pooling,
        "normalize": encoding.normalize,
        "maxTokens": encoding.max_tokens,
        "prompts": encoding.prompts,
        "defaultPrompt": encoding.default_prompt,
        "matryoshkaDimensions": encoding.matryoshka_dimensions,
    })
}
