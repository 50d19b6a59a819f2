//! Which requests are traced, and where their spans wait until a collector has them.
//!
//! The queue is bounded, and nobody waits for a place in it: what finds none is dropped and counted.

use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant as Time, sleep_until};

use super::metrics::TraceCounters;
use super::otlp::Span;
use super::spans::{self, Trace};
use super::trace::{Incoming, incoming};
use super::{Metrics, Record};
use crate::domain::Percentage;
use crate::snapshot::Snapshot;

/// The defaults of OpenTelemetry's batching processor (`OTEL_BSP_MAX_QUEUE_SIZE`, `_MAX_EXPORT_BATCH_SIZE`,
/// `_SCHEDULE_DELAY`).
const QUEUE: usize = 2048;
const BATCH: usize = 512;
const DELAY: Duration = Duration::from_secs(5);

/// Decides which requests are traced and takes their spans; clones feed the same queue.
#[derive(Clone, Debug)]
pub struct Tracer {
    queue: mpsc::Sender<Span>,
    counters: TraceCounters,
}

/// The other end of the queue: spans in batches, for whoever takes them to a collector.
#[derive(Debug)]
pub struct SpanQueue {
    spans: mpsc::Receiver<Span>,
    closing: watch::Receiver<bool>,
    counters: TraceCounters,
}

/// Ends the queue.
#[derive(Debug)]
pub struct SpanQueueEnd(watch::Sender<bool>);

impl SpanQueueEnd {
    /// From now on no span is taken; what waits is handed out at once.
    pub fn close(&self) {
        self.0.send_replace(true);
    }
}

impl Tracer {
    /// A tracer, its queue and the way to end that. What becomes of spans counts in `metrics`.
    pub fn new(metrics: &Metrics) -> (Self, SpanQueue, SpanQueueEnd) {
        let (queue, spans) = mpsc::channel(QUEUE);
        let (end, closing) = watch::channel(false);
        let counters = metrics.traces();
        (Self { queue, counters: counters.clone() }, SpanQueue { spans, closing, counters }, SpanQueueEnd(end))
    }

    /// The trace of a request that begins now, where it is to be traced: as whoever sent it decided, else `share` of all.
    /// `headers` are its own where they say anything of a trace; `draw` is uniform chance.
    pub fn begin(
        &self,
        headers: Option<&http::HeaderMap>,
        share: Percentage,
        begun: Instant,
        mut draw: impl FnMut() -> u64,
    ) -> Option<Trace> {
        let came: Incoming = headers.map(incoming).unwrap_or_default();
        if !came.sampled.unwrap_or_else(|| share.takes(draw())) {
            return None;
        }
        let trace = u128::from(draw()) << 64 | u128::from(draw());
        Some(Trace::new(came, (trace, draw()), (begun, SystemTime::now())))
    }

    /// Hands over the spans of a request that is over.
    pub(super) fn record(&self, snapshot: &Snapshot, record: &Record, trace: &Trace) {
        for span in spans::spans(snapshot, record, trace) {
            if self.queue.try_send(span).is_err() {
                self.counters.dropped.inc();
            }
        }
    }
}

impl SpanQueue {
    /// The next batch, as soon as it is full or its first span has waited for 5 s; `None` once the queue has ended and is
    /// empty.
    pub async fn next(&mut self) -> Option<Vec<Span>> {
        let mut batch = Vec::new();
        let mut due: Option<Time> = None;
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                biased;
                taken = self.spans.recv_many(&mut batch, room) => if taken == 0 { break },
                _ = self.closing.wait_for(|closing| *closing), if !self.spans.is_closed() => self.spans.close(),
                () = sleep_until(due.unwrap_or_else(Time::now)), if due.is_some() => break,
            }
            due = due.or_else(|| Some(Time::now() + DELAY));
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Completes once the queue is to end.
    pub async fn closing(&self) {
        // Whoever could have said so is gone.
        self.closing.clone().wait_for(|closing| *closing).await.ok();
    }

    /// What becomes of spans.
    pub fn counters(&self) -> TraceCounters {
        self.counters.clone()
    }
}
