//! The bounded queue in front of a model for tensors. Owns what waits; never computes.
//!
//! First come, first served: a request is one run, and nothing is computed together.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::error::EmbedError;
use super::forecast::{Pace, Work};
use super::permits::{Claim, Permit};
use super::queue::Load;
use super::tensor_data::Tensor;

/// Tensors by their names.
pub(super) type Named = Vec<(String, Tensor)>;

/// One request.
pub(super) struct Job {
    pub(super) inputs: Named,
    /// The outputs that are asked for.
    pub(super) outputs: Vec<String>,
    /// The size of its inputs, at least 1.
    pub(super) bytes: usize,
    /// When it came.
    pub(super) arrived: Instant,
    /// When it must have been answered.
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Result<Named, EmbedError>>,
}

/// What waits for one model.
pub(super) struct TensorQueue {
    /// Requests (in the place of texts) and bytes that may wait at most.
    most: Load,
    threads: usize,
    state: Mutex<State>,
    /// Told when there may be work.
    work: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// By bytes in the place of tokens.
    pace: Pace,
    /// Bytes that are being computed.
    computing: usize,
    is_stopped: bool,
}

impl TensorQueue {
    /// A queue for `threads` threads, in which `requests` of `bytes` in all may wait.
    pub(super) fn new((requests, bytes): (usize, usize), threads: usize) -> Self {
        let most = Load { texts: requests, tokens: usize::MAX, bytes };
        Self { most, threads, state: Mutex::default(), work: Condvar::new() }
    }

    /// Adds a request, while `others` threads of other models compute or wait to; one that is refused is answered so.
    pub(super) fn push(&self, job: Job, others: usize) {
        let mut state = self.state();
        let refused = if state.is_stopped { Some(EmbedError::Stopped) } else { self.refusal(&mut state, &job, others) };
        if let Some(error) = refused {
            // The client may have gone, and then nobody wants to know.
            drop(job.reply.send(Err(error)));
        } else {
            state.waiting.push_back(job);
            drop(state);
            self.work.notify_one();
        }
    }

    /// Why there is no room for `job`, or no time. Those that nobody waits for any more make room.
    fn refusal(&self, state: &mut State, job: &Job, others: usize) -> Option<EmbedError> {
        state.drop_unwanted(job.arrived);
        let load = |job: &Job| Load { texts: 1, tokens: 0, bytes: job.bytes };
        if !self.most.has_room(&state.waiting.iter().map(load), load(job)) {
            return Some(EmbedError::QueueFull);
        }
        let ahead = state.waiting.iter().map(|waiting| waiting.bytes).sum::<usize>() + state.computing;
        let pace = if ahead == 0 { state.pace.rested() } else { state.pace };
        let needed = pace.time(Work { own: job.bytes, texts: 1, ahead, others }, self.threads)?;
        let left = job.deadline.saturating_duration_since(job.arrived);
        (needed > left).then_some(EmbedError::TooLate { needed })
    }

    /// Waits for a request, and for the permit to compute it; `None` once the queue is stopped.
    pub(super) fn next<'c>(&self, claim: &'c Claim) -> Option<(Job, Permit<'c>)> {
        while self.wait() {
            let permit = claim.take();
            let mut state = self.state();
            state.drop_unwanted(Instant::now());
            if let Some(job) = state.waiting.pop_front() {
                state.computing += job.bytes;
                return Some((job, permit));
            }
        }
        None
    }

    /// Waits until there is a request; false once the queue is stopped.
    fn wait(&self) -> bool {
        let is_idle = |state: &mut State| !state.is_stopped && state.waiting.is_empty();
        let state = self.work.wait_while(self.state(), is_idle).unwrap_or_else(PoisonError::into_inner);
        !state.is_stopped
    }

    /// Takes note of a request that was given out: its bytes, and the time that it took; `None` where it failed.
    pub(super) fn computed(&self, bytes: usize, took: Option<Duration>) {
        let mut state = self.state();
        state.computing = state.computing.saturating_sub(bytes);
        if let Some(took) = took {
            state.pace.ran(bytes, took);
        }
    }

    /// Requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// Answers whatever waits with [`EmbedError::Stopped`], takes nothing more and sends the threads home.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.is_stopped = true;
        for job in state.waiting.drain(..) {
            drop(job.reply.send(Err(EmbedError::Stopped)));
        }
        drop(state);
        self.work.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets the requests that were given up by their client, and answers those whose deadline has passed.
    fn drop_unwanted(&mut self, now: Instant) {
        let is_over = |job: &mut Job| job.reply.is_closed() || now >= job.deadline;
        let mut kept = VecDeque::with_capacity(self.waiting.len());
        for mut job in self.waiting.drain(..) {
            if is_over(&mut job) {
                drop(job.reply.send(Err(EmbedError::Expired)));
            } else {
                kept.push_back(job);
            }
        }
        self.waiting = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::super::permits::Permits;
    use super::*;

    type Answer = oneshot::Receiver<Result<Named, EmbedError>>;

    fn job(bytes: usize, patience: Duration) -> (Job, Answer) {
        let (reply, answer) = oneshot::channel();
        let arrived = Instant::now();
        let job = Job { inputs: Vec::new(), outputs: Vec::new(), bytes, arrived, deadline: arrived + patience, reply };
        (job, answer)
    }

    fn ask(queue: &TensorQueue, bytes: usize, patience: Duration) -> Answer {
        let (job, answer) = job(bytes, patience);
        queue.push(job, 0);
        answer
    }

    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn it_is_bounded_in_requests_and_in_bytes_and_what_is_given_up_makes_room() {
        for (bounds, bytes) in [((2, 1 << 20), 1), ((100, 1000), 600)] {
            let queue = TensorQueue::new(bounds, 1);
            let first = ask(&queue, bytes, LONG);
            let mut more: Vec<Answer> = (0..3).map(|_| ask(&queue, bytes, LONG)).collect();
            let full = more.iter_mut().filter_map(|answer| answer.try_recv().ok());
            assert!(full.map(|refused| refused.unwrap_err()).any(|why| why == EmbedError::QueueFull), "{bounds:?}");
            drop((first, more));
            assert!(ask(&queue, bytes, LONG).try_recv().is_err(), "{bounds:?}: it waits");
        }
    }

    #[test]
    fn what_would_come_too_late_is_refused_at_once_with_the_time_it_would_take() {
        let queue = TensorQueue::new((100, 1 << 20), 1);
        let claim = Permits::new(1).claim();
        let unknown = ask(&queue, 1000, Duration::from_millis(1));
        drop(unknown);
        let _first = ask(&queue, 1000, LONG);
        let (given, permit) = queue.next(&claim).expect("it is not stopped");
        queue.computed(given.bytes, Some(Duration::from_secs(1)));
        drop((given, permit));
        let needed = Duration::from_secs(2);
        assert_eq!(
            ask(&queue, 2000, Duration::from_millis(1900)).try_recv().unwrap().unwrap_err(),
            EmbedError::TooLate { needed }
        );
        let _waiting = ask(&queue, 2000, LONG);
        let needed = Duration::from_secs(3);
        assert_eq!(
            ask(&queue, 1000, Duration::from_millis(2900)).try_recv().unwrap().unwrap_err(),
            EmbedError::TooLate { needed }
        );
        let mut waiting = ask(&queue, 1000, LONG);
        queue.stop();
        assert_eq!(waiting.try_recv().unwrap().unwrap_err(), EmbedError::Stopped);
        assert!(queue.next(&claim).is_none());
    }
}
