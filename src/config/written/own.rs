//! The parts of `Settings` that say where this workload is, how it finds others, and what HTTP/2 may ask for.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `Settings.workload`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct OwnWorkload {
    pub(in crate::config) name: Option<String>,
    pub(in crate::config) namespace: Option<String>,
    pub(in crate::config) labels: BTreeMap<String, String>,
    pub(in crate::config) locality: String,
}

/// `Settings.scaling`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct Autoscaling {
    pub(in crate::config) external_scaler: Option<String>,
    pub(in crate::config) metrics_api: Option<MetricsApi>,
    pub(in crate::config) peers: Vec<String>,
    pub(in crate::config) peer_timeout: Option<String>,
}

/// `Settings.scaling.metricsApi`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct MetricsApi {
    pub(in crate::config) address: String,
    pub(in crate::config) certificate: String,
    pub(in crate::config) private_key: String,
    pub(in crate::config) client_ca: String,
    pub(in crate::config) allowed_names: Vec<String>,
}

/// `Settings.dns`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct NameServers {
    pub(in crate::config) servers: Vec<String>,
    pub(in crate::config) timeout: Option<String>,
    pub(in crate::config) start_timeout: Option<String>,
}

/// `Settings.limits.http2`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "as documents write them")]
pub(in crate::config) struct Http2Limits {
    pub(in crate::config) max_concurrent_streams: Option<u32>,
    pub(in crate::config) max_resets_per_second: Option<u32>,
    pub(in crate::config) max_control_frames_per_second: Option<u32>,
    pub(in crate::config) max_empty_frames_per_second: Option<u32>,
    pub(in crate::config) max_continuation_frames: Option<u32>,
}
