//! One inference thread: takes work from the queue until the queue is stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::engine::{Engine, EngineError, Tokens};
use super::error::EmbedError;
use super::job::Computed;
use super::queue::{Queue, Waiting, Work};

/// One run of the model, for whoever counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchObservation {
    /// How long each text of the batch had waited; one entry a text.
    pub waited: Vec<Duration>,
    /// The texts' tokens, special ones included, padding not.
    pub tokens: usize,
    /// What the texts were padded with, in tokens.
    pub padding: usize,
    /// The time of the run, whether or not it succeeded.
    pub inference: Duration,
}

/// What the local tier tells whoever counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A batch was computed.
    Batch(BatchObservation),
    /// A request came of `texts` texts, of which the tokens of `remembered` were known.
    Recalled {
        /// Its texts.
        texts: usize,
        /// Those that need not be tokenised.
        remembered: usize,
    },
}

/// Works until the queue is stopped.
pub(super) fn run<E: Engine>(engine: &mut E, queue: &Queue, observe: &dyn Fn(&Observation)) {
    while let Some(work) = queue.next() {
        match work {
            Work::Tokenise(texts) => queue.put_back(tokenise(engine, texts)),
            Work::Compute(batch) => compute(engine, batch, queue, observe),
        }
    }
}

/// Texts that cannot be tokenised fail their jobs and are left out.
fn tokenise<E: Engine>(engine: &E, texts: Vec<Waiting<String>>) -> Vec<Waiting<(String, Tokens)>> {
    let tokenised =
        texts.into_iter().filter_map(|Waiting { job, index, content }| match contained(|| engine.tokenise(&content)) {
            Ok(tokens) => Some(Waiting { job, index, content: (content, tokens) }),
            Err(EngineError(why)) => {
                job.fail(EmbedError::Failed(why));
                None
            }
        });
    tokenised.collect()
}

/// Computes a batch. The queue is told before the requests are, so that one which follows an answer finds the thread free.
fn compute<E: Engine>(engine: &mut E, batch: Vec<Waiting<Tokens>>, queue: &Queue, observe: &dyn Fn(&Observation)) {
    let started = Instant::now();
    let texts: Vec<&Tokens> = batch.iter().map(|waiting| &waiting.content).collect();
    let result = contained(|| engine.embed(&texts));
    let ended = Instant::now();
    let longest = texts.iter().map(|tokens| tokens.0.len()).max().unwrap_or(0);
    let tokens = texts.iter().map(|tokens| tokens.0.len()).sum();
    let inference = ended.saturating_duration_since(started);
    queue.computed(tokens, result.is_ok().then_some(inference));
    observe(&Observation::Batch(BatchObservation {
        waited: batch.iter().map(|waiting| started.saturating_duration_since(waiting.job.arrived)).collect(),
        tokens,
        padding: longest * texts.len() - tokens,
        inference,
    }));
    match result {
        Ok(vectors) => {
            for (waiting, vector) in batch.into_iter().zip(vectors) {
                let tokens = waiting.content.0.len();
                waiting.job.complete(waiting.index, Computed { vector, tokens, started, ended });
            }
        }
        Err(EngineError(why)) => {
            for waiting in batch {
                waiting.job.fail(EmbedError::Failed(why.clone()));
            }
        }
    }
}

/// Keeps a panic of the tokenizer or of the runtime, which read what strangers wrote, from ending the thread.
fn contained<T>(work: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(EngineError("it panicked on this text".to_owned())))
}
