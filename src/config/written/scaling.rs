//! `PoolPolicy.scaling`, as written.

use serde::Deserialize;

/// `PoolPolicy.scaling`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct PoolScaling {
    pub(in crate::config) preset: Option<String>,
    pub(in crate::config) min_replicas: Option<u32>,
    pub(in crate::config) max_replicas: Option<u32>,
    pub(in crate::config) target_concurrency: Option<f64>,
    pub(in crate::config) cold_start: Option<String>,
    pub(in crate::config) targets: ScalingTargets,
    pub(in crate::config) scale_target_ref: ScaleTargetRef,
}

/// `PoolPolicy.holdAtZero`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct HoldAtZero {
    pub(in crate::config) max_requests: Option<u32>,
    pub(in crate::config) max_bytes: Option<u64>,
    pub(in crate::config) timeout: Option<String>,
}

/// `PoolPolicy.scaling.targets`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct ScalingTargets {
    pub(in crate::config) cpu: Option<u32>,
    pub(in crate::config) memory: Option<u32>,
    pub(in crate::config) requests_per_second: Option<f64>,
    pub(in crate::config) pending_requests: Option<u32>,
}

/// `PoolPolicy.scaling.scaleTargetRef`, as `autoscaling/v2` has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct ScaleTargetRef {
    pub(in crate::config) api_version: Option<String>,
    pub(in crate::config) kind: Option<String>,
    pub(in crate::config) name: Option<String>,
}
