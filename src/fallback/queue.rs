//! The one bounded queue in front of the inference threads. Owns what waits and in which state; never computes.
//!
//! A text waits raw until a thread tokenises it, and then as tokens until it is chosen for a batch: batches are grouped by
//! length, and only the tokenizer knows it. Tokenising costs less than a hundredth of computing. Requests take turns: the
//! next batch is begun by the request whose turn is longest ago, whatever the number of its texts. Reading and writing large
//! bodies is done here too, before anything is computed, since it would hold up whoever shares a traffic thread with them.

mod request;
mod room;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch::{self, Candidate, Most};
use super::engine::{Sequence, Tokens};
use super::error::EmbedError;
use super::forecast::{Pace, Work as Ahead};
use super::job::Job;
use super::permits::{Claim, Permit};
use super::token_cache::TokenCache;
use request::Request;
pub(super) use room::Load;

/// Texts that one thread tokenises before it looks at the queue again.
const TOKENISED_AT_ONCE: usize = 64;
/// Bytes of text after which it looks again, whatever their number: some ten milliseconds of tokenising.
const TOKENISED_BYTES: usize = 64 << 10;
/// Tokenised texts from which batches are chosen: more of them pad no less, and what is tokenised early is kept long.
const CHOSEN_FROM: usize = 256;
/// Without a run for so long, the pace of the last runs says nothing any more.
const REST: Duration = Duration::from_secs(5);

/// What the queue takes and how it gives it out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// What may wait at most.
    pub(super) most: Load,
    /// What is computed together at most.
    pub(super) batch: Most,
    /// How long a text that came while others were computed waits for company.
    pub(super) window: Duration,
    /// The longest text in tokens; longer ones are cut.
    pub(super) longest: usize,
    /// Texts whose tokens are remembered.
    pub(super) remembered: usize,
    /// Threads that compute.
    pub(super) threads: usize,
}

/// A text in a thread's hands: `S` is a [`Sequence`] while it is raw and [`Tokens`] afterwards.
pub(super) struct Waiting<S> {
    pub(super) job: Arc<Job>,
    /// Its place among the job's texts.
    pub(super) index: usize,
    pub(super) content: S,
}

/// What a thread is to do next.
pub(super) enum Work {
    /// Tokenise these and give them back with [`Queue::put_back`].
    Tokenise(Vec<Waiting<Sequence>>),
    /// Compute these together, and say so to [`Queue::computed`].
    Compute(Vec<Waiting<Tokens>>),
    /// Do this.
    Aside(Task),
}

/// What is neither tokenising nor computing, and takes too long for a traffic thread.
pub(super) type Task = Box<dyn FnOnce() + Send>;

/// When there is something to do.
enum Due {
    Now,
    At(Instant),
    /// Not before something comes.
    Never,
}

pub(super) struct Queue {
    terms: Terms,
    cache: Mutex<TokenCache>,
    state: Mutex<State>,
    /// Told when there may be work.
    work: Condvar,
}

#[derive(Default)]
struct State {
    /// The one whose turn is next first.
    requests: Vec<Request>,
    tasks: VecDeque<Task>,
    pace: Pace,
    /// When a run ended last.
    last_run: Option<Instant>,
    /// Tokens that are being computed.
    computing: usize,
    is_stopped: bool,
}

impl Queue {
    pub(super) fn new(terms: Terms, pace: Pace) -> Self {
        let cache = Mutex::new(TokenCache::new(terms.remembered));
        Self { terms, cache, state: Mutex::new(State { pace, ..State::default() }), work: Condvar::new() }
    }

    /// Adds a job with its texts, all or none, while `others` threads of other models compute or wait to.
    ///
    /// # Errors
    /// [`EmbedError::QueueFull`], [`EmbedError::TooLate`] where it could not be answered by its deadline, or
    /// [`EmbedError::Stopped`].
    pub(super) fn push(&self, job: &Arc<Job>, texts: Vec<Sequence>, others: usize) -> Result<(), EmbedError> {
        let mut state = self.state();
        if state.is_stopped {
            return Err(EmbedError::Stopped);
        }
        let mut request = Request::new(Arc::clone(job), texts, |bytes| state.pace.tokens(bytes, self.terms.longest));
        if state.admit(&request, &self.terms, others).is_err() {
            state.drop_unwanted(job.arrived);
            state.admit(&request, &self.terms, others)?;
        }
        request.is_alone = state.requests.is_empty() && state.computing == 0;
        state.requests.push(request);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Adds a task.
    ///
    /// # Errors
    /// [`EmbedError::QueueFull`] where as many wait as texts may, or [`EmbedError::Stopped`].
    pub(super) fn aside(&self, task: Task) -> Result<(), EmbedError> {
        let mut state = self.state();
        if state.is_stopped {
            return Err(EmbedError::Stopped);
        }
        if state.tasks.len() >= self.terms.most.texts {
            return Err(EmbedError::QueueFull);
        }
        state.tasks.push_back(task);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// The tokens of a text that is remembered.
    pub(super) fn recall(&self, text: &Sequence) -> Option<Tokens> {
        text.plain().and_then(|plain| self.cache().get(plain))
    }

    /// Waits for work, and for the permit to do it; `None` once the queue is stopped. Nobody holds a permit who has nothing to do,
    /// and what is done is chosen once there is one.
    pub(super) fn next<'c>(&self, claim: &'c Claim) -> Option<(Work, Permit<'c>)> {
        while self.wait() {
            let permit = claim.take();
            let mut state = self.state();
            let now = Instant::now();
            state.drop_unwanted(now);
            if let Some(work) = state.take(&self.terms, now) {
                if !state.requests.is_empty() || !state.tasks.is_empty() {
                    self.work.notify_one();
                }
                return Some((work, permit));
            }
        }
        None
    }

    /// Waits until there is work; false once the queue is stopped.
    fn wait(&self) -> bool {
        let mut state = self.state();
        while !state.is_stopped {
            let now = Instant::now();
            state.drop_unwanted(now);
            match state.due(&self.terms, now) {
                Due::Now => return true,
                Due::At(moment) => {
                    let woken = self.work.wait_timeout(state, moment.saturating_duration_since(now));
                    state = woken.unwrap_or_else(PoisonError::into_inner).0;
                }
                Due::Never => state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
        false
    }

    /// Takes back what [`Work::Tokenise`] gave out, those that could be tokenised with their texts.
    pub(super) fn put_back(&self, tokenised: Vec<Waiting<(Sequence, Tokens)>>) {
        let mut cache = self.cache();
        for Waiting { content: (text, tokens), .. } in &tokenised {
            if let Some(plain) = text.plain() {
                cache.put(plain, tokens);
            }
        }
        drop(cache);
        let mut state = self.state();
        for Waiting { job, index, content: (text, tokens) } in tokenised {
            state.pace.tokenised(text.bytes(), tokens.0.len(), self.terms.longest);
            match state.requests.iter_mut().find(|request| Arc::ptr_eq(&request.job, &job)) {
                Some(request) => request.tokenised(index, tokens),
                None => job.fail(EmbedError::Stopped),
            }
        }
    }

    /// Takes note of a batch that was given out: its tokens, padding not among them, and the time that it took; `None`
    /// where it failed.
    pub(super) fn computed(&self, tokens: usize, took: Option<Duration>) {
        let mut state = self.state();
        state.computing = state.computing.saturating_sub(tokens);
        state.last_run = Some(Instant::now());
        if let Some(took) = took {
            state.pace.ran(tokens, took);
        }
    }

    /// Answers whatever waits with [`EmbedError::Stopped`], takes nothing more and sends the threads home.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.is_stopped = true;
        for request in state.requests.drain(..) {
            request.job.fail(EmbedError::Stopped);
        }
        state.tasks.clear();
        drop(state);
        self.work.notify_all();
    }

    /// Texts that wait now.
    pub(super) fn waiting(&self) -> usize {
        self.state().requests.iter().map(|request| request.left().texts).sum()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, TokenCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether there is room for `request`, and time.
    fn admit(&self, request: &Request, terms: &Terms, others: usize) -> Result<(), EmbedError> {
        if !terms.most.has_room(&self.requests.iter().map(Request::left), request.left()) {
            return Err(EmbedError::QueueFull);
        }
        self.too_late(request, terms, others).map_or(Ok(()), |needed| Err(EmbedError::TooLate { needed }))
    }

    /// How long `request` would take, where that is longer than it has. Of each of the others as much comes before its last
    /// text as it has itself, since they take turns.
    fn too_late(&self, request: &Request, terms: &Terms, others: usize) -> Option<Duration> {
        let Load { texts, tokens: own, .. } = request.left();
        let before = self.requests.iter().map(|other| other.left().tokens.min(own)).sum::<usize>();
        let ahead = before + self.computing;
        let is_rested = ahead == 0 && self.last_run.is_some_and(|last| request.job.arrived > last + REST);
        let pace = if is_rested { self.pace.rested() } else { self.pace };
        let time = pace.time(Ahead { own, texts, ahead, others }, terms.threads)?;
        let needed = if ahead > 0 { time + terms.window } else { time };
        let left = request.job.deadline.saturating_duration_since(request.job.arrived);
        (needed > left).then_some(needed)
    }

    /// Forgets the requests that are answered, expired or given up by their client.
    fn drop_unwanted(&mut self, now: Instant) {
        self.requests.retain(|request| request.job.is_wanted(now));
    }

    /// When there is something to do.
    fn due(&self, terms: &Terms, now: Instant) -> Due {
        if !self.tasks.is_empty() || self.wanted() > 0 && self.requests.iter().any(Request::has_raw) {
            return Due::Now;
        }
        let Some(turn) = self.requests.iter().position(Request::has_tokens) else { return Due::Never };
        if terms.window.is_zero() {
            return Due::Now;
        }
        let chosen = batch::choose(&self.candidates(turn).0, terms.batch).len();
        self.company_until(terms, chosen).filter(|moment| *moment > now).map_or(Due::Now, Due::At)
    }

    /// What is to be done now.
    fn take(&mut self, terms: &Terms, now: Instant) -> Option<Work> {
        if let Some(task) = self.tasks.pop_front() {
            return Some(Work::Aside(task));
        }
        let raw = self.take_untokenised();
        if !raw.is_empty() {
            return Some(Work::Tokenise(raw));
        }
        let turn = self.requests.iter().position(Request::has_tokens)?;
        let (candidates, places) = self.candidates(turn);
        let chosen = batch::choose(&candidates, terms.batch);
        if self.company_until(terms, chosen.len()).is_some_and(|moment| moment > now) {
            return None;
        }
        let mut taken: Vec<Waiting<Tokens>> = Vec::with_capacity(chosen.len());
        // From the last one on, so that the places of those before stay what they are.
        for (at, nth) in chosen.into_iter().rev().map(|place| places[place]) {
            taken.extend(self.requests[at].take(nth));
        }
        self.computing += taken.iter().map(|waiting| waiting.content.0.len()).sum::<usize>();
        taken.reverse();
        let begun = self.requests.remove(turn);
        self.requests.push(begun);
        self.requests.retain(|request| !request.is_given_out());
        Some(Work::Compute(taken))
    }

    /// The tokenised texts, those of the request in `turn` first, and where each stands: its request and its place there.
    fn candidates(&self, turn: usize) -> (Vec<Candidate>, Vec<(usize, usize)>) {
        let order = (turn..self.requests.len()).chain(0..turn);
        let of_one = |at: usize| {
            let lengths = self.requests[at].lengths().enumerate();
            lengths.map(move |(nth, tokens)| (Candidate { tokens, nth }, (at, nth)))
        };
        order.flat_map(of_one).unzip()
    }

    /// How many texts are worth tokenising now.
    fn wanted(&self) -> usize {
        let known: usize = self.requests.iter().map(|request| request.lengths().len()).sum();
        let next_has_none = self.requests.first().is_some_and(|request| !request.has_tokens());
        CHOSEN_FROM.saturating_sub(known).min(TOKENISED_AT_ONCE).max(usize::from(next_has_none))
    }

    /// Raw texts, of each request in turn, as many as are worth tokenising now.
    fn take_untokenised(&mut self) -> Vec<Waiting<Sequence>> {
        let wanted = self.wanted();
        let (mut raw, mut bytes) = (Vec::new(), 0);
        while raw.len() < wanted && bytes < TOKENISED_BYTES {
            let before = raw.len();
            for request in &mut self.requests {
                if raw.len() < wanted && bytes < TOKENISED_BYTES {
                    let taken = request.take_raw();
                    bytes += taken.as_ref().map_or(0, |waiting| waiting.content.bytes());
                    raw.extend(taken);
                }
            }
            if raw.len() == before {
                break;
            }
        }
        raw
    }

    /// Until when a batch of `texts` waits for company: only where there is a window, room in the batch, and no request that
    /// came while nothing else was there.
    fn company_until(&self, terms: &Terms, texts: usize) -> Option<Instant> {
        let waiting = self.requests.iter().filter(|request| request.has_tokens());
        let is_due = terms.window.is_zero()
            || texts >= terms.batch.texts
            || waiting.clone().any(|request| request.is_alone)
            || waiting.clone().map(|request| request.lengths().sum::<usize>()).sum::<usize>() >= terms.batch.tokens;
        if is_due {
            return None;
        }
        waiting.map(|request| request.job.arrived + terms.window).min()
    }
}

#[cfg(test)]
mod simulation;
