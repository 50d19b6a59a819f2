//! One inference thread: takes work from the queue until the queue is stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::engine::{Engine, EngineError, Sequence, Tokens};
use super::error::EmbedError;
use super::job::Computed;
use super::permits::Claim;
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
    /// `texts` texts were to be tokenised, of which the tokens of `remembered` were known.
    Recalled {
        /// All of them.
        texts: usize,
        /// Those that need not be tokenised.
        remembered: usize,
    },
}

/// Works until the queue is stopped.
pub(super) fn run<E: Engine>(engine: &mut E, (queue, claim): (&Queue, &Claim), observe: &dyn Fn(&Observation)) {
    while let Some((work, permit)) = queue.next(claim) {
        match work {
            Work::Tokenise(texts) => {
                let texts = texts.into_iter().filter(|waiting| waiting.job.is_wanted(Instant::now()));
                let tokenised = tokenise(engine, texts, queue, observe);
                queue.put_back(tokenised);
            }
            Work::Compute(batch) => compute(engine, batch, queue, observe),
            // One that panics has nobody to tell: whoever waits for it finds that it is gone.
            Work::Aside(task) => drop(catch_unwind(AssertUnwindSafe(task))),
        }
        drop(permit);
    }
}

/// Texts that cannot be tokenised fail their jobs and are left out.
fn tokenise<E: Engine>(
    engine: &E,
    texts: impl Iterator<Item = Waiting<Sequence>>,
    queue: &Queue,
    observe: &dyn Fn(&Observation),
) -> Vec<Waiting<(Sequence, Tokens)>> {
    let (mut all, mut remembered) = (0, 0);
    let tokenised = texts.filter_map(|Waiting { job, index, content }| {
        all += 1;
        let known = queue.recall(&content);
        remembered += usize::from(known.is_some());
        match known.map_or_else(|| contained(|| engine.tokenise(&content)), Ok) {
            Ok(tokens) => Some(Waiting { job, index, content: (content, tokens) }),
            Err(error) => {
                job.fail(error);
                None
            }
        }
    });
    let tokenised = tokenised.collect();
    observe(&Observation::Recalled { texts: all, remembered });
    tokenised
}

/// Computes a batch; where it fails, its halves, so that one text that cannot be computed fails alone.
fn compute<E: Engine>(engine: &mut E, batch: Vec<Waiting<Tokens>>, queue: &Queue, observe: &dyn Fn(&Observation)) {
    let mut parts = vec![batch];
    while let Some(batch) = parts.pop() {
        let Some(mut failed) = compute_once(engine, batch, queue, observe) else { continue };
        let now = Instant::now();
        failed.retain(|waiting| {
            let is_wanted = waiting.job.is_wanted(now);
            if !is_wanted {
                queue.computed(waiting.content.0.len(), None);
            }
            is_wanted
        });
        let half = failed.split_off(failed.len() / 2);
        parts.extend([half, failed].into_iter().filter(|part| !part.is_empty()));
    }
}

/// Computes a batch, and gives it back where it fails and has more than one text. The queue is told before the requests are, so
/// that one which follows an answer finds the thread free.
fn compute_once<E: Engine>(
    engine: &mut E,
    batch: Vec<Waiting<Tokens>>,
    queue: &Queue,
    observe: &dyn Fn(&Observation),
) -> Option<Vec<Waiting<Tokens>>> {
    let started = Instant::now();
    let texts: Vec<&Tokens> = batch.iter().map(|waiting| &waiting.content).collect();
    let result = contained(|| engine.embed(&texts));
    let ended = Instant::now();
    let longest = texts.iter().map(|tokens| tokens.0.len()).max().unwrap_or(0);
    let tokens = texts.iter().map(|tokens| tokens.0.len()).sum();
    let inference = ended.saturating_duration_since(started);
    let is_over = result.is_ok() || batch.len() == 1;
    if is_over {
        queue.computed(tokens, result.is_ok().then_some(inference));
    }
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
        Err(_) if !is_over => return Some(batch),
        Err(EngineError(why)) => {
            for waiting in batch {
                waiting.job.fail(EmbedError::Failed(why.clone()));
            }
        }
    }
    None
}

/// Keeps a panic of the tokenizer or of the runtime, which read what strangers wrote, from ending the thread.
fn contained<T, E: From<EngineError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let panicked = |_| Err(EngineError("it panicked on this text".to_owned()).into());
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}
