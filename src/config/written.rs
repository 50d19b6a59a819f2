//! Documents as written: the fields that are executed, one to one, after the schema walk has taken out what is wrong.

mod actions;
mod gateway;
pub(super) mod kubernetes;
mod model;
mod own;
mod route_policy;
mod scaling;
mod service_entry;
mod sorted;
mod tracing;
mod traffic;
pub(super) mod upkeep;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::models::{ExecutionProvider, ModelKind, Pooling};

pub(super) use actions::{
    CorsPolicy, HeaderOperations, Headers, HttpBody, HttpDirectResponse, HttpFault, HttpFaultAbort, HttpFaultDelay,
    HttpMirrorPolicy, HttpRedirect, HttpRetry, HttpRewrite, Percent, RegexRewrite,
};

pub(super) use gateway::{Gateway, Server as GatewayServer, ServerTls as GatewayTls};

pub(super) use model::{ModelDocument, ModelVersion};
pub(super) use own::{Autoscaling, Http2Limits, MetricsApi};
use own::{NameServers, OwnWorkload};
pub(super) use route_policy::{RateLimit, RoutePolicy};
pub(super) use scaling::{HoldAtZero, PoolScaling, ScaleTargetRef, ScalingTargets};
pub(super) use service_entry::{ServiceEntry, ServicePort, WorkloadEntry};
pub(super) use sorted::{Sourced, Written, judge, sort};
pub(super) use tracing::{Otlp, Tracing};
pub(super) use traffic::{
    ClientTls, ConnectionPool, ConsistentHash, Distribute, HttpCookie, LoadBalancer, LocalityLbSetting,
    OutlierDetection, PortTrafficPolicy, RetryBudget, TcpKeepalive, TrafficPolicy,
};

/// A `VirtualService`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct VirtualService {
    pub(super) hosts: Vec<String>,
    pub(super) gateways: Vec<String>,
    pub(super) export_to: Vec<String>,
    pub(super) http: Vec<HttpRoute>,
}

/// `HTTPRoute`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HttpRoute {
    pub(super) name: Option<String>,
    #[serde(rename = "match")]
    pub(super) matches: Vec<HttpMatchRequest>,
    pub(super) route: Vec<HttpRouteDestination>,
    pub(super) timeout: Option<String>,
    pub(super) headers: Headers,
    pub(super) rewrite: Option<HttpRewrite>,
    pub(super) redirect: Option<HttpRedirect>,
    pub(super) direct_response: Option<HttpDirectResponse>,
    pub(super) fault: Option<HttpFault>,
    pub(super) delegate: Option<Delegate>,
    pub(super) cors_policy: Option<CorsPolicy>,
    pub(super) retries: Option<HttpRetry>,
    pub(super) mirror: Option<Destination>,
    pub(super) mirrors: Vec<HttpMirrorPolicy>,
    pub(super) mirror_percentage: Option<Percent>,
    #[serde(alias = "mirror_percent")]
    pub(super) mirror_percent: Option<u32>,
}

/// `Delegate`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delegate {
    pub(super) name: String,
    pub(super) namespace: String,
}

/// `HTTPMatchRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HttpMatchRequest {
    pub(super) name: Option<String>,
    pub(super) uri: Option<StringMatch>,
    pub(super) scheme: Option<StringMatch>,
    pub(super) method: Option<StringMatch>,
    pub(super) authority: Option<StringMatch>,
    pub(super) headers: BTreeMap<String, Option<StringMatch>>,
    pub(super) without_headers: BTreeMap<String, Option<StringMatch>>,
    pub(super) query_params: BTreeMap<String, Option<StringMatch>>,
    pub(super) port: Option<u32>,
    pub(super) ignore_uri_case: bool,
    pub(super) gateways: Vec<String>,
    pub(super) source_labels: BTreeMap<String, String>,
    pub(super) source_namespace: String,
}

/// `StringMatch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct StringMatch {
    pub(super) exact: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) regex: Option<String>,
}

/// `HTTPRouteDestination`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HttpRouteDestination {
    pub(super) destination: Destination,
    pub(super) weight: i32,
    pub(super) headers: Headers,
}

/// `Destination`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Destination {
    pub(super) host: String,
    pub(super) subset: Option<String>,
    pub(super) port: Option<PortSelector>,
}

/// `PortSelector`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PortSelector {
    pub(super) number: u32,
}

/// A `DestinationRule`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DestinationRule {
    pub(super) host: String,
    pub(super) subsets: Vec<Subset>,
    pub(super) traffic_policy: TrafficPolicy,
    pub(super) export_to: Vec<String>,
    pub(super) workload_selector: Option<WorkloadSelector>,
}

/// `WorkloadSelector` of `istio.type.v1beta1`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WorkloadSelector {
    pub(super) match_labels: BTreeMap<String, String>,
}

/// `Subset`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Subset {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) traffic_policy: TrafficPolicy,
}

/// `Settings`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Settings {
    pub(super) listen: Option<String>,
    pub(super) admin: Option<String>,
    pub(super) workers: Option<u32>,
    pub(super) backlog: Option<u32>,
    pub(super) keepalive: Option<String>,
    pub(super) max_connection_age: Option<String>,
    pub(super) header_timeout: Option<String>,
    pub(super) max_header_bytes: Option<u32>,
    pub(super) drain: Drain,
    pub(super) access_log: Option<bool>,
    pub(super) log: Option<String>,
    pub(super) workload: OwnWorkload,
    pub(super) gateway: Option<GatewayRole>,
    pub(super) secrets_folder: Option<String>,
    pub(super) outbound_traffic_policy: Option<OutboundTrafficPolicy>,
    pub(super) dns: NameServers,
    pub(super) limits: RequestLimits,
    pub(super) local_model: Option<ModelFiles>,
    pub(super) istio_certificates: Option<String>,
    pub(super) scaling: Autoscaling,
    pub(super) tracing: Tracing,
}

/// `Settings.drain`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Drain {
    pub(super) delay: Option<String>,
    pub(super) timeout: Option<String>,
}

/// `Settings.outboundTrafficPolicy`, as in Istio's `MeshConfig`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OutboundTrafficPolicy {
    pub(super) mode: Option<String>,
}

/// `Settings.gateway`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GatewayRole {
    pub(super) address: Option<String>,
    pub(super) ports: BTreeMap<String, u16>,
}

/// `Settings.limits`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RequestLimits {
    pub(super) max_body_bytes: Option<u64>,
    pub(super) max_rate_limit_keys: Option<u32>,
    pub(super) max_connections: Option<u32>,
    pub(super) max_headers: Option<u32>,
    pub(super) max_retry_buffer_bytes: Option<u64>,
    pub(super) http2: Http2Limits,
    pub(super) request_timeout: Option<String>,
    pub(super) stream_idle_timeout: Option<String>,
    pub(super) trust_forwarded_proto: bool,
}

/// `Settings.localModel`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ModelFiles {
    pub(super) folder: String,
    pub(super) version: Option<String>,
    pub(super) model_ref: Option<String>,
    pub(super) cores: Vec<u32>,
    pub(super) readiness: Option<String>,
    pub(super) batch_window: Option<String>,
    pub(super) max_batch_tokens: Option<u32>,
    pub(super) queue_tokens: Option<u32>,
    pub(super) queue_bytes: Option<u32>,
    pub(super) tokenizer_cache: Option<u32>,
    pub(super) file: Option<String>,
    pub(super) library: Option<String>,
    pub(super) threads: Option<u32>,
    pub(super) max_batch: Option<u32>,
    pub(super) queue: Option<u32>,
    #[serde(flatten)]
    pub(super) encoding: WrittenEncoding,
    pub(super) execution_providers: Vec<ExecutionProvider>,
    pub(super) models: Vec<WrittenModel>,
}

/// What `Settings.localModel` and each of its `models` say of how vectors are made.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WrittenEncoding {
    pub(super) name: Option<String>,
    pub(super) pooling: Option<Pooling>,
    pub(super) normalize: Option<bool>,
    pub(super) max_tokens: Option<u32>,
    pub(super) prompts: BTreeMap<String, String>,
    pub(super) default_prompt: Option<String>,
    pub(super) matryoshka_dimensions: Vec<u32>,
}

/// `Settings.localModel.models[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WrittenModel {
    pub(super) folder: Option<String>,
    pub(super) file: Option<String>,
    pub(super) kind: Option<ModelKind>,
    #[serde(flatten)]
    pub(super) encoding: WrittenEncoding,
}

/// A `PoolPolicy`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PoolPolicy {
    pub(super) host: String,
    pub(super) subset: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) tier: Option<String>,
    pub(super) slots_per_endpoint: Option<u32>,
    pub(super) slots_per_pool: Option<u32>,
    pub(super) slots: Option<Slots>,
    pub(super) queue: PendingQueue,
    pub(super) spill_to: Vec<SpillTarget>,
    pub(super) local_model: Option<String>,
    pub(super) latency_objective: Option<String>,
    pub(super) scaling: Option<PoolScaling>,
    pub(super) hold_at_zero: Option<HoldAtZero>,
    pub(super) load_balancer: Option<String>,
    pub(super) latency_decay: Option<String>,
    pub(super) health_check: Option<upkeep::HealthCheck>,
    pub(super) warmup_request: Option<upkeep::RequestOfOwn>,
    pub(super) load_reports: Option<upkeep::LoadReports>,
    pub(super) hedge: Option<upkeep::Hedge>,
}

/// `PoolPolicy.queue`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PendingQueue {
    pub(super) max_pending: Option<u32>,
    pub(super) timeout: Option<String>,
    pub(super) order: Option<String>,
}

/// `PoolPolicy.slots`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Slots {
    pub(super) mode: Option<String>,
    pub(super) min: Option<u32>,
    pub(super) max: Option<u32>,
}

/// `PoolPolicy.spillTo[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SpillTarget {
    pub(super) host: String,
    pub(super) subset: Option<String>,
    pub(super) port: Option<u16>,
}
