//! The one bounded queue in front of the inference threads. Owns what waits and in which state; never computes.
//!
//! A text waits raw until a thread tokenises it, and then as tokens until it is chosen for a batch: batches are grouped by
//! length, and only the tokenizer knows it. Tokenising costs less than a hundredth of computing.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::batch;
use super::engine::Tokens;
use super::error::EmbedError;
use super::job::Job;

/// Texts that one thread tokenises before it looks at the queue again.
const TOKENISED_AT_ONCE: usize = 64;

/// A text of a job: `S` is a `String` while it is raw and [`Tokens`] afterwards.
pub(super) struct Waiting<S> {
    /// Its place in the order of arrival, over all jobs.
    pub(super) arrival: u64,
    pub(super) job: Arc<Job>,
    /// Its place among the job's texts.
    pub(super) index: usize,
    pub(super) content: S,
}

/// What a thread is to do next.
pub(super) enum Work {
    /// Tokenise these and give them back with [`Queue::put_back`].
    Tokenise(Vec<Waiting<String>>),
    /// Compute these together.
    Compute(Vec<Waiting<Tokens>>),
}

pub(super) struct Queue {
    capacity: usize,
    max_batch: usize,
    state: Mutex<State>,
    /// Told when there may be work.
    work: Condvar,
}

#[derive(Default)]
struct State {
    raw: VecDeque<Waiting<String>>,
    /// In order of arrival.
    tokenised: VecDeque<Waiting<Tokens>>,
    /// Texts that a thread is tokenising.
    in_hand: usize,
    arrivals: u64,
    is_stopped: bool,
}

impl Queue {
    /// A queue of at most `capacity` texts, given out in batches of at most `max_batch`.
    pub(super) fn new(capacity: usize, max_batch: usize) -> Self {
        Self { capacity, max_batch, state: Mutex::default(), work: Condvar::new() }
    }

    /// Adds a job with its texts, all or none. One with more texts than the queue holds is taken where nothing else waits:
    /// refused each time, it would never be answered.
    pub(super) fn push(&self, job: &Arc<Job>, texts: Vec<String>) -> Result<(), EmbedError> {
        let mut state = self.state();
        if state.is_stopped {
            return Err(EmbedError::Stopped);
        }
        if !state.has_room(texts.len(), self.capacity) {
            state.drop_unwanted(job.arrived);
            if !state.has_room(texts.len(), self.capacity) {
                return Err(EmbedError::QueueFull);
            }
        }
        for (index, content) in texts.into_iter().enumerate() {
            let arrival = state.arrivals;
            state.arrivals += 1;
            state.raw.push_back(Waiting { arrival, job: Arc::clone(job), index, content });
        }
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Waits for work; `None` once the queue is stopped.
    pub(super) fn next(&self) -> Option<Work> {
        let mut state = self.state();
        loop {
            if state.is_stopped {
                return None;
            }
            state.drop_unwanted(Instant::now());
            if let Some(work) = state.take(self.max_batch) {
                if state.has_work() {
                    self.work.notify_one();
                }
                return Some(work);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes back what [`Work::Tokenise`] gave out: `given` texts, of which `tokenised` could be tokenised.
    pub(super) fn put_back(&self, given: usize, tokenised: Vec<Waiting<Tokens>>) {
        let mut state = self.state();
        state.in_hand -= given;
        for waiting in tokenised {
            if state.is_stopped {
                waiting.job.fail(EmbedError::Stopped);
                continue;
            }
            // Another thread may have brought back younger ones first.
            let place = state.tokenised.partition_point(|other| other.arrival < waiting.arrival);
            state.tokenised.insert(place, waiting);
        }
    }

    /// Answers whatever waits with [`EmbedError::Stopped`], takes nothing more and sends the threads home.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.is_stopped = true;
        for waiting in state.raw.drain(..) {
            waiting.job.fail(EmbedError::Stopped);
        }
        for waiting in state.tokenised.drain(..) {
            waiting.job.fail(EmbedError::Stopped);
        }
        drop(state);
        self.work.notify_all();
    }

    /// Texts that wait now.
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.raw.len() + self.tokenised.len() + self.in_hand
    }

    fn has_room(&self, texts: usize, capacity: usize) -> bool {
        self.waiting() + texts <= capacity || self.waiting() == 0
    }

    fn has_work(&self) -> bool {
        !self.raw.is_empty() || !self.tokenised.is_empty()
    }

    /// Forgets the texts of requests that are answered, expired or given up by their client.
    fn drop_unwanted(&mut self, now: Instant) {
        self.raw.retain(|waiting| waiting.job.is_wanted(now));
        self.tokenised.retain(|waiting| waiting.job.is_wanted(now));
    }

    /// Raw texts first, so that the choice of a batch sees every length.
    fn take(&mut self, max_batch: usize) -> Option<Work> {
        if !self.raw.is_empty() {
            let some: Vec<_> = self.raw.drain(..self.raw.len().min(TOKENISED_AT_ONCE)).collect();
            self.in_hand += some.len();
            return Some(Work::Tokenise(some));
        }
        let lengths: Vec<usize> = self.tokenised.iter().map(|waiting| waiting.content.0.len()).collect();
        let mut chosen = batch::choose(&lengths, max_batch).into_iter().peekable();
        let (mut taken, mut left) = (Vec::new(), VecDeque::with_capacity(self.tokenised.len()));
        for (place, waiting) in self.tokenised.drain(..).enumerate() {
            if chosen.next_if_eq(&place).is_some() {
                taken.push(waiting);
            } else {
                left.push_back(waiting);
            }
        }
        self.tokenised = left;
        (!taken.is_empty()).then_some(Work::Compute(taken))
    }
}
