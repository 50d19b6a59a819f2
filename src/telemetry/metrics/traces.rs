//! What became of the spans of sampled requests.

use prometheus::IntCounter;

use super::Metrics;
use crate::telemetry::names;

/// A counter for each end that a span may come to; a handle that any thread may keep.
#[derive(Clone, Debug)]
pub struct TraceCounters {
    /// A collector has it.
    pub exported: IntCounter,
    /// There was no room for it in the queue.
    pub dropped: IntCounter,
    /// No collector took it.
    pub failed: IntCounter,
}

impl Metrics {
    /// The counters of spans, which there are from here on: a router that traces nothing has no such series.
    pub(in crate::telemetry) fn traces(&self) -> TraceCounters {
        let counter = |outcome| self.traces.with([outcome]);
        TraceCounters { exported: counter("exported"), dropped: counter("dropped"), failed: counter("failed") }
    }
}

/// The family of those counters, without any yet.
pub(super) fn family() -> crate::telemetry::family::Counters<1> {
    crate::telemetry::family::Counters::new(&names::TRACE_SPANS, ())
}
