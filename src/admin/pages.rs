//! What each path of the admin API answers.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::Admin;
use crate::config;
use crate::domain::{LoadSources, Moment, Priority, Tier};
use crate::live::{Phase, Serving};
use crate::pool::{Endpoint, Pool};
use crate::snapshot::{Addresses, NameStatus};
use crate::telemetry::{self, Gauges};

type Page = Response<Full<Bytes>>;

const INDEX: &str = "\
GET  /healthz/ready  200 while requests should be sent here, 503 before the start and during a drain
GET  /livez          200 while the process works
GET  /metrics        Prometheus metrics
GET  /config_dump    what is in force, and what is wrong with the documents, as JSON
GET  /scaling        demand and desired replicas of every pool, as JSON; ?scope=own for this router's alone
GET  /clusters       every pool and endpoint; ?format=json
POST /shutdown       drain and exit
";

pub(super) fn index() -> Page {
    text(StatusCode::OK, INDEX)
}

pub(super) fn not_found() -> Page {
    text(StatusCode::NOT_FOUND, INDEX)
}

pub(super) fn text(status: StatusCode, body: &'static str) -> Page {
    page(status, "text/plain; charset=utf-8", Bytes::from_static(body.as_bytes()))
}

/// The answer where too many others are being made, or this one takes too long.
pub(super) fn busy() -> Page {
    text(StatusCode::SERVICE_UNAVAILABLE, "busy: try again\n")
}

fn page(status: StatusCode, content_type: &'static str, body: Bytes) -> Page {
    let mut page = Response::new(Full::new(body));
    *page.status_mut() = status;
    page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    page
}

fn json_page(value: &serde_json::Value) -> Page {
    page(StatusCode::OK, "application/json", Bytes::from(format!("{value:#}\n")))
}

pub(super) fn ready(admin: &Admin) -> Page {
    let is_loading = admin.local.serving().phase == Phase::Loading;
    match (admin.is_ready(), is_loading) {
        (true, false) => text(StatusCode::OK, "ready\n"),
        (true, true) => text(StatusCode::OK, "ready: the local model is being loaded\n"),
        (false, true) => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: the local model is being loaded\n"),
        (false, false) => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: starting or draining\n"),
    }
}

pub(super) fn metrics(admin: &Admin) -> Page {
    let live = admin.publisher.current();
    let gauges =
        Gauges { local: admin.local.gauges(), rate_limits: live.rate_limits.counts(), demand: admin.board.known() };
    let body = admin.metrics.render(&live.snapshot, live.now(), &gauges);
    page(StatusCode::OK, telemetry::CONTENT_TYPE, body.into())
}

/// The figures of every pool: those of all routers, or of this one alone.
pub(super) fn scaling(admin: &Admin, scope: Scope) -> Page {
    let known = admin.board.known();
    match scope {
        Scope::All => json_page(&known.all.json()),
        Scope::Own => json_page(&known.alone.json()),
        Scope::Peer => match serde_json::to_vec(&*known.own) {
            Ok(loads) => page(StatusCode::OK, "application/json", loads.into()),
            Err(error) => {
                tracing::error!(%error, "the loads of the pools cannot be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the loads cannot be written\n")
            }
        },
    }
}

/// Whose figures are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those of all routers together.
    All,
    /// Those of this router.
    Own,
    /// Those of this router as another one adds them to its own.
    Peer,
}

pub(super) fn config_dump(admin: &Admin) -> Page {
    let live = admin.publisher.current();
    let problems = admin.problems();
    json_page(&json!({
        "generation": live.snapshot.generation(),
        "last_reload": if problems.refused { "refused" } else { "published" },
        "problems": problems.found,
        "local_model": admin.local.serving().stable.as_ref().map(|served| served.tier.identity()),
        "local_model_versions": versions(&admin.local.serving()),
        "local_models": models(&admin.local.serving()),
        "config": config::dump(&live.checked),
    }))
}

/// Each model in force, those beside the versions among them, and those that could not be loaded.
fn models(serving: &Serving) -> Vec<serde_json::Value> {
    let in_force = serving.cards().map(|card| {
        json!({
            "name": card.identity.name,
            "revision": card.identity.revision,
            "kind": card.kind,
            "execution_provider": card.provider,
        })
    });
    let refused = serving.stable.iter().flat_map(|served| served.beside.refused());
    in_force.chain(refused.map(|(name, why)| json!({ "name": name, "refused": why.to_string() }))).collect()
}

fn versions(serving: &Serving) -> serde_json::Value {
    let in_force = serving.versions().map(|(served, share)| {
        json!({
            "version": served.version,
            "traffic_percentage": share,
            "identity": served.tier.identity(),
            "memory_bytes": served.memory,
            "load_seconds": served.took.as_secs_f64(),
        })
    });
    let refused = serving.refused.iter().map(|refusal| json!({ "version": refusal.version, "why": refusal.why }));
    json!({
        "phase": match serving.phase {
            Phase::Off => "off",
            Phase::Loading => "loading",
            Phase::Settled if serving.stable.is_none() => "refused",
            Phase::Settled => "serving",
        },
        "in_force": in_force.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
    })
}

/// Lines in the form of Envoy's own `/clusters`: `pool::address::name::value`.
pub(super) fn clusters(admin: &Admin) -> Page {
    let live = admin.publisher.current();
    let mut lines = String::new();
    for (_, pool) in live.snapshot.pools() {
        // Writing to a string does not fail.
        let _ = pool_lines(&mut lines, pool, live.now());
    }
    for NameStatus { name, addresses, failure } in admin.names() {
        let all: Vec<_> = addresses.iter().flat_map(Addresses::all).map(ToString::to_string).collect();
        let _ = writeln!(lines, "dns::{name}::addresses::{}", all.join(","));
        let _ = writeln!(lines, "dns::{name}::failure::{}", failure.as_deref().unwrap_or("none"));
    }
    page(StatusCode::OK, "text/plain; charset=utf-8", Bytes::from(lines))
}

const fn snake(priority: Priority) -> &'static str {
    match priority {
        Priority::LatencySensitive => "latency_sensitive",
        Priority::Standard => "standard",
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// What is known of an endpoint's load where the pool's choice goes by it.
fn load_of(pool: &Pool, endpoint: &Endpoint, now: Moment) -> Vec<(&'static str, f64)> {
    let load = &endpoint.state.load;
    let latency = pool.latency_decay.map(|decay| ("latency_seconds", load.latency(now, decay)));
    let (requests, utilization) = load.reported(now);
    let reported = [("reported_requests", requests), ("reported_utilization", utilization)];
    let reports = pool.upkeep.load != LoadSources::default();
    latency.into_iter().chain(reported.into_iter().filter(|_| reports)).collect()
}

fn pool_lines(lines: &mut String, pool: &Pool, now: Moment) -> std::fmt::Result {
    let name = &pool.name;
    let admission = |endpoint: &Endpoint| endpoint.state.health.admission(now);
    writeln!(lines, "{name}::tier::{}", pool.tier.map_or("none", Tier::as_str))?;
    writeln!(lines, "{name}::slots_per_endpoint::{}", pool.slots_per_endpoint)?;
    writeln!(lines, "{name}::max_requests::{}", pool.max_requests.map_or("none".to_owned(), |most| most.to_string()))?;
    writeln!(lines, "{name}::rq_pending::{}", pool.queue.pending())?;
    for priority in Priority::ALL {
        writeln!(lines, "{name}::rq_waiting_{}::{}", snake(priority), pool.queue.waiting(priority))?;
    }
    for endpoint in &pool.endpoints {
        let address = &endpoint.name;
        writeln!(lines, "{name}::{address}::rq_active::{}", endpoint.state.in_flight())?;
        writeln!(lines, "{name}::{address}::slots::{}", pool.slots_of(endpoint))?;
        writeln!(lines, "{name}::{address}::weight::{}", endpoint.weight)?;
        writeln!(lines, "{name}::{address}::admission::{}", admission(endpoint).as_str())?;
        for (what, value) in load_of(pool, endpoint, now) {
            writeln!(lines, "{name}::{address}::{what}::{value}")?;
        }
    }
    Ok(())
}

pub(super) fn clusters_json(admin: &Admin) -> Page {
    let live = admin.publisher.current();
    let endpoint = |pool: &Pool, endpoint: &Endpoint| {
        json!({
            "address": &*endpoint.name,
            "weight": endpoint.weight,
            "labels": *endpoint.labels,
            "in_flight": endpoint.state.in_flight(),
            "slots": pool.slots_of(endpoint),
            "admission": endpoint.state.health.admission(live.now()).as_str(),
            "load": load_of(pool, endpoint, live.now()).into_iter().collect::<BTreeMap<_, _>>(),
        })
    };
    let pools = live.snapshot.pools().map(|(_, pool)| {
        json!({
            "pool": &*pool.name,
            "tier": pool.tier.map(Tier::as_str),
            "slots_per_endpoint": pool.slots_per_endpoint,
            "adaptive_slots": pool.adaptive_slots.map(|range| json!({ "min": range.min, "max": range.max })),
            "max_requests": pool.max_requests,
            "in_flight": pool.in_flight(),
            "queued": pool.queue.pending(),
            "waiting": Priority::ALL.map(|priority| (snake(priority), pool.queue.waiting(priority))).into_iter().collect::<BTreeMap<_, _>>(),
            "slot_interval_ms": pool.queue.interval().map(milliseconds),
            "latency_ms": pool.load.latency().map(milliseconds),
            "endpoints": pool.endpoints.iter().map(|one| endpoint(pool, one)).collect::<Vec<_>>(),
        })
    });
    let names = admin.names().into_iter().map(|status| {
        json!({
            "host": status.name.as_str(),
            "addresses": status.addresses.iter().flat_map(Addresses::all).collect::<Vec<_>>(),
            "failure": status.failure,
        })
    });
    json_page(&json!({
        "generation": live.snapshot.generation(),
        "pools": pools.collect::<Vec<_>>(),
        "names": names.collect::<Vec<_>>(),
    }))
}
