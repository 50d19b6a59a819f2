//! `TrafficPolicy` as written. A section that is absent is `None`: another policy may fill it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::PortSelector;

/// `TrafficPolicy`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct TrafficPolicy {
    pub(in crate::config) connection_pool: Option<ConnectionPool>,
    pub(in crate::config) load_balancer: Option<LoadBalancer>,
    pub(in crate::config) outlier_detection: Option<OutlierDetection>,
    pub(in crate::config) tls: Option<ClientTls>,
    pub(in crate::config) port_level_settings: Vec<PortTrafficPolicy>,
    pub(in crate::config) retry_budget: Option<RetryBudget>,
}

/// `TrafficPolicy.RetryBudget`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct RetryBudget {
    pub(in crate::config) percent: Option<f64>,
    pub(in crate::config) min_retry_concurrency: u32,
}

/// `TrafficPolicy.PortTrafficPolicy`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct PortTrafficPolicy {
    pub(in crate::config) port: Option<PortSelector>,
    pub(in crate::config) connection_pool: Option<ConnectionPool>,
    pub(in crate::config) load_balancer: Option<LoadBalancer>,
    pub(in crate::config) outlier_detection: Option<OutlierDetection>,
    pub(in crate::config) tls: Option<ClientTls>,
}

/// `ConnectionPoolSettings`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct ConnectionPool {
    pub(in crate::config) tcp: TcpSettings,
    pub(in crate::config) http: HttpSettings,
}

/// `ConnectionPoolSettings.TCPSettings`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct TcpSettings {
    pub(in crate::config) connect_timeout: Option<String>,
    pub(in crate::config) max_connections: i32,
    pub(in crate::config) idle_timeout: Option<String>,
    pub(in crate::config) max_connection_duration: Option<String>,
    pub(in crate::config) tcp_keepalive: Option<TcpKeepalive>,
}

/// `ConnectionPoolSettings.TCPSettings.TcpKeepalive`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct TcpKeepalive {
    pub(in crate::config) probes: u32,
    pub(in crate::config) time: Option<String>,
    pub(in crate::config) interval: Option<String>,
}

/// `ConnectionPoolSettings.HTTPSettings`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct HttpSettings {
    pub(in crate::config) http1_max_pending_requests: i32,
    pub(in crate::config) http2_max_requests: i32,
    pub(in crate::config) max_requests_per_connection: i32,
    pub(in crate::config) h2_upgrade_policy: Option<String>,
    pub(in crate::config) max_retries: i32,
    pub(in crate::config) idle_timeout: Option<String>,
    pub(in crate::config) max_concurrent_streams: i32,
    pub(in crate::config) use_client_protocol: bool,
}

/// `LoadBalancerSettings`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct LoadBalancer {
    pub(in crate::config) simple: Option<String>,
    pub(in crate::config) consistent_hash: Option<ConsistentHash>,
    pub(in crate::config) warmup: Option<Warmup>,
    pub(in crate::config) warmup_duration_secs: Option<String>,
    pub(in crate::config) locality_lb_setting: Option<LocalityLbSetting>,
}

/// `LocalityLoadBalancerSetting`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct LocalityLbSetting {
    pub(in crate::config) enabled: Option<bool>,
    pub(in crate::config) distribute: Vec<Distribute>,
    pub(in crate::config) failover: Vec<RegionFailover>,
    pub(in crate::config) failover_priority: Vec<String>,
}

/// `LocalityLoadBalancerSetting.Distribute`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct Distribute {
    pub(in crate::config) from: String,
    pub(in crate::config) to: BTreeMap<String, u32>,
}

/// `LocalityLoadBalancerSetting.Failover`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct RegionFailover {
    pub(in crate::config) from: String,
    pub(in crate::config) to: String,
}

/// `LoadBalancerSettings.WarmupConfiguration`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct Warmup {
    pub(in crate::config) duration: String,
    pub(in crate::config) minimum_percent: Option<f64>,
    pub(in crate::config) aggression: Option<f64>,
}

/// `LoadBalancerSettings.ConsistentHashLB`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct ConsistentHash {
    pub(in crate::config) http_header_name: Option<String>,
    pub(in crate::config) http_cookie: Option<HttpCookie>,
    pub(in crate::config) use_source_ip: bool,
    pub(in crate::config) http_query_parameter_name: Option<String>,
    pub(in crate::config) ring_hash: Option<RingHash>,
    pub(in crate::config) maglev: Option<Maglev>,
    pub(in crate::config) minimum_ring_size: u64,
}

/// `LoadBalancerSettings.ConsistentHashLB.HTTPCookie`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct HttpCookie {
    pub(in crate::config) name: String,
    pub(in crate::config) path: String,
    pub(in crate::config) ttl: Option<String>,
    pub(in crate::config) attributes: Vec<CookieAttribute>,
}

/// `LoadBalancerSettings.ConsistentHashLB.HTTPCookie.Attribute`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct CookieAttribute {
    pub(in crate::config) name: String,
    pub(in crate::config) value: String,
}

/// `LoadBalancerSettings.ConsistentHashLB.RingHash`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct RingHash {
    pub(in crate::config) minimum_ring_size: u64,
}

/// `LoadBalancerSettings.ConsistentHashLB.MagLev`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct Maglev {
    pub(in crate::config) table_size: u64,
}

/// `OutlierDetection`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct OutlierDetection {
    #[serde(rename = "consecutive5xxErrors")]
    pub(in crate::config) consecutive_5xx_errors: Option<u32>,
    pub(in crate::config) consecutive_gateway_errors: Option<u32>,
    pub(in crate::config) consecutive_local_origin_failures: Option<u32>,
    pub(in crate::config) split_external_local_origin_errors: bool,
    pub(in crate::config) interval: Option<String>,
    pub(in crate::config) base_ejection_time: Option<String>,
    pub(in crate::config) max_ejection_percent: i32,
    pub(in crate::config) min_health_percent: i32,
}

/// `ClientTLSSettings`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct ClientTls {
    pub(in crate::config) mode: Option<String>,
    pub(in crate::config) client_certificate: Option<String>,
    pub(in crate::config) private_key: Option<String>,
    pub(in crate::config) ca_certificates: Option<String>,
    pub(in crate::config) ca_crl: Option<String>,
    pub(in crate::config) credential_name: Option<String>,
    pub(in crate::config) insecure_skip_verify: bool,
    pub(in crate::config) sni: Option<String>,
    pub(in crate::config) subject_alt_names: Vec<String>,
}
