//! Kubernetes' own kinds, as far as they say where a service's endpoints are. The API server has checked them; what is
//! not needed here is not looked at.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `metadata`, as far as it is needed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct Metadata {
    pub(in crate::config) labels: BTreeMap<String, String>,
    pub(in crate::config) annotations: BTreeMap<String, String>,
}

/// A `Service` of the core group.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct Service {
    pub(in crate::config) metadata: Metadata,
    pub(in crate::config) spec: ServiceSpec,
}

/// `Service.spec`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct ServiceSpec {
    #[serde(rename = "type")]
    pub(in crate::config) kind: String,
    #[serde(rename = "clusterIP")]
    pub(in crate::config) cluster_ip: String,
    /// Of a service of both address families.
    #[serde(rename = "clusterIPs")]
    pub(in crate::config) cluster_ips: Vec<String>,
    pub(in crate::config) external_name: String,
    pub(in crate::config) selector: BTreeMap<String, String>,
    pub(in crate::config) ports: Vec<ServicePort>,
}

/// `Service.spec.ports[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct ServicePort {
    pub(in crate::config) name: String,
    pub(in crate::config) port: u16,
    pub(in crate::config) protocol: String,
    pub(in crate::config) app_protocol: String,
    pub(in crate::config) target_port: Option<TargetPort>,
}

/// A port by number, or by the name it has in a pod.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::config) enum TargetPort {
    Number(u16),
    Name(serde::de::IgnoredAny),
}

/// An `EndpointSlice` of `discovery.k8s.io/v1`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct EndpointSlice {
    pub(in crate::config) metadata: Metadata,
    pub(in crate::config) endpoints: Vec<SliceEndpoint>,
    pub(in crate::config) ports: Vec<SlicePort>,
}

/// `EndpointSlice.endpoints[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct SliceEndpoint {
    pub(in crate::config) addresses: Vec<String>,
    pub(in crate::config) conditions: Conditions,
    pub(in crate::config) zone: String,
    pub(in crate::config) target_ref: TargetRef,
}

/// `EndpointSlice.endpoints[].conditions`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct Conditions {
    pub(in crate::config) ready: Option<bool>,
}

/// `EndpointSlice.endpoints[].targetRef`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct TargetRef {
    pub(in crate::config) kind: String,
    pub(in crate::config) name: String,
}

/// `EndpointSlice.ports[]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct SlicePort {
    pub(in crate::config) name: Option<String>,
    pub(in crate::config) port: Option<u16>,
}

/// A `Pod`, for the labels that subsets select by.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::config) struct Pod {
    pub(in crate::config) metadata: Metadata,
    pub(in crate::config) spec: PodSpec,
}

/// `Pod.spec`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct PodSpec {
    pub(in crate::config) node_name: String,
}
