//! What the router says of itself: metrics, access log, trace context and its own log.
//!
//! Owns every metric name and label, and the one place where a finished request becomes numbers and a line. Never decides
//! anything about a request, and never makes a traffic thread wait.

mod access_log;
mod family;
mod flags;
mod log;
mod metrics;
mod names;
mod otlp;
mod record;
mod recorder;
mod spans;
mod trace;
mod tracer;

pub use access_log::{AccessLog, AccessLogWriter};
pub use log::{LogError, init};
pub use metrics::{
    ClientConnection, Gauges, LimitCounters, LoadResult, LocalGauges, LocalMetrics, LocalVersion, Lookup, Metrics,
    RateLimitCount, RateLimitCounts, Reload, TraceCounters,
};
pub use names::CONTENT_TYPE;
pub use otlp::{Resource, Span, rejected};
pub use record::Record;
pub use recorder::Recorder;
pub use spans::{Attempt, Sent, Trace};
pub use trace::{TraceId, request_id, trace_id};
pub use tracer::{SpanQueue, SpanQueueEnd, Tracer};

#[cfg(test)]
mod fixtures;
