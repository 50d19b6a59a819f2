//! The parts of `Settings` that say where this workload is and how it finds others.

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
    pub(in crate::config) peers: Vec<String>,
    pub(in crate::config) peer_timeout: Option<String>,
}

/// `Settings.dns`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct NameServers {
    pub(in crate::config) servers: Vec<String>,
    pub(in crate::config) timeout: Option<String>,
    pub(in crate::config) start_timeout: Option<String>,
}
