//! The local tier as the rest of the program sees it: started once, asked from any runtime, stopped by being dropped.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::oneshot;

use super::batch::Most;
use super::card::Card;
use super::codec::Scaling;
use super::engine::{Engine, Sequence};
use super::error::{EmbedError, LoadError};
use super::job::{Embeddings, Job};
use super::load::{self, Loaded};
use super::manifest::Identity;
use super::permits::{Claim, Permits};
use super::placement::{keep_to, lower_priority, on_cores};
use super::queue::{Load, Queue, Task, Terms};
use super::worker::{self, Observation};
use crate::config::LocalModel;

/// The local model on its threads. Dropping it answers what waits with [`EmbedError::Stopped`], and blocks until the batches
/// being computed are done (tens of milliseconds).
pub struct LocalTier {
    queue: Arc<Queue>,
    claim: Arc<Claim>,
    card: Card,
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
    /// called on the threads, with each batch and with each look-up of tokens.
    ///
    /// # Errors
    /// [`LoadError`], which says which file is at fault and what to do. The process is none the worse for it.
    pub fn start(
        settings: &LocalModel,
        observe: impl Fn(&Observation) + Send + Sync + 'static,
    ) -> Result<Self, LoadError> {
        Self::start_beside(settings, &Permits::new(settings.threads.get()), observe)
    }

    /// As [`LocalTier::start`], with permits that are shared with other models.
    ///
    /// # Errors
    /// As [`LocalTier::start`].
    pub fn start_beside(
        settings: &LocalModel,
        permits: &Permits,
        observe: impl Fn(&Observation) + Send + Sync + 'static,
    ) -> Result<Self, LoadError> {
        let loaded = on_cores(&settings.cores, || load::load(settings, permits))?;
        Self::serve(loaded, settings, observe)
    }

    /// Starts the threads of a model that is loaded.
    pub(super) fn serve(
        Loaded { engines, card, pace, claim }: Loaded,
        settings: &LocalModel,
        observe: impl Fn(&Observation) + Send + Sync + 'static,
    ) -> Result<Self, LoadError> {
        let queue = Queue::new(terms(settings, card.max_tokens), pace);
        Self::with_engines((engines, &settings.cores), card, (queue, claim), observe)
    }

    fn with_engines<E: Engine>(
        (engines, cores): (Vec<E>, &[u32]),
        card: Card,
        (queue, claim): (Queue, Claim),
        observe: impl Fn(&Observation) + Send + Sync + 'static,
    ) -> Result<Self, LoadError> {
        let observe: Arc<Observe> = Arc::new(observe);
        // Made first, so that an error on the way stops the threads already started.
        let mut tier = Self { queue: Arc::new(queue), claim: Arc::new(claim), card, threads: Vec::new() };
        for (number, mut engine) in engines.into_iter().enumerate() {
            let (queue, claim) = (Arc::clone(&tier.queue), Arc::clone(&tier.claim));
            let (observe, cores) = (Arc::clone(&observe), cores.to_vec());
            let thread = thread::Builder::new().name(format!("local-model-{number}")).spawn(move || {
                lower_priority();
                keep_to(&cores);
                worker::run(&mut engine, (&queue, &claim), &*observe);
            });
            tier.threads.push(thread.map_err(LoadError::Thread)?);
        }
        Ok(tier)
    }

    /// Asks for one vector a text, of length 1 where the model's are. The request takes its place in the queue, or is refused,
    /// as this is called; dropping the future gives it up. A deadline that passes is noticed when a thread comes to the request,
    /// so that a caller who must answer on time keeps a timer of its own.
    ///
    /// # Errors
    /// The future gives [`EmbedError`].
    pub fn embed<S: Into<Sequence>>(
        &self,
        texts: Vec<S>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Embeddings, EmbedError>> + Send + use<S> {
        self.embed_scaled(texts.into_iter().map(Into::into).collect(), Scaling::Own, deadline)
    }

    /// As [`LocalTier::embed`], with vectors scaled otherwise than the model's are, or each pair's scores.
    ///
    /// # Errors
    /// The future gives [`EmbedError`].
    pub fn embed_scaled(
        &self,
        texts: Vec<Sequence>,
        scaling: Scaling,
        deadline: Instant,
    ) -> impl Future<Output = Result<Embeddings, EmbedError>> + Send + use<> {
        let (job, outcome) = Job::new(texts.len(), Instant::now(), deadline);
        let job = match scaling {
            Scaling::Unit => job.normalised(),
            Scaling::Own if self.card.identity.normalised => job.normalised(),
            Scaling::Own | Scaling::Raw => job,
        };
        let pushed = if texts.is_empty() {
            Err(EmbedError::Failed("there is no text".to_owned()))
        } else {
            self.queue.push(&Arc::new(job), texts, self.claim.others())
        };
        async move {
            pushed?;
            // The sender is gone without a word only where its thread is.
            outcome.await.unwrap_or(Err(EmbedError::Stopped))
        }
    }

    /// Has `work` done on an inference thread, before anything is computed: what takes long, and would hold up whoever shares the
    /// caller's thread. Dropping the future gives it up, unless it has begun.
    ///
    /// # Errors
    /// The future gives [`EmbedError::QueueFull`], or [`EmbedError::Stopped`] where it panicked or the tier was stopped.
    pub fn aside<T: Send + 'static, W: FnOnce() -> T + Send + 'static>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T, EmbedError>> + Send + use<T, W> {
        let (reply, done) = oneshot::channel();
        let task: Task = Box::new(move || {
            if !reply.is_closed() {
                // The caller may have gone in the meantime, and then nobody wants to know.
                let _gone = reply.send(work());
            }
        });
        let pushed = self.queue.aside(task);
        async move {
            pushed?;
            done.await.map_err(|_| EmbedError::Stopped)
        }
    }

    /// What its vectors come from.
    pub fn identity(&self) -> &Identity {
        &self.card.identity
    }

    /// What is known of the model.
    pub fn card(&self) -> &Card {
        &self.card
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

#[cfg(test)]
mod tests;
