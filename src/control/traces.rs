//! Taking the spans of sampled requests to a collector, by OTLP.
//!
//! One task on the control thread, over a connection of its own. Whatever the collector does, no request waits for it: what
//! it is too slow for has no place in the queue, which the traffic threads count. It is said once in the log that the
//! collector does not take spans, and once that it does again.

mod collector;
mod fault;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::telemetry::{Resource, Span, SpanQueue, TraceCounters};
pub use collector::Collector;
use fault::{Again, Fault};

/// How long one batch may take, its repetitions among it (`OTEL_BSP_EXPORT_TIMEOUT`).
const EXPORT: Duration = Duration::from_secs(30);
/// How long the first repetition waits; each one after it twice as long.
const BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(8);

/// Takes spans from their queue to a collector.
pub struct TraceExporter {
    queue: SpanQueue,
    collector: Collector,
    resource: Resource,
    counters: TraceCounters,
    /// Whether it has been said that the collector takes no spans.
    told: bool,
}

impl TraceExporter {
    /// Spans of `queue` go to `collector`, as those of `resource`.
    pub fn new(queue: SpanQueue, collector: Collector, resource: Resource) -> Self {
        let counters = queue.counters();
        Self { queue, collector, resource, counters, told: false }
    }

    /// Exports until the queue has ended and every span of it has been exported or given up.
    pub async fn run(mut self) {
        while let Some(batch) = self.queue.next().await {
            self.export(batch).await;
        }
    }

    async fn export(&mut self, batch: Vec<Span>) {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let message = self.resource.export(batch);
        let exported = timeout_at(Instant::now() + EXPORT, self.deliver(message.into())).await;
        match exported.unwrap_or_else(|_| Err(Fault::late(EXPORT))) {
            Ok((0, _)) => {
                self.counters.exported.inc_by(count);
                if std::mem::take(&mut self.told) {
                    tracing::info!(collector = self.collector.url(), "the collector takes traces again");
                }
            }
            Ok((rejected, why)) => {
                let rejected = rejected.min(count);
                self.counters.exported.inc_by(count - rejected);
                self.counters.failed.inc_by(rejected);
                self.tell(&Fault::rejected(rejected, &why));
            }
            Err(fault) => {
                self.counters.failed.inc_by(count);
                self.tell(&fault);
            }
        }
    }

    /// Sends a batch until it is taken, or refused for good: how many spans of it were rejected, and why.
    async fn deliver(&mut self, message: bytes::Bytes) -> Result<(u64, String), Fault> {
        let mut backoff = BACKOFF;
        loop {
            let fault = match self.collector.send(message.clone()).await {
                Ok(rejected) => return Ok(rejected),
                Err(fault) => fault,
            };
            let wait = match fault.again {
                Again::Never => return Err(fault),
                // Jitter keeps routers that lost their collector together from coming back together.
                Again::Later => backoff.mul_f64(0.5 + fastrand::f64()),
                // A collector that asks for no wait at all is overloaded all the same.
                Again::After(wait) => wait.max(BACKOFF),
            };
            if wait > EXPORT {
                return Err(fault);
            }
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
            self.tell(&fault);
            tokio::select! {
                () = sleep(wait) => {}
                // There is no time to wait: what is tried once more is tried now, and is the last try.
                () = self.queue.closing() => return self.collector.send(message).await,
            }
        }
    }

    fn tell(&mut self, fault: &Fault) {
        if !std::mem::replace(&mut self.told, true) {
            let Fault { message, cure, .. } = fault;
            tracing::warn!(
                collector = self.collector.url(),
                error = message,
                cure,
                "the collector does not take traces"
            );
        }
    }
}
