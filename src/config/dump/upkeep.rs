//! What the router asks of endpoints on its own account, as JSON.

use serde_json::{Value, json};

use crate::domain::{
    CheckKind, HealthCheck, Hedge, HedgeAfter, HedgedMethods, LoadSources, OwnRequest, Reports, WarmupRequest,
    format_duration,
};

pub(super) fn health_check(check: &HealthCheck) -> Value {
    let asks = match &check.kind {
        CheckKind::Http { request: asked, expected, retriable } => json!({
            "request": request(asked),
            "expectedStatuses": statuses(expected),
            "retriableStatuses": statuses(retriable),
        }),
        CheckKind::Grpc { service, authority } => json!({ "service": service, "authority": authority }),
    };
    json!({
        "http": matches!(check.kind, CheckKind::Http { .. }).then_some(&asks),
        "grpc": matches!(check.kind, CheckKind::Grpc { .. }).then_some(&asks),
        "interval": format_duration(check.interval),
        "unhealthyInterval": format_duration(check.unhealthy_interval),
        "noTrafficInterval": check.no_traffic_interval.map(format_duration),
        "timeout": format_duration(check.timeout),
        "unhealthyThreshold": check.unhealthy_threshold,
        "healthyThreshold": check.healthy_threshold,
    })
}

pub(super) fn warmup_request(warmup: &WarmupRequest) -> Value {
    json!({
        "request": request(&warmup.request),
        "expectedStatuses": statuses(&warmup.expected),
        "timeout": format_duration(warmup.timeout),
        "attempts": warmup.attempts,
        "backoff": format_duration(warmup.backoff),
    })
}

pub(super) fn load_reports(load: &LoadSources) -> Value {
    json!({
        "orca": match load.orca { Reports::Read => "Read", Reports::PassedOn => "PassedOn" },
        "metrics": load.metrics.as_ref().map(|page| json!({
            "path": page.path.as_str(),
            "port": page.port,
            "interval": format_duration(page.interval),
        })),
    })
}

pub(super) fn hedge(hedge: &Hedge) -> Value {
    let (delay, percentile) = match hedge.after {
        HedgeAfter::Delay(delay) => (Some(format_duration(delay)), None),
        HedgeAfter::Percentile(percentile) => (None, Some(percentile)),
    };
    let methods = match hedge.methods {
        HedgedMethods::Idempotent => "Idempotent",
        HedgedMethods::All => "All",
    };
    json!({ "delay": delay, "percentile": percentile, "methods": methods })
}

/// Without the values of header fields, which may be secrets.
fn request(request: &OwnRequest) -> Value {
    json!({
        "method": request.method.as_str(),
        "path": request.path.as_str(),
        "host": request.host,
        "headers": request.headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(),
        "bodyBytes": request.body.len(),
    })
}

fn statuses(statuses: &[http::StatusCode]) -> Vec<u16> {
    statuses.iter().map(http::StatusCode::as_u16).collect()
}
