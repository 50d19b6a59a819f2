//! A model that takes and gives tensors, on a thread of its own behind a bounded queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use ort::session::Session;
use tokio::sync::oneshot;

use super::card::Card;
use super::engine::EngineError;
use super::error::{EmbedError, LoadError};
use super::tensor_data::{Tensor, input, output};
use super::tier::lower_priority;

/// Tensors by their names.
pub(super) type Named = Vec<(String, Tensor)>;

/// One request.
struct Job {
    inputs: Named,
    outputs: Vec<String>,
    deadline: Instant,
    reply: oneshot::Sender<Result<Named, EmbedError>>,
}

/// The model on its thread. Dropping it answers what waits with [`EmbedError::Stopped`].
pub struct TensorModel {
    card: Card,
    /// `None` once it is being dropped.
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl TensorModel {
    /// Starts the thread; at most `queue` requests wait for it.
    pub(super) fn serve(mut session: Session, card: Card, queue: usize) -> Result<Self, LoadError> {
        let (jobs, taken) = mpsc::sync_channel(queue);
        let thread = thread::Builder::new().name("local-tensors".to_owned()).spawn(move || {
            lower_priority();
            run(&mut session, &taken);
        });
        Ok(Self { card, jobs: Some(jobs), thread: Some(thread.map_err(LoadError::Thread)?) })
    }

    /// What is known of it.
    pub fn card(&self) -> &Card {
        &self.card
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
        let job = Job { inputs, outputs, deadline, reply };
        let sent = match self.jobs.as_ref().map(|jobs| jobs.try_send(job)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(EmbedError::QueueFull),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(EmbedError::Stopped),
        };
        async move {
            sent?;
            outcome.await.unwrap_or(Err(EmbedError::Stopped))
        }
    }
}

impl Drop for TensorModel {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to give back.
            let _panicked = thread.join();
        }
    }
}

/// Works until nobody can ask any more.
fn run(session: &mut Session, jobs: &Receiver<Job>) {
    while let Ok(Job { inputs, outputs, deadline, reply }) = jobs.recv() {
        if reply.is_closed() {
            continue;
        }
        let outcome = if Instant::now() >= deadline {
            Err(EmbedError::Expired)
        } else {
            // A panic of the runtime, which reads what strangers wrote, must not end the thread.
            catch_unwind(AssertUnwindSafe(|| compute(session, &inputs, &outputs)))
                .unwrap_or_else(|_| Err(EngineError("it panicked on these tensors".to_owned())))
                .map_err(|EngineError(why)| EmbedError::Refused(why))
        };
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
