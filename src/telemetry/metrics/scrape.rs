//! The exposition: what was counted, and what the live snapshot says at that moment.

use std::sync::atomic::Ordering;

use prometheus::TextEncoder;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;

use super::{Gauges, LocalGauges, Metrics, memory};
use crate::domain::{Moment, Tier};
use crate::pool::{Admission, Pool};
use crate::snapshot::Snapshot;
use crate::telemetry::family::gauges;
use crate::telemetry::names::{self, Definition, LOCAL};

impl Metrics {
    /// Every series in the text exposition, version 0.0.4 ([`CONTENT_TYPE`](crate::telemetry::CONTENT_TYPE)). `snapshot`
    /// is the live one; `now` decides which of its endpoints are ejected; `gauges` is what else can be looked up.
    pub fn render(&self, snapshot: &Snapshot, now: Moment, gauges: &Gauges) -> Vec<u8> {
        let Gauges { local, rate_limits, demand } = gauges;
        let mut families = self.counted();
        families.extend(rate_limits.collect());
        families.extend(pools(snapshot, now, local));
        families.extend(super::scaling::collect(demand));
        families.extend(this_process());
        families.push(weights(snapshot));
        families.push(gauge(&names::GENERATION, whole(snapshot.generation())));
        families.push(gauge(&names::CLIENT_CONNECTIONS, whole(self.client_connections.load(Ordering::Relaxed))));
        families.extend(local_model(local));
        // The format has no family without a series.
        families.retain(|family| !family.get_metric().is_empty());
        families.sort_by(|one, two| one.name().cmp(two.name()));
        if self.late.swap(false, Ordering::AcqRel) {
            self.forget_what_is_gone(snapshot);
        }
        encode(&families)
    }

    fn counted(&self) -> Vec<MetricFamily> {
        let mut families = self.reload.collect();
        families.extend(self.lookups.collect());
        families.extend(self.upkeep.collect());
        families.extend(self.requests.collect());
        families.extend(self.istio.collect());
        families.extend(self.local.collect());
        families.push(self.access_log_dropped.collect());
        families.push(self.limits.collect());
        families.push(self.traces.collect());
        families
    }
}

/// Writing to memory fails for families without a name or series alone, and there are none.
fn encode(families: &[MetricFamily]) -> Vec<u8> {
    let mut text = String::new();
    if let Err(error) = TextEncoder::new().encode_utf8(families, &mut text) {
        tracing::error!(%error, "the metrics cannot be written");
    }
    text.into_bytes()
}

fn gauge(name: &Definition<0>, value: f64) -> MetricFamily {
    gauges(name, [([], value)])
}

/// A count as a sample: the exposition's numbers are floats, exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "the exposition has floats alone, and no count comes near 2^53")]
pub(super) fn whole(count: u64) -> f64 {
    count as f64
}

/// What one pool, or the local model, is doing.
struct Use<'s> {
    pool: &'s str,
    tier: &'s str,
    in_flight: u32,
    queued: u32,
}

impl<'s> Use<'s> {
    fn of(pool: &'s Pool) -> Self {
        Self {
            pool: &pool.name,
            tier: pool.tier.map_or("", Tier::as_str),
            in_flight: pool.in_flight(),
            queued: pool.queue.pending(),
        }
    }
}

fn pools(snapshot: &Snapshot, now: Moment, local: &LocalGauges) -> Vec<MetricFamily> {
    let local = Use { pool: LOCAL, tier: LOCAL, in_flight: local.in_flight, queued: local.queued };
    let uses: Vec<Use<'_>> = snapshot.pools().map(|(_, pool)| Use::of(pool)).chain([local]).collect();
    let of_each = |name, number: fn(&Use<'_>) -> u64| {
        gauges(name, uses.iter().map(|each| ([each.pool, each.tier], whole(number(each)))))
    };
    let endpoints = snapshot.pools().flat_map(|(_, pool)| {
        Admission::ALL.map(|state| ([&*pool.name, state.as_str()], whole(endpoints_in(pool, state, now))))
    });
    let slots = snapshot
        .pools()
        .map(|(_, pool)| ([&*pool.name, pool.tier.map_or("", Tier::as_str)], f64::from(pool.slots(now))));
    let objectives = snapshot.pools().filter_map(|(_, pool)| {
        let objective = pool.latency_objective?.as_secs_f64();
        Some(([&*pool.name, pool.tier.map_or("", Tier::as_str)], objective))
    });
    let targets = snapshot.pools().filter_map(|(id, pool)| {
        let service = snapshot.service(id);
        let (api_version, kind, name) = pool.scaling.as_ref()?.scale_target.of(&service.name);
        Some(([&*pool.name, api_version, kind, &*service.namespace, name], 1.0))
    });
    vec![
        of_each(&names::IN_FLIGHT, |each| u64::from(each.in_flight)),
        of_each(&names::QUEUED, |each| u64::from(each.queued)),
        of_each(&names::PENDING, |each| u64::from(each.in_flight) + u64::from(each.queued)),
        gauges(&names::SLOTS, slots),
        gauges(&names::OBJECTIVE, objectives),
        gauges(&names::SCALE_TARGET, targets),
        gauges(&names::ENDPOINTS, endpoints),
    ]
}

fn endpoints_in(pool: &Pool, state: Admission, now: Moment) -> u64 {
    pool.endpoints.iter().map(|endpoint| u64::from(endpoint.state.health.admission(now) == state)).sum()
}

/// The weights in force. Destinations of one route that are the same pool add up: a name and labels are one series.
fn weights(snapshot: &Snapshot) -> MetricFamily {
    let mut samples: Vec<([&str; 2], f64)> = Vec::new();
    for (_, route) in snapshot.routes() {
        let first = samples.len();
        for (weight, pool) in route.weights() {
            let labels = [&*route.name, &*snapshot.pool(pool).name];
            match samples[first..].iter_mut().find(|(known, _)| *known == labels) {
                Some((_, sum)) => *sum += whole(weight),
                None => samples.push((labels, whole(weight))),
            }
        }
    }
    gauges(&names::ROUTE_WEIGHT, samples)
}

fn local_model(local: &LocalGauges) -> [MetricFamily; 7] {
    let versions = || local.versions.iter();
    let dimensions: Vec<String> = versions().map(|version| version.dimension.to_string()).collect();
    let info = versions().zip(&dimensions).map(|(version, dimension)| {
        let normalized = if version.normalized { "true" } else { "false" };
        ([&*version.version, &version.name, &version.revision, dimension, &version.pooling, normalized], 1.0)
    });
    [
        gauges(&names::LOCAL_INFO, info),
        gauges(&names::LOCAL_SHARE, versions().map(|version| ([&*version.version], f64::from(version.share)))),
        gauges(&names::LOCAL_MEMORY, versions().map(|version| ([&*version.version], whole(version.memory)))),
        gauge(&names::LOCAL_READY, f64::from(u8::from(local.ready))),
        gauge(&names::LOCAL_DIMENSIONS, f64::from(local.dimension)),
        gauge(&names::LOCAL_QUEUE_SIZE, f64::from(local.queued)),
        gauge(&names::LOCAL_PROVIDER_FALLBACK, f64::from(u8::from(local.on_cpu_instead))),
    ]
}

/// CPU, memory and descriptors as every Prometheus client names them, the resident memory once more by our own name,
/// and the version.
fn this_process() -> Vec<MetricFamily> {
    let mut families = ProcessCollector::for_self().collect();
    let resident = families
        .iter()
        .find(|family| family.name() == "process_resident_memory_bytes")
        .and_then(|family| family.get_metric().first())
        .map(|metric| metric.get_gauge().value());
    families.extend(resident.map(|bytes| gauge(&names::MEMORY, bytes)));
    families.extend(memory::limit().map(|bytes| gauge(&names::MEMORY_LIMIT, whole(bytes))));
    families.push(gauges(&names::BUILD, [([env!("CARGO_PKG_VERSION")], 1.0)]));
    families
}
