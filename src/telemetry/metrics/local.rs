//! What the local model counts.

use std::sync::Arc;
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{Histogram, IntCounter};

use crate::domain::Reason;
use crate::telemetry::family::{Counters, Single};
use crate::telemetry::names;

/// What the local model is at the moment of a scrape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalGauges {
    /// Whether it answers.
    pub ready: bool,
    /// Requests that wait for it.
    pub queued: u32,
    /// Requests that it computes.
    pub in_flight: u32,
    /// The length of its vectors; zero where there is no model.
    pub dimension: u32,
}

/// How an attempt to load the local model ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadResult {
    /// It answers.
    Succeeded,
    /// The local tier stays off.
    Failed,
}

impl LoadResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// The local model's counters and histograms; a handle that any thread may keep.
#[derive(Clone, Debug)]
pub struct LocalMetrics {
    batch_size: Single<Histogram>,
    batch_tokens: Single<Histogram>,
    queue_wait: Single<Histogram>,
    inference: Single<Histogram>,
    requests: Single<IntCounter>,
    errors: Arc<Counters<1>>,
    tokenized: Arc<Counters<1>>,
    loads: Arc<Counters<1>>,
}

impl LocalMetrics {
    pub(super) fn new() -> Self {
        Self {
            batch_size: Single::new(&names::LOCAL_BATCH_SIZE, names::BATCH_EDGES),
            batch_tokens: Single::new(&names::LOCAL_BATCH_TOKENS, names::TOKEN_EDGES),
            queue_wait: Single::new(&names::LOCAL_QUEUE_WAIT, names::WAIT_EDGES),
            inference: Single::new(&names::LOCAL_INFERENCE, names::DURATION_EDGES),
            requests: Single::new(&names::LOCAL_REQUESTS, ()),
            errors: Arc::new(Counters::new(&names::LOCAL_ERRORS, ())),
            tokenized: Arc::new(Counters::new(&names::LOCAL_TOKENIZED, ())),
            loads: Arc::new(Counters::new(&names::LOCAL_LOADS, ())),
        }
    }

    /// Notes that the model was loaded, or that it could not be.
    pub fn loaded(&self, result: LoadResult) {
        // Both are there from the first load on, so that a rate sees the first failure.
        for each in [LoadResult::Succeeded, LoadResult::Failed] {
            self.loads.with([each.as_str()]).inc_by(u64::from(each == result));
        }
    }

    /// Notes one inference over `texts` texts and `tokens` tokens (with padding) that took `took`.
    pub fn inferred(&self, texts: usize, tokens: usize, took: Duration) {
        self.batch_size.series.observe(count(texts));
        self.batch_tokens.series.observe(count(tokens));
        self.inference.series.observe(took.as_secs_f64());
    }

    /// Notes a request of `texts` texts, of which the tokens of `remembered` were known.
    pub fn recalled(&self, texts: usize, remembered: usize) {
        for (result, count) in [("hit", remembered), ("miss", texts.saturating_sub(remembered))] {
            self.tokenized.with([result]).inc_by(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    /// Notes that a request waited for `wait` until its inference began.
    pub fn waited(&self, wait: Duration) {
        self.queue_wait.series.observe(wait.as_secs_f64());
    }

    /// Notes a request that was answered, or that was not and why.
    pub fn finished(&self, outcome: Result<(), Reason>) {
        self.requests.series.inc();
        if let Err(reason) = outcome {
            self.errors.with([reason.code()]).inc();
        }
    }

    pub(super) fn collect(&self) -> [MetricFamily; 8] {
        [
            self.batch_size.collect(),
            self.batch_tokens.collect(),
            self.queue_wait.collect(),
            self.inference.collect(),
            self.requests.collect(),
            self.errors.collect(),
            self.tokenized.collect(),
            self.loads.collect(),
        ]
    }
}

/// A batch is bounded far below 2^32, where a float is exact.
fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
