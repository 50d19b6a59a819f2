//! How autoscalers are told of the demand, as meant.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Address, TlsServer};

/// How autoscalers are told of the demand, beside the admin API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaling {
    /// Where KEDA's external scaler is served; `None` serves none.
    pub external_scaler: Option<SocketAddr>,
    /// Where Kubernetes' metric APIs are served; `None` serves none.
    pub metrics_api: Option<MetricsApi>,
    /// The admin addresses of routers that answer together with this one, or names that have several.
    pub peers: Vec<Address>,
    /// How long a peer may take to answer.
    pub peer_timeout: Duration,
}

/// `external.metrics.k8s.io` and `custom.metrics.k8s.io`, as an API that Kubernetes' own asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsApi {
    /// Where it is served.
    pub address: SocketAddr,
    /// What it shows, and whose certificates it believes.
    pub server: TlsServer,
    /// The common names that a front proxy may have; any of its authority where there are none.
    pub allowed_names: Vec<Box<str>>,
}
