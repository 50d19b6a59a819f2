//! Where finished requests are told of beside the metrics: the access log, and traces.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::config::Startup;
use crate::control::{Collector, TraceExporter};
use crate::domain::Protocol;
use crate::telemetry::{AccessLog, AccessLogWriter, Metrics, Recorder, Resource, SpanQueueEnd, Tracer, request_id};
use crate::tls::Keeper;

/// How long the end waits for the collector to take the last spans, and then for the access log to take its last lines.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long where it is to end at once.
const HURRY: Duration = Duration::from_millis(250);

/// What traffic threads write to.
pub(super) struct Records {
    access_log: Option<AccessLog>,
    tracer: Option<Tracer>,
}

/// The other ends, to be seen finished.
pub(super) struct Ends {
    access_log: Option<AccessLogWriter>,
    spans: Option<(SpanQueueEnd, JoinHandle<()>)>,
}

/// Opens what `startup` asks for; `certificates` reads the files that the collector's TLS needs.
///
/// # Errors
/// The system's own, where it starts no more threads.
pub(super) fn open(startup: &Startup, metrics: &Metrics, certificates: &mut Keeper) -> io::Result<(Records, Ends)> {
    let log = startup.access_log.then(|| AccessLog::start(io::stdout(), metrics)).transpose()?;
    let (access_log, writer) = log.unzip();
    let (tracer, spans) = export(startup, metrics, certificates).unzip();
    Ok((Records { access_log, tracer }, Ends { access_log: writer, spans }))
}

/// Exports spans on this runtime where there is a collector.
fn export(
    startup: &Startup,
    metrics: &Metrics,
    certificates: &mut Keeper,
) -> Option<(Tracer, (SpanQueueEnd, JoinHandle<()>))> {
    let otlp = startup.tracing.otlp.clone()?;
    let tls = otlp.tls.as_ref().map(|tls| certificates.client(tls, Protocol::Http1, otlp.place.clone()));
    tracing::info!(collector = otlp.url(), "traces go to a collector");
    let instance = request_id(fastrand::u128(..));
    let service = &startup.tracing.service_name;
    let resource = Resource::new(service, &startup.workload.namespace, instance.to_str().unwrap_or_default());
    let (tracer, queue, end) = Tracer::new(metrics);
    let exporter = TraceExporter::new(queue, Collector::new(otlp, startup.dns.clone(), tls), resource);
    Some((tracer, (end, tokio::task::spawn_local(exporter.run()))))
}

impl Records {
    /// What one traffic thread records with.
    pub(super) fn recorder(&self, metrics: &Arc<Metrics>) -> Recorder {
        Recorder::new(Arc::clone(metrics), self.access_log.clone()).tracing(self.tracer.clone())
    }
}

impl Ends {
    /// Has what is left exported and written, as far as that comes soon; once there is a `hurry`, the collector is hardly
    /// waited for.
    pub(super) async fn finish(self, hurry: impl Future) {
        if let Some((queue, task)) = self.spans {
            queue.close();
            let hurried = async {
                hurry.await;
                sleep(HURRY).await;
            };
            let over = tokio::select! {
                over = timeout(PATIENCE, task) => over.is_ok(),
                () = hurried => false,
            };
            if !over {
                tracing::warn!("the collector did not take the last traces in time; they are lost");
            }
        }
        if let Some(writer) = self.access_log {
            writer.finish(PATIENCE);
        }
    }
}
