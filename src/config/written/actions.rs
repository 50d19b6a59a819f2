//! What an `HTTPRoute` does beside choosing a destination, as written.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `Headers`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct Headers {
    pub(in crate::config) request: HeaderOperations,
    pub(in crate::config) response: HeaderOperations,
}

/// `Headers.HeaderOperations`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct HeaderOperations {
    pub(in crate::config) set: BTreeMap<String, String>,
    pub(in crate::config) add: BTreeMap<String, String>,
    pub(in crate::config) remove: Vec<String>,
}

/// `HTTPRewrite`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct HttpRewrite {
    pub(in crate::config) uri: String,
    pub(in crate::config) authority: String,
    pub(in crate::config) uri_regex_rewrite: Option<RegexRewrite>,
}

/// `RegexRewrite`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct RegexRewrite {
    #[serde(rename = "match")]
    pub(in crate::config) pattern: String,
    pub(in crate::config) rewrite: String,
}

/// `HTTPRedirect`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct HttpRedirect {
    pub(in crate::config) uri: String,
    pub(in crate::config) prefix_rewrite: String,
    pub(in crate::config) authority: String,
    pub(in crate::config) scheme: String,
    pub(in crate::config) port: Option<u32>,
    pub(in crate::config) derive_port: Option<String>,
    pub(in crate::config) redirect_code: u32,
}

/// `HTTPDirectResponse`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct HttpDirectResponse {
    pub(in crate::config) status: u32,
    pub(in crate::config) body: Option<HttpBody>,
}

/// `HTTPBody`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct HttpBody {
    pub(in crate::config) string: Option<String>,
    pub(in crate::config) bytes: Option<String>,
}

/// `HTTPFaultInjection`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct HttpFault {
    pub(in crate::config) delay: Option<HttpFaultDelay>,
    pub(in crate::config) abort: Option<HttpFaultAbort>,
}

/// `HTTPFaultInjection.Delay`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct HttpFaultDelay {
    pub(in crate::config) fixed_delay: Option<String>,
    pub(in crate::config) percent: i32,
    pub(in crate::config) percentage: Option<Percent>,
}

/// `HTTPFaultInjection.Abort`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct HttpFaultAbort {
    pub(in crate::config) http_status: Option<i32>,
    pub(in crate::config) grpc_status: Option<String>,
    pub(in crate::config) percentage: Option<Percent>,
}

/// `HTTPRetry`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct HttpRetry {
    pub(in crate::config) attempts: i32,
    pub(in crate::config) per_try_timeout: Option<String>,
    pub(in crate::config) retry_on: String,
    pub(in crate::config) retry_remote_localities: bool,
    pub(in crate::config) retry_ignore_previous_hosts: Option<bool>,
    pub(in crate::config) backoff: Option<String>,
}

/// `HTTPMirrorPolicy`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct HttpMirrorPolicy {
    pub(in crate::config) destination: super::Destination,
    pub(in crate::config) percentage: Option<Percent>,
}

/// `Percent`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct Percent {
    pub(in crate::config) value: f64,
}

/// `CorsPolicy`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct CorsPolicy {
    pub(in crate::config) allow_origin: Vec<String>,
    pub(in crate::config) allow_origins: Vec<super::StringMatch>,
    pub(in crate::config) allow_methods: Vec<String>,
    pub(in crate::config) allow_headers: Vec<String>,
    pub(in crate::config) expose_headers: Vec<String>,
    pub(in crate::config) max_age: Option<String>,
    pub(in crate::config) allow_credentials: bool,
    pub(in crate::config) unmatched_preflights: Option<String>,
}
