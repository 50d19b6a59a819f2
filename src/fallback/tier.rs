//! The local tier as the rest of the program sees it: started once, asked from any runtime, stopped by being dropped.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::batch::Most;
use super::engine::Engine;
use super::error::{EmbedError, LoadError};
use super::job::{Embeddings, Job};
use super::load::{self, Loaded};
use super::manifest::Identity;
use super::queue::{Load, Queue, Terms};
use super::worker::{self, Observation};
use crate::config::LocalModel;

/// How nice the inference threads are to the others: at this value a traffic thread on the same core gets some ten times their
/// share (the kernel's weights are 1024 to 110).
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// The local model on its threads. Dropping it answers what waits with [`EmbedError::Stopped`], and blocks until the batches
/// being computed are done (tens of milliseconds).
pub struct LocalTier {
    queue: Arc<Queue>,
    identity: Identity,
    observe: Arc<Observe>,
    threads: Vec<JoinHandle<()>>,
}

type Observe = dyn Fn(&Observation) + Send + Sync;

/// What the local tier holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Texts that wait.
    pub waiting: usize,
}

impl LocalTier {
    /// Loads the model, checks it and starts its threads, named `local-model-0` and up. Blocks for a second or two; `observe` is
    /// called with each batch, on the thread that computed it, and with each request.
    ///
    /// # Errors
    /// [`LoadError`], which says which file is at fault and what to do. The process is none the worse for it.
    pub fn start(
        settings: &LocalModel,
        observe: impl Fn(&Observation) + Send + Sync + 'static,
    ) -> Result<Self, LoadError> {
        let Loaded { engines, identity, longest, pace } = load::load(settings)?;
        let queue = Queue::new(terms(settings, longest), pace);
        Self::with_engines(engines, identity, queue, observe)
    }

    fn with_engines<E: Engine>(
        engines: Vec<E>,
        identity: Identity,
        queue: Queue,
        observe: impl Fn(&Observation) + Send + Sync + 'static,
    ) -> Result<Self, LoadError> {
        let observe: Arc<Observe> = Arc::new(observe);
        // Made first, so that an error on the way stops the threads already started.
        let mut tier = Self { queue: Arc::new(queue), identity, observe: Arc::clone(&observe), threads: Vec::new() };
        for (number, mut engine) in engines.into_iter().enumerate() {
            let (queue, observe) = (Arc::clone(&tier.queue), Arc::clone(&observe));
            let thread = thread::Builder::new().name(format!("local-model-{number}")).spawn(move || {
                lower_priority();
                worker::run(&mut engine, &queue, &*observe);
            });
            tier.threads.push(thread.map_err(LoadError::Thread)?);
        }
        Ok(tier)
    }

    /// Asks for one vector a text. The request takes its place in the queue, or is refused, as this is called; dropping the
    /// future gives it up. A deadline that passes is noticed when a thread comes to the request, so that a caller who must
    /// answer on time keeps a timer of its own.
    ///
    /// # Errors
    /// The future gives [`EmbedError`].
    pub fn embed(
        &self,
        texts: Vec<String>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Embeddings, EmbedError>> + Send + use<> {
        let count = texts.len();
        let (job, outcome) = Job::new(count, Instant::now(), deadline);
        let pushed = if texts.is_empty() {
            Err(EmbedError::Failed("there is no text".to_owned()))
        } else {
            self.queue.push(&Arc::new(job), texts)
        };
        if let Ok(remembered) = pushed {
            (self.observe)(&Observation::Recalled { texts: count, remembered });
        }
        async move {
            pushed?;
            // The sender is gone without a word only where its thread is.
            outcome.await.unwrap_or(Err(EmbedError::Stopped))
        }
    }

    /// What its vectors come from.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What waits now.
    pub fn stats(&self) -> Stats {
        Stats { waiting: self.queue.waiting() }
    }
}

impl Drop for LocalTier {
    fn drop(&mut self) {
        self.queue.stop();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to give back.
            let _panicked = thread.join();
        }
    }
}

fn terms(settings: &LocalModel, longest: usize) -> Terms {
    let batching = &settings.batching;
    Terms {
        most: Load {
            texts: count(settings.queue.get()),
            tokens: count(batching.queue_tokens.get()),
            bytes: count(batching.queue_bytes.get()),
        },
        batch: Most { texts: count(settings.max_batch.get()), tokens: count(batching.max_batch_tokens.get()) },
        window: batching.window,
        longest,
        remembered: count(batching.tokenizer_cache),
        threads: count(settings.threads.get()),
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Forwarding comes first where cores are short. On Linux the nice value belongs to the calling thread (setpriority(2), under BUGS).
fn lower_priority() {
    // Refused by some sandboxes, and of no consequence but the lost preference.
    #[cfg(target_os = "linux")]
    let _refused = rustix::process::setpriority_process(None, NICE);
}

#[cfg(test)]
mod tests;
