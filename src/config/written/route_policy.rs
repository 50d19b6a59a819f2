//! `RoutePolicy` as written.

use serde::Deserialize;

/// A `RoutePolicy`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct RoutePolicy {
    /// A name in the policy's namespace, or `namespace/name`.
    pub(in crate::config) virtual_service: String,
    pub(in crate::config) route: Option<String>,
    pub(in crate::config) rate_limits: Vec<RateLimit>,
    pub(in crate::config) priority: Option<String>,
    pub(in crate::config) latency_objective: Option<String>,
}

/// `RoutePolicy.rateLimits[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct RateLimit {
    pub(in crate::config) name: Option<String>,
    pub(in crate::config) requests: u32,
    pub(in crate::config) unit: Option<String>,
    pub(in crate::config) window: Option<String>,
    pub(in crate::config) burst: Option<u32>,
    pub(in crate::config) key: Option<RateLimitKey>,
}

/// `RoutePolicy.rateLimits[].key`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct RateLimitKey {
    pub(in crate::config) http_header_name: Option<String>,
    pub(in crate::config) use_source_ip: bool,
}
