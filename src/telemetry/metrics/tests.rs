use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::config::{Place, Problem, Severity};
use crate::domain::{Moment, Priority, QueueOrder, Tier};
use crate::pool;
use crate::telemetry::fixtures::{Exposition, pool_id, record, snapshot, workload};
use crate::telemetry::{Record, Recorder};

const ROUTES: &[(&str, &[u32])] = &[("ns/embed/fast", &[1]), ("ns/embed/rest", &[70, 30])];

fn recorder() -> (Arc<Metrics>, Recorder) {
    let metrics = Metrics::new(&workload());
    (Arc::clone(&metrics), Recorder::new(metrics, None))
}

#[test]
fn a_request_of_half_a_second_is_within_the_edge_at_half_a_second() {
    let (metrics, recorder) = recorder();
    let snapshot = snapshot(ROUTES, None);
    for millis in [1, 500, 501, 70_000] {
        recorder.record(&snapshot, &record(&snapshot, Duration::from_millis(millis)));
    }
    let scrape = Exposition::of(&metrics, &snapshot);
    let upto = |edge| scrape.sum("overspill_request_duration_seconds_bucket", &[("le", edge), ("tier", "gpu")]);
    assert_eq!(["0.001", "0.4", "0.5", "0.75", "60", "+Inf"].map(upto), [1, 1, 2, 3, 3, 4].map(|n| Some(f64::from(n))));
    let labels = [("route", "ns/embed/fast"), ("pool", "gpu.example:80"), ("response_class", "2xx")];
    assert_eq!(scrape.sum("overspill_request_duration_seconds_sum", &labels), Some(71.002));
    assert_eq!(scrape.sum("overspill_request_duration_seconds_count", &labels), Some(4.0));
    assert_eq!(scrape.sum("overspill_requests_total", &[("response_code", "200"), ("reason", "")]), Some(4.0));
    assert_eq!(scrape.sum("overspill_request_bytes_total", &[]), Some(40.0));
    assert_eq!(scrape.sum("overspill_response_bytes_total", &[]), Some(400.0));
    assert_eq!(scrape.sum("overspill_upstream_attempts_total", &[("pool", "gpu.example:80")]), Some(4.0));
    assert_eq!(scrape.sum("overspill_queue_wait_seconds_count", &[]), Some(0.0));
    assert_eq!(scrape.sum("istio_request_duration_milliseconds_bucket", &[("le", "500")]), Some(2.0));
    assert_eq!(scrape.sum("overspill_requests_total", &[]), scrape.sum("istio_requests_total", &[]));
}

#[test]
fn edges_rise() {
    for edges in [names::DURATION_EDGES, names::WAIT_EDGES, names::BATCH_EDGES, names::TOKEN_EDGES, names::ISTIO_EDGES]
    {
        assert!(edges.is_sorted_by(|one, two| one < two), "{edges:?}");
    }
}

#[test]
fn a_refusal_is_an_answer_of_the_router_itself() {
    for (status, reason, refused) in [
        (429, Some(Reason::QueueFull), Some(1.0)),
        (404, Some(Reason::RouteNotFound), Some(1.0)),
        (429, None, None),
        (200, Some(Reason::UpstreamReset), None),
        (499, Some(Reason::ClientDisconnected), None),
    ] {
        let (metrics, recorder) = recorder();
        let snapshot = snapshot(ROUTES, None);
        let refusal = Record { status, reason, tier: None, ..record(&snapshot, Duration::ZERO) };
        recorder.record(&snapshot, &refusal);
        let scrape = Exposition::of(&metrics, &snapshot);
        assert_eq!(scrape.sum("overspill_refused_requests_total", &[]), refused, "{status} {reason:?}");
        let labels = [("reason", reason.map_or("", Reason::code)), ("pool", "gpu.example:80"), ("tier", "")];
        assert_eq!(scrape.sum("overspill_requests_total", &labels), Some(1.0), "{status} {reason:?}");
        let labels = [("response_flags", reason.map_or("-", Reason::flag)), ("destination_workload", "embed-gpu")];
        assert_eq!(scrape.sum("istio_requests_total", &labels), Some(1.0), "{status} {reason:?}");
    }
}

#[test]
fn a_spilled_request_counts_where_it_left_and_where_it_was_answered() {
    let (metrics, recorder) = recorder();
    let snapshot = snapshot(ROUTES, None);
    let [gpu, cpu] = [0, 1].map(|place| pool_id(&snapshot, place));
    let spilled = Record {
        tier: Some(Tier::Local),
        spills: vec![(gpu, Reason::SlotsTaken), (cpu, Reason::ConnectFailed)],
        queued: Duration::from_millis(3),
        ..record(&snapshot, Duration::from_millis(20))
    };
    recorder.record(&snapshot, &spilled);
    recorder.record(&snapshot, &spilled);
    let scrape = Exposition::of(&metrics, &snapshot);
    let left = |pool, tier, reason| {
        scrape.sum("overspill_spilled_requests_total", &[("pool", pool), ("tier", tier), ("reason", reason)])
    };
    assert_eq!(left("gpu.example:80", "gpu", "slots_taken"), Some(2.0));
    assert_eq!(left("cpu.example:80", "cpu", "connect_failed"), Some(2.0));
    assert_eq!(scrape.sum("overspill_requests_total", &[("pool", "local"), ("tier", "local")]), Some(2.0));
    assert_eq!(scrape.sum("overspill_queue_wait_seconds_count", &[("pool", "gpu.example:80")]), Some(2.0));
    let own = [
        ("destination_workload", "overspill"),
        ("destination_workload_namespace", "edge"),
        ("destination_service", "gpu.example"),
        ("destination_service_namespace", "ml"),
        ("reporter", "destination"),
    ];
    assert_eq!(scrape.sum("istio_requests_total", &own), Some(2.0));
}

#[test]
fn what_is_gone_from_the_configuration_is_gone_from_the_scrape() {
    let (metrics, recorder) = recorder();
    let before = snapshot(&[("ns/embed/rest", &[70, 30]), ("ns/embed/fast", &[1])], None);
    metrics.published(&before);
    let to_cpu = Record {
        pool: Some(pool_id(&before, 1)),
        tier: Some(Tier::Cpu),
        spills: vec![(pool_id(&before, 0), Reason::SlotsTaken)],
        ..record(&before, Duration::ZERO)
    };
    let local = Record { tier: Some(Tier::Local), ..record(&before, Duration::ZERO) };
    let fast = Record { route: before.routes().nth(1).map(|(id, _)| id), ..record(&before, Duration::ZERO) };
    let unrouted = Record {
        route: None,
        chosen: None,
        pool: None,
        tier: None,
        status: 404,
        reason: Some(Reason::RouteNotFound),
        ..record(&before, Duration::ZERO)
    };
    for record in [&to_cpu, &local, &fast, &unrouted] {
        recorder.record(&before, record);
    }
    let scrape = Exposition::of(&metrics, &before);
    assert_eq!(scrape.values("route").len(), 3);

    // The route `rest` and the pool `cpu` go; `fast` has another place now.
    let after = snapshot(&[("ns/embed/fast", &[1])], Some(&before));
    metrics.published(&after);
    let scrape = Exposition::of(&metrics, &after);
    assert_eq!(scrape.values("route").into_iter().collect::<Vec<_>>(), ["", "ns/embed/fast"]);
    assert_eq!(scrape.values("pool").into_iter().collect::<Vec<_>>(), ["", "gpu.example:80", "local"]);
    let services = scrape.values("destination_service");
    assert_eq!(services.into_iter().collect::<Vec<_>>(), ["gpu.example", "unknown"]);

    // What stays goes on from where it was.
    recorder.record(&after, &record(&after, Duration::ZERO));
    let fast = [("route", "ns/embed/fast")];
    assert_eq!(Exposition::of(&metrics, &after).sum("overspill_requests_total", &fast), Some(2.0));

    // A request that ends after its route is gone is seen by one scrape, and leaves nothing behind.
    recorder.record(&before, &to_cpu);
    let rest = [("route", "ns/embed/rest")];
    assert_eq!(Exposition::of(&metrics, &after).sum("overspill_requests_total", &rest), Some(1.0));
    let scrape = Exposition::of(&metrics, &after);
    assert_eq!(scrape.sum("overspill_requests_total", &rest), None);
    assert_eq!(scrape.sum("istio_requests_total", &[("destination_service", "cpu.example")]), None);
}

#[test]
fn no_request_is_lost_while_generations_change() {
    let metrics = Metrics::new(&workload());
    let (workers, requests) = (4, 500);
    let mut snapshots = vec![snapshot(ROUTES, None)];
    for generation in 1..20 {
        snapshots.push(snapshot(ROUTES, snapshots.get(generation - 1)));
    }
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let recorder = Recorder::new(Arc::clone(&metrics), None);
                // Requests end out of order, so that old and new generations mix.
                for request in 0..requests {
                    let snapshot = &snapshots[request * 7 % snapshots.len()];
                    recorder.record(snapshot, &record(snapshot, Duration::ZERO));
                }
            });
        }
        for snapshot in &snapshots {
            metrics.published(snapshot);
            metrics.render(snapshot, Moment::default(), &Gauges::default());
        }
    });
    let total = f64::from(u32::try_from(workers * requests).expect("few"));
    let scrape = Exposition::of(&metrics, &snapshots[19]);
    assert_eq!(scrape.sum("overspill_requests_total", &[]), Some(total));
    assert_eq!(scrape.sum("overspill_request_duration_seconds_count", &[]), Some(total));
    assert_eq!(scrape.sum("istio_requests_total", &[]), Some(total));
}

#[test]
fn gauges_are_those_of_the_live_snapshot() {
    let metrics = Metrics::new(&workload());
    let first = snapshot(ROUTES, None);
    let snapshot = snapshot(&[("ns/embed/fast", &[1]), ("ns/embed/rest", &[20, 80])], Some(&first));
    let gpu = snapshot.pool(pool_id(&snapshot, 0));
    let now = Moment::default();
    let slots = [1, 2, 3].map(|draw| gpu.take(now, draw, &[]).expect("a slot"));
    let mut line = pool::Line::new(Arc::clone(&gpu.queue));
    let wish = pool::Wish {
        priority: Priority::Standard,
        until: now.after(Duration::from_secs(1)),
        tried: pool::Tried::None,
        view: 0,
    };
    let terms = pool::Terms { most: 2, order: QueueOrder::Fifo };
    let (ticket, _) = line.join(wish, terms, now, ()).expect("a place");
    while !gpu.endpoints[0].state.health.failed_to_connect(now) {}
    let connections = [metrics.client_connected(), metrics.client_connected()];

    let local = LocalGauges { ready: true, queued: 5, in_flight: 6, dimension: 384 };
    let scrape = Exposition::read(&metrics.render(&snapshot, now, &Gauges { local, ..Gauges::default() }));
    let of = |name: &str, labels: &[(&str, &str)]| scrape.sum(&format!("overspill_{name}"), labels);
    let gpu = [("pool", "gpu.example:80"), ("tier", "gpu")];
    let local = [("pool", "local"), ("tier", "local")];
    for (name, at_gpu, at_local) in
        [("requests_in_flight", 3.0, 6.0), ("queued_requests", 1.0, 5.0), ("pending_requests", 4.0, 11.0)]
    {
        assert_eq!((of(name, &gpu), of(name, &local)), (Some(at_gpu), Some(at_local)), "{name}");
    }
    assert_eq!(of("pool_slots", &gpu), Some(4.0));
    let states = ["admitting", "ejected", "probing"].map(|state| of("pool_endpoints", &[gpu[0], ("state", state)]));
    assert_eq!(states, [Some(1.0), Some(1.0), Some(0.0)]);
    assert_eq!(of("route_weight", &[("route", "ns/embed/rest"), ("pool", "cpu.example:80")]), Some(80.0));
    assert_eq!(of("config_generation", &[]), Some(2.0));
    assert_eq!(of("client_connections", &[]), Some(2.0));
    assert_eq!(of("local_model_ready", &[]), Some(1.0));
    assert_eq!(of("local_model_queue_size", &[]), Some(5.0));
    assert_eq!(of("local_model_embedding_dimensions", &[]), Some(384.0));
    assert_eq!(of("build_info", &[("version", env!("CARGO_PKG_VERSION"))]), Some(1.0));
    assert!(of("memory_usage_bytes", &[]) > Some(1e6));
    line.seated(&ticket, now);
    drop((slots, connections));

    let scrape = Exposition::of(&metrics, &snapshot);
    assert_eq!(scrape.sum("overspill_pending_requests", &[]), Some(0.0));
    assert_eq!(scrape.sum("overspill_client_connections", &[]), Some(0.0));
}

#[test]
fn the_last_reading_of_the_configuration_shows() {
    let metrics = Metrics::new(&workload());
    let snapshot = snapshot(ROUTES, None);
    let problem = |severity| Problem {
        code: "OVS0001",
        severity,
        place: Place::default(),
        message: String::new(),
        cure: String::new(),
        tolerated: false,
    };
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    metrics.reloaded(Reload::Published, &[problem(Severity::Warning)], at(100));
    metrics.reloaded(Reload::Rejected, &[problem(Severity::Error), problem(Severity::Error)], at(200));
    let scrape = Exposition::of(&metrics, &snapshot);
    for (name, labels, value) in [
        ("last_reload_successful", &[][..], 0.0),
        ("last_reload_timestamp_seconds", &[], 200.0),
        ("last_success_timestamp_seconds", &[], 100.0),
        ("problems", &[("severity", "error")], 2.0),
        ("problems", &[("severity", "warning")], 0.0),
        ("reloads_total", &[("result", "published")], 1.0),
        ("reloads_total", &[("result", "unchanged")], 0.0),
        ("reloads_total", &[("result", "rejected")], 1.0),
    ] {
        assert_eq!(scrape.sum(&format!("overspill_config_{name}"), labels), Some(value), "{name} {labels:?}");
    }
    metrics.reloaded(Reload::Unchanged, &[], at(300));
    let scrape = Exposition::of(&metrics, &snapshot);
    for (name, labels, value) in [
        ("last_reload_successful", &[][..], 0.0),
        ("last_reload_timestamp_seconds", &[], 300.0),
        ("last_success_timestamp_seconds", &[], 100.0),
        ("problems", &[("severity", "error")], 2.0),
    ] {
        let name = format!("overspill_config_{name}");
        assert_eq!(scrape.sum(&name, labels), Some(value), "{name}: reading the same faults again cures nothing");
    }
    metrics.reloaded(Reload::Published, &[], at(400));
    metrics.reloaded(Reload::Unchanged, &[], at(500));
    let scrape = Exposition::of(&metrics, &snapshot);
    assert_eq!(scrape.sum("overspill_config_last_reload_successful", &[]), Some(1.0));
    assert_eq!(scrape.sum("overspill_config_last_success_timestamp_seconds", &[]), Some(500.0));
}

#[test]
fn the_local_model_counts_batches_waits_and_errors() {
    let metrics = Metrics::new(&workload());
    let snapshot = snapshot(ROUTES, None);
    let local = metrics.local();
    local.inferred(3, 60, Duration::from_millis(12));
    local.waited(Duration::from_millis(2));
    local.finished(Ok(()));
    local.finished(Err(Reason::LocalQueueFull));
    let scrape = Exposition::of(&metrics, &snapshot);
    for (name, labels, value) in [
        ("batch_size_sum", &[][..], 3.0),
        ("batch_size_bucket", &[("le", "2")], 0.0),
        ("batch_size_bucket", &[("le", "4")], 1.0),
        ("batch_tokens_sum", &[], 60.0),
        ("inference_duration_seconds_sum", &[], 0.012),
        ("queue_wait_seconds_sum", &[], 0.002),
        ("inference_requests_total", &[], 2.0),
        ("inference_errors_total", &[("reason", "local_queue_full")], 1.0),
    ] {
        assert_eq!(scrape.sum(&format!("overspill_local_model_{name}"), labels), Some(value), "{name} {labels:?}");
    }
}
