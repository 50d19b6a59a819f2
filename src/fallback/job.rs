//! One request to the model: its texts come back one by one, from one thread or several, and it is answered once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::error::EmbedError;
use super::pooling::normalise;

/// The answer to one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// One vector for each text, in their order.
    pub vectors: Vec<Vec<f32>>,
    /// The tokens that were computed, special ones included, padding not.
    pub tokens: usize,
    /// From the request to the start of its first batch.
    pub queued: Duration,
    /// From the start of its first batch to the end of its last.
    pub inference: Duration,
}

/// What a request is answered with.
pub(super) type Outcome = Result<Embeddings, EmbedError>;

/// A request that waits or is being computed.
pub(super) struct Job {
    /// When it must have been answered.
    pub(super) deadline: Instant,
    /// When it came.
    pub(super) arrived: Instant,
    /// Whether vectors are scaled to length 1.
    normalised: bool,
    progress: Mutex<Progress>,
}

struct Progress {
    vectors: Vec<Vec<f32>>,
    missing: usize,
    tokens: usize,
    started: Option<Instant>,
    /// `None` once it has been answered.
    reply: Option<oneshot::Sender<Outcome>>,
}

/// One text's result.
pub(super) struct Computed {
    pub(super) vector: Vec<f32>,
    pub(super) tokens: usize,
    /// When its batch was started.
    pub(super) started: Instant,
    /// When its batch was done.
    pub(super) ended: Instant,
}

impl Job {
    /// A request of `texts` texts, at least one, that came at `arrived`.
    pub(super) fn new(texts: usize, arrived: Instant, deadline: Instant) -> (Self, oneshot::Receiver<Outcome>) {
        let (reply, outcome) = oneshot::channel();
        let progress =
            Progress { vectors: vec![Vec::new(); texts], missing: texts, tokens: 0, started: None, reply: Some(reply) };
        (Self { deadline, arrived, normalised: false, progress: Mutex::new(progress) }, outcome)
    }

    /// The same, with vectors that are scaled to length 1.
    pub(super) fn normalised(self) -> Self {
        Self { normalised: true, ..self }
    }

    /// Whether computing more for it is of use at `now`. A request whose deadline has passed is answered so by this.
    pub(super) fn is_wanted(&self, now: Instant) -> bool {
        if now >= self.deadline {
            self.fail(EmbedError::Expired);
        }
        self.progress().reply.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    /// Takes the result of its text at `index`; the last one that was missing answers the request.
    ///
    /// A vector with a NaN or an infinity fails the request, and no other of its batch: JSON has no such number, and no index
    /// a use for it.
    pub(super) fn complete(&self, index: usize, mut computed: Computed) {
        if computed.vector.iter().any(|number| !number.is_finite()) {
            return self.fail(EmbedError::Failed("its vector of a text holds NaN or an infinity".to_owned()));
        }
        if self.normalised {
            normalise(&mut computed.vector);
        }
        let mut progress = self.progress();
        let Some(place) = progress.vectors.get_mut(index) else { return };
        *place = computed.vector;
        progress.tokens += computed.tokens;
        progress.missing -= 1;
        let started = progress.started.map_or(computed.started, |earlier| earlier.min(computed.started));
        progress.started = Some(started);
        if progress.missing == 0 {
            let embeddings = Embeddings {
                vectors: std::mem::take(&mut progress.vectors),
                tokens: progress.tokens,
                queued: started.saturating_duration_since(self.arrived),
                inference: computed.ended.saturating_duration_since(started),
            };
            progress.answer(Ok(embeddings));
        }
    }

    /// Answers the request with an error, unless it has been answered.
    pub(super) fn fail(&self, error: EmbedError) {
        self.progress().answer(Err(error));
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn answer(&mut self, outcome: Outcome) {
        if let Some(reply) = self.reply.take() {
            // The client may have gone, and then nobody wants to know.
            let _gone = reply.send(outcome);
        }
    }
}
