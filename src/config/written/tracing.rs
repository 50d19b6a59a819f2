//! `Settings.tracing` as written.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `Settings.tracing`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct Tracing {
    pub(in crate::config) otlp: Option<Otlp>,
    pub(in crate::config) sampling_percentage: Option<f64>,
    pub(in crate::config) service_name: Option<String>,
}

/// `Settings.tracing.otlp`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct Otlp {
    pub(in crate::config) endpoint: String,
    pub(in crate::config) protocol: Option<String>,
    pub(in crate::config) headers: BTreeMap<String, String>,
    pub(in crate::config) timeout: Option<String>,
    pub(in crate::config) ca_certificates: Option<String>,
}
