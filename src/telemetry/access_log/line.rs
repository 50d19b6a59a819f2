//! One request as one JSON line.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::uri::PathAndQuery;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::domain::{Reason, Tier};
use crate::snapshot::{PoolId, Snapshot};
use crate::telemetry::trace::TraceId;
use crate::telemetry::{Record, flags, names};

/// Every field stands in every line, `null` where there is nothing to say, but for `chosen_pool`.
#[derive(Serialize)]
struct Line<'r> {
    #[serde(serialize_with = "as_text")]
    timestamp: Nanoseconds,
    request_id: &'r str,
    trace_id: Option<&'r str>,
    method: &'r str,
    authority: &'r str,
    path: &'r str,
    #[serde(serialize_with = "as_debug_text")]
    protocol: http::Version,
    client: SocketAddr,
    route: Option<&'r str>,
    pool: Option<&'r str>,
    /// Where another than the chosen pool answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen_pool: Option<&'r str>,
    endpoint: Option<Cow<'r, str>>,
    tier: Option<&'r str>,
    response_code: u16,
    response_flags: Cow<'static, str>,
    response_flags_long: Cow<'static, str>,
    reason: Option<&'r str>,
    spills: Spills<'r>,
    attempts: u32,
    retries: u32,
    bytes_received: u64,
    bytes_sent: u64,
    duration_ms: f64,
    to_first_byte_ms: Option<f64>,
    queued_ms: f64,
    generation: u64,
}

/// Appends the line of `record`, whose head was complete when it `started`, with its line feed.
pub(super) fn write(
    out: &mut Vec<u8>,
    snapshot: &Snapshot,
    record: &Record,
    started: SystemTime,
) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *out, &line(snapshot, record, started))?;
    out.push(b'\n');
    Ok(())
}

fn line<'r>(snapshot: &'r Snapshot, record: &'r Record, started: SystemTime) -> Line<'r> {
    let name = |pool: PoolId| &*snapshot.pool(pool).name;
    let local = record.tier == Some(Tier::Local);
    let elsewhere = local || record.chosen != record.pool;
    Line {
        timestamp: Nanoseconds(Timestamp::try_from(started).unwrap_or_default()),
        request_id: record.request_id.to_str().unwrap_or_default(),
        trace_id: record.trace_id.as_ref().map(TraceId::as_str),
        method: record.method.as_str(),
        authority: &record.authority,
        path: record.path.as_ref().map_or("", PathAndQuery::as_str),
        protocol: record.version,
        client: record.client,
        route: record.route.map(|route| &*snapshot.route(route).name),
        pool: if local { Some(names::LOCAL) } else { record.pool.map(name) },
        chosen_pool: record.chosen.filter(|_| elsewhere).map(name),
        endpoint: endpoint(snapshot, record),
        tier: record.tier.map(Tier::as_str),
        response_code: record.status,
        response_flags: flags::short(record.reason, record.retry_end),
        response_flags_long: flags::long(record.reason, record.retry_end),
        reason: record.reason.map(Reason::code),
        spills: Spills { snapshot, spills: &record.spills },
        attempts: record.attempts,
        retries: record.retries,
        bytes_received: record.request_bytes,
        bytes_sent: record.response_bytes,
        duration_ms: milliseconds(record.duration),
        to_first_byte_ms: record.to_first_byte.map(milliseconds),
        queued_ms: milliseconds(record.queued),
        generation: snapshot.generation(),
    }
}

fn endpoint<'r>(snapshot: &'r Snapshot, record: &Record) -> Option<Cow<'r, str>> {
    let endpoint = snapshot.pool(record.pool?).endpoints.get(record.endpoint?)?;
    Some(record.destination.map_or(Cow::Borrowed(&*endpoint.name), |address| address.to_string().into()))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A time with all nine digits of its fraction, which RFC 3339 allows and log shippers sort by.
struct Nanoseconds(Timestamp);

impl fmt::Display for Nanoseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}", self.0)
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// `http` writes a version (`HTTP/1.1`) by `Debug` alone.
fn as_debug_text<S: Serializer>(value: &impl fmt::Debug, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{value:?}"))
}

/// The pools left unserved, as `[{pool, reason}]`, without a list of its own.
struct Spills<'r> {
    snapshot: &'r Snapshot,
    spills: &'r [(PoolId, Reason)],
}

#[derive(Serialize)]
struct Spill<'r> {
    pool: &'r str,
    reason: &'r str,
}

impl Serialize for Spills<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let spill =
            |(pool, reason): &(PoolId, Reason)| Spill { pool: &self.snapshot.pool(*pool).name, reason: reason.code() };
        serializer.collect_seq(self.spills.iter().map(spill))
    }
}
