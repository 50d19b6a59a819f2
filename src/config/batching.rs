//! How the local model gathers texts, and what may wait for it.

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Value, json};

use super::finding::{Findings, OWN_SCHEMA, remark};
use super::path::Path;
use super::settings::duration;
use super::written::{ModelFiles, Settings, Sourced};
use crate::domain::format_duration;

/// Beyond some hundred tokens a batch gains nothing, and what waits behind it waits longer.
const MAX_BATCH_TOKENS: u32 = 512;
/// About what a thread computes in two seconds.
const QUEUE_TOKENS: u32 = 8192;
const QUEUE_BYTES: u32 = 4 << 20;
const TOKENIZER_CACHE: u32 = 1000;

const LONGEST_WINDOW: Duration = Duration::from_millis(50);

/// How texts are gathered before they are computed, beside `maxBatch` and `queue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batching {
    /// How long a text that came while others were computed waits for company; zero makes nothing wait.
    pub window: Duration,
    /// The most tokens computed in one run, padding included; a lone text may have more.
    pub max_batch_tokens: NonZeroU32,
    /// The most tokens waiting.
    pub queue_tokens: NonZeroU32,
    /// The most bytes of text waiting.
    pub queue_bytes: NonZeroU32,
    /// Texts whose tokens are remembered; 0 remembers none.
    pub tokenizer_cache: u32,
}

impl Default for Batching {
    fn default() -> Self {
        batching(&ModelFiles::default())
    }
}

/// What `written` asks for.
pub(super) fn batching(written: &ModelFiles) -> Batching {
    let count = |written: Option<u32>, default| NonZeroU32::new(written.unwrap_or(default)).unwrap_or(NonZeroU32::MIN);
    Batching {
        window: duration(written.batch_window.as_deref(), Duration::ZERO),
        max_batch_tokens: count(written.max_batch_tokens, MAX_BATCH_TOKENS),
        queue_tokens: count(written.queue_tokens, QUEUE_TOKENS),
        queue_bytes: count(written.queue_bytes, QUEUE_BYTES),
        tokenizer_cache: written.tokenizer_cache.unwrap_or(TOKENIZER_CACHE),
    }
}

/// Reports a window that is longer than any batch gains by.
pub(super) fn check(source: &Sourced<Settings>, findings: &mut Findings) {
    let Some(written) = source.spec.local_model.as_ref() else { return };
    if batching(written).window > LONGEST_WINDOW {
        let said = remark(
            "The window is longer than 50ms, which every request would wait at worst.",
            "Write at most 50ms; 0s is best on a CPU.",
        );
        let path = Path::spec().key("localModel").key("batchWindow");
        findings.error(OWN_SCHEMA, source.document.place(&path), said);
    }
}

/// What is dumped of it.
pub(super) fn dump(batching: &Batching) -> Value {
    json!({
        "batchWindow": format_duration(batching.window),
        "maxBatchTokens": batching.max_batch_tokens,
        "queueTokens": batching.queue_tokens,
        "queueBytes": batching.queue_bytes,
        "tokenizerCache": batching.tokenizer_cache,
    })
}
