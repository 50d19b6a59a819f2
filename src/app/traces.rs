//! Following the spans of sampled requests, on the control runtime.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::Startup;
use crate::control::{Collector, TraceExporter};
use crate::domain::Protocol;
use crate::telemetry::{Metrics, Resource, SpanQueueEnd, Tracer, request_id};
use crate::tls::Keeper;

/// How long the end waits for the collector to take the last spans.
const PATIENCE: Duration = Duration::from_secs(5);

/// The task that exports, to be seen finished.
pub(super) struct Exporting {
    queue: SpanQueueEnd,
    task: JoinHandle<()>,
}

/// Begins to export where `startup` names a collector; `certificates` reads the files that its TLS needs.
pub(super) fn start(
    startup: &Startup,
    metrics: &Metrics,
    certificates: &mut Keeper,
) -> (Option<Tracer>, Option<Exporting>) {
    let Some(otlp) = startup.tracing.otlp.clone() else { return (None, None) };
    let tls = otlp.tls.as_ref().map(|tls| certificates.client(tls, Protocol::Http1, otlp.place.clone()));
    tracing::info!(collector = otlp.url(), "traces go to a collector");
    let instance = request_id(fastrand::u128(..));
    let service = &startup.tracing.service_name;
    let resource = Resource::new(service, &startup.workload.namespace, instance.to_str().unwrap_or_default());
    let (tracer, queue, end) = Tracer::new(metrics);
    let exporter = TraceExporter::new(queue, Collector::new(otlp, startup.dns.clone(), tls), resource);
    let task = tokio::task::spawn_local(exporter.run());
    (Some(tracer), Some(Exporting { queue: end, task }))
}

impl Exporting {
    /// Has what is left exported, as far as that comes soon.
    pub(super) async fn finish(self) {
        self.queue.close();
        if timeout(PATIENCE, self.task).await.is_err() {
            tracing::warn!("the collector did not take the last traces in time; they are lost");
        }
    }
}
