//! A model that takes and gives tensors, on threads of its own behind a bounded queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use ort::session::Session;
use tokio::sync::oneshot;

use super::card::Card;
use super::engine::EngineError;
use super::error::{EmbedError, LoadError};
use super::permits::Claim;
use super::placement::{keep_to, lower_priority};
use super::tensor_data::{input, output};
use super::tensor_queue::{Job, Named, TensorQueue};
use crate::config::LocalModel;

/// The model on its threads. Dropping it answers what waits with [`EmbedError::Stopped`], and blocks until what is being computed
/// is done.
pub struct TensorModel {
    card: Card,
    queue: Arc<TensorQueue>,
    claim: Arc<Claim>,
    threads: Vec<JoinHandle<()>>,
}

impl TensorModel {
    /// Starts a thread for each of `sessions`, on the cores that `settings` give to the local models.
    pub(super) fn serve(
        (sessions, card): (Vec<Session>, Card),
        claim: Claim,
        settings: &LocalModel,
    ) -> Result<Self, LoadError> {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let bounds = (size(settings.queue.get()), size(settings.batching.queue_bytes.get()));
        let queue = TensorQueue::new(bounds, sessions.len());
        // Made first, so that an error on the way stops the threads already started.
        let mut model = Self { card, queue: Arc::new(queue), claim: Arc::new(claim), threads: Vec::new() };
        for (number, mut session) in sessions.into_iter().enumerate() {
            let (queue, claim, cores) = (Arc::clone(&model.queue), Arc::clone(&model.claim), settings.cores.clone());
            let thread = thread::Builder::new().name(format!("local-tensors-{number}")).spawn(move || {
                lower_priority();
                keep_to(&cores);
                run(&mut session, &queue, &claim);
            });
            model.threads.push(thread.map_err(LoadError::Thread)?);
        }
        Ok(model)
    }

    /// What is known of it.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Requests that wait for it.
    pub(super) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Asks for `outputs`. The request takes its place in the queue, or is refused, as this is called; dropping the future gives
    /// it up.
    ///
    /// # Errors
    /// The future gives [`EmbedError`].
    pub fn compute(
        &self,
        inputs: Named,
        outputs: Vec<String>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Named, EmbedError>> + Send + use<> {
        let (reply, outcome) = oneshot::channel();
        let bytes = inputs.iter().map(|(_, tensor)| tensor.data.bytes()).sum::<usize>().max(1);
        let job = Job { inputs, outputs, bytes, arrived: Instant::now(), deadline, reply };
        self.queue.push(job, self.claim.others());
        async move { outcome.await.unwrap_or(Err(EmbedError::Stopped)) }
    }
}

impl Drop for TensorModel {
    fn drop(&mut self) {
        self.queue.stop();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to give back.
            let _panicked = thread.join();
        }
    }
}

/// Works until the queue is stopped.
fn run(session: &mut Session, queue: &TensorQueue, claim: &Claim) {
    while let Some((Job { inputs, outputs, bytes, reply, .. }, permit)) = queue.next(claim) {
        let started = Instant::now();
        // A panic of the runtime, which reads what strangers wrote, must not end the thread.
        let outcome = catch_unwind(AssertUnwindSafe(|| compute(session, &inputs, &outputs)))
            .unwrap_or_else(|_| Err(EngineError("it panicked on these tensors".to_owned())))
            .map_err(|EngineError(why)| EmbedError::Refused(why));
        queue.computed(bytes, outcome.is_ok().then(|| started.elapsed()));
        drop(permit);
        // The client may have gone, and then nobody wants to know.
        let _gone = reply.send(outcome);
    }
}

fn compute(session: &mut Session, inputs: &Named, outputs: &[String]) -> Result<Named, EngineError> {
    let inputs = inputs
        .iter()
        .map(|(name, tensor)| Ok((name.as_str(), input(tensor)?)))
        .collect::<Result<Vec<_>, EngineError>>()?;
    let computed = session.run(inputs)?;
    let named = outputs.iter().map(|name| {
        let value = computed.get(name).ok_or_else(|| EngineError(format!("it gave no output `{name}`")))?;
        Ok((name.clone(), output(value)?))
    });
    named.collect()
}
