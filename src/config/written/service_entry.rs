//! `ServiceEntry` as written.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A `ServiceEntry`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct ServiceEntry {
    pub(in crate::config) hosts: Vec<String>,
    pub(in crate::config) addresses: Vec<String>,
    pub(in crate::config) export_to: Vec<String>,
    pub(in crate::config) ports: Vec<ServicePort>,
    pub(in crate::config) location: Option<String>,
    pub(in crate::config) resolution: Option<String>,
    pub(in crate::config) subject_alt_names: Vec<String>,
    pub(in crate::config) endpoints: Vec<WorkloadEntry>,
}

/// `ServicePort`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct ServicePort {
    pub(in crate::config) number: u16,
    pub(in crate::config) name: String,
    pub(in crate::config) protocol: String,
    pub(in crate::config) target_port: Option<u16>,
}

/// `WorkloadEntry`, as an endpoint of a `ServiceEntry`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct WorkloadEntry {
    pub(in crate::config) address: String,
    pub(in crate::config) ports: BTreeMap<String, u16>,
    pub(in crate::config) labels: BTreeMap<String, String>,
    pub(in crate::config) weight: u32,
    pub(in crate::config) locality: String,
    pub(in crate::config) network: String,
}
