//! The kinds of `suoke.life/v1`, by which models are released.

use serde::Deserialize;

/// A document of the group.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct ModelDocument<S> {
    pub(in crate::config) spec: S,
}

/// An `AIModel`: a model and the version of it that is released.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct AiModel {
    pub(in crate::config) version: Option<String>,
}

/// A `ModelVersion`: a version of a model that is to be served.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct ModelVersion {
    pub(in crate::config) model_ref: String,
    pub(in crate::config) version: String,
    pub(in crate::config) canary_deployment: Option<CanaryDeployment>,
}

/// `ModelVersion.canaryDeployment`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct CanaryDeployment {
    pub(in crate::config) enabled: bool,
    pub(in crate::config) traffic_percentage: i64,
}
