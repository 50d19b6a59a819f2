//! What a pool is scaled by, as JSON.

use serde_json::{Value, json};

use super::tls::tls_server;
use crate::config::checked::Autoscaling;
use crate::domain::{Hold, Preset, ScaleTarget, Scaling, Targets, format_duration};

/// How autoscalers are told.
pub(super) fn autoscaling(ways: &Autoscaling) -> Value {
    json!({
        "externalScaler": ways.external_scaler.map(|address| address.to_string()),
        "metricsApi": ways.metrics_api.as_ref().map(|api| json!({
            "address": api.address.to_string(),
            "server": tls_server(&api.server),
            "allowedNames": api.allowed_names,
        })),
        "peers": ways.peers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "peerTimeout": format_duration(ways.peer_timeout),
    })
}

pub(super) fn hold(hold: &Hold) -> Value {
    json!({
        "maxRequests": hold.max_requests,
        "maxBytes": hold.max_bytes,
        "timeout": format_duration(hold.timeout),
    })
}

/// As it is written; `null` is left to the preset.
pub(super) fn scaling(scaling: &Scaling) -> Value {
    let Targets { cpu, memory, requests_per_second, pending_requests } = scaling.targets;
    let ScaleTarget { api_version, kind, name } = &scaling.scale_target;
    json!({
        "preset": scaling.preset.map(Preset::as_str),
        "minReplicas": scaling.min_replicas,
        "maxReplicas": scaling.max_replicas,
        "targetConcurrency": scaling.target_concurrency,
        "coldStart": format_duration(scaling.cold_start()),
        "targets": {
            "cpu": cpu,
            "memory": memory,
            "requestsPerSecond": requests_per_second,
            "pendingRequests": pending_requests,
        },
        "scaleTargetRef": { "apiVersion": api_version, "kind": kind, "name": name },
    })
}
