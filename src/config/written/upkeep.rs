//! `PoolPolicy.healthCheck`, `warmupRequest`, `loadReports` and `hedge`, as written.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `PoolPolicy.healthCheck`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct HealthCheck {
    pub(in crate::config) http: Option<RequestOfOwn>,
    pub(in crate::config) grpc: Option<GrpcCheck>,
    pub(in crate::config) interval: Option<String>,
    pub(in crate::config) unhealthy_interval: Option<String>,
    pub(in crate::config) no_traffic_interval: Option<String>,
    pub(in crate::config) timeout: Option<String>,
    pub(in crate::config) unhealthy_threshold: Option<u32>,
    pub(in crate::config) healthy_threshold: Option<u32>,
}

/// `PoolPolicy.healthCheck.http` and `PoolPolicy.warmupRequest`; the schema says which fields each has.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct RequestOfOwn {
    pub(in crate::config) path: String,
    pub(in crate::config) host: Option<String>,
    pub(in crate::config) method: Option<String>,
    pub(in crate::config) headers: BTreeMap<String, String>,
    pub(in crate::config) body: Option<String>,
    pub(in crate::config) expected_statuses: Vec<u16>,
    pub(in crate::config) retriable_statuses: Vec<u16>,
    pub(in crate::config) timeout: Option<String>,
    pub(in crate::config) attempts: Option<u32>,
    pub(in crate::config) backoff: Option<String>,
}

/// `PoolPolicy.healthCheck.grpc`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct GrpcCheck {
    pub(in crate::config) service: String,
    pub(in crate::config) authority: Option<String>,
}

/// `PoolPolicy.loadReports`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct LoadReports {
    pub(in crate::config) orca: Option<String>,
    pub(in crate::config) metrics: Option<MetricsPage>,
}

/// `PoolPolicy.loadReports.metrics`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct MetricsPage {
    pub(in crate::config) path: Option<String>,
    pub(in crate::config) port: Option<u16>,
    pub(in crate::config) interval: Option<String>,
}

/// `PoolPolicy.hedge`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct Hedge {
    pub(in crate::config) delay: Option<String>,
    pub(in crate::config) percentile: Option<f64>,
    pub(in crate::config) methods: Option<String>,
}
