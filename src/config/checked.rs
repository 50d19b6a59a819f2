//! Configuration as meant: what the documents say once every reference is resolved and every value is in range.
//!
//! Nothing here can be wrong, so nothing behind it validates again: a split names pools that exist, weights add up to
//! something, and expressions are compiled.

mod autoscaling;
mod tracing;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::batching::Batching;
use super::model_versions::Rollout;
use super::models::{Encoding, ExecutionProvider, NamedModel};
use super::problem::Place;
use crate::domain::{
    AdaptiveSlots, CorsPolicy, Fault, Headers, Hedge, Hold, HostPattern, Http2Limits, Locality, Original, OwnAnswer,
    Percentage, PoolKey, QueueOrder, RetryPolicy, Rewrite, RoutePolicy, Scaling, ServerTls, StringMatch, Tier,
    TrafficPolicy, Upkeep,
};
pub use crate::domain::{Address, Protocol};
pub use autoscaling::{Autoscaling, MetricsApi};
pub use tracing::{Otlp, OtlpProtocol, Tracing};

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What takes effect at the next reload.
    pub limits: Limits,
    /// What takes effect at the next start alone.
    pub startup: Startup,
    /// The local model, which is loaded anew beside the one in force; `None` leaves the local tier off.
    pub local_model: Option<LocalModel>,
    /// The hosts served, each with its rules in the order in which they are tried.
    pub virtual_hosts: Vec<VirtualHost>,
    /// Every pool that a rule or another pool names; [`PoolIndex`] points into it.
    pub pools: Vec<Pool>,
}

/// The place of a pool in [`Checked::pools`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolIndex(pub usize);

/// Settings that a reload applies to requests that arrive after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest request body, in bytes.
    pub max_body_bytes: u64,
    /// The keys of rate limits that are counted at a time, over all limits.
    pub max_rate_limit_keys: u32,
    /// The connections that one listener has open; `None` is any number.
    pub max_connections: Option<NonZeroU32>,
    /// The fields that the head of an HTTP/2 request has at most.
    pub max_headers: u32,
    /// The bytes of bodies that are kept for retries, over all requests.
    pub max_retry_buffer_bytes: u64,
    /// What one HTTP/2 connection may ask for.
    pub http2: Http2Limits,
    /// How long a request may take until its answer begins, where its route sets no `timeout`.
    pub request_timeout: Duration,
    /// How long a body may stand still, in either direction.
    pub stream_idle_timeout: Duration,
    /// Whether the `X-Forwarded-Proto` of a client is believed and passed on.
    pub trust_forwarded_proto: bool,
    /// How many requests are traced, of those of which nobody has decided it.
    pub trace_sampling: Percentage,
}

/// Settings that need a restart: changing one while running is a named problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Startup {
    /// Where the mesh's traffic is accepted; `None` for a gateway that serves its own ports alone.
    pub listen: Option<SocketAddr>,
    /// Where a gateway's traffic is accepted, beside it.
    pub listeners: Vec<Listener>,
    /// Where the admin API is served.
    pub admin: SocketAddr,
    /// Traffic threads; `None` is one per available core.
    pub workers: Option<NonZeroU32>,
    /// The listen backlog, in connections.
    pub backlog: u32,
    /// How long an idle client connection is kept.
    pub keepalive: Duration,
    /// How long a client connection takes requests; `None` is for good.
    pub max_connection_age: Option<Duration>,
    /// How long a client may take to send a request's head.
    pub header_timeout: Duration,
    /// The largest head of a request, in bytes.
    pub max_header_bytes: u32,
    /// How long a drain waits for requests in flight.
    pub drain_timeout: Duration,
    /// How long a drain keeps accepting connections after readiness has failed, so that load balancers notice first.
    pub drain_delay: Duration,
    /// Whether requests are logged.
    pub access_log: bool,
    /// The filter of the program's own log, in `tracing`'s directive syntax.
    pub log: String,
    /// The workload that this router is part of.
    pub workload: Workload,
    /// How names are resolved.
    pub dns: Dns,
    /// How autoscalers are told of the demand.
    pub scaling: Autoscaling,
    /// Where traces go.
    pub tracing: Tracing,
}

/// How names are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// The servers that are asked; none asks those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// How long the addresses of a name may take to find.
    pub timeout: Duration,
    /// How long readiness waits for the first answers.
    pub start_timeout: Duration,
}

/// A port of a gateway: its servers, bound to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The port of the `Gateway`, which rules are matched by.
    pub port: u16,
    /// Where it is bound.
    pub address: SocketAddr,
    /// The servers that speak TLS, of which a client's server name chooses one; none of them is plain text.
    pub tls: Vec<TlsServer>,
}

/// A server of a gateway that speaks TLS.
#[derive(Clone, Debug)]
pub struct TlsServer {
    /// The hosts that it serves.
    pub hosts: Vec<HostPattern>,
    /// What it shows and asks for.
    pub tls: ServerTls,
    /// Where its settings stand.
    pub place: Place,
}

impl PartialEq for TlsServer {
    /// Settings that have moved within their document are the same settings.
    fn eq(&self, other: &Self) -> bool {
        (&self.hosts, &self.tls) == (&other.hosts, &other.tls)
    }
}

impl Eq for TlsServer {}

/// Whether the router says that it is ready before the local model is loaded, or has been refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelReadiness {
    /// It waits.
    #[default]
    Wait,
    /// It does not: what can be forwarded is, and what would spill to the local model is refused until then.
    Ignore,
}

/// Where the local model comes from and what it may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalModel {
    /// The folder that holds the files below; relative paths in the documents are resolved against the process's folder.
    pub folder: PathBuf,
    /// The ONNX file's name in the folder.
    pub file: String,
    /// The ONNX Runtime library; `None` looks for `libonnxruntime.so*` in the folder.
    pub library: Option<PathBuf>,
    /// Which versions of it are served.
    pub rollout: Rollout,
    /// Whether the router is ready before it is loaded.
    pub readiness: ModelReadiness,
    /// How texts are gathered before they are computed.
    pub batching: Batching,
    /// The cores that the inference threads keep to, by their numbers; none lets the kernel choose.
    pub cores: Vec<u32>,
    /// Inference threads, one session each.
    pub threads: NonZeroU32,
    /// The most texts computed in one run.
    pub max_batch: NonZeroU32,
    /// The most texts waiting.
    pub queue: NonZeroU32,
    /// How it makes vectors of texts.
    pub encoding: Encoding,
    /// What is to compute, the most wanted first; the CPU comes after them all.
    pub execution_providers: Vec<ExecutionProvider>,
    /// The models served beside it, each by a name that no other has.
    pub models: Vec<NamedModel>,
}

/// The workload that this router is part of: a sidecar's application, or the gateway itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The workload's name.
    pub name: String,
    /// Its namespace; short host names without one of their own resolve in it.
    pub namespace: String,
    /// Its labels, as its pods have them, and those of its locality.
    pub labels: BTreeMap<String, String>,
    /// Where it runs.
    pub locality: Locality,
}

/// Where requests come in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entry {
    /// The mesh's own listener.
    Mesh,
    /// The servers of a gateway's port that speak in clear, or the one that clients reach by these server names.
    Gateway {
        /// The port of the `Gateway`.
        port: u16,
        /// The server names (RFC 6066, section 3) of a server that speaks TLS; none in clear.
        server_names: Vec<HostPattern>,
    },
}

/// Hosts that share rules: one `VirtualService`, or one service without any.
#[derive(Clone, Debug)]
pub struct VirtualHost {
    /// Where its requests come in.
    pub entry: Entry,
    /// The patterns of the request's host that lead here, short names written out.
    pub hosts: Vec<HostPattern>,
    /// The rules; the first that matches wins.
    pub routes: Vec<Route>,
}

/// One `http` rule.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// `namespace/virtual-service/rule`, unique in the configuration; the rule's name, or its index where it has none.
    pub name: String,
    /// Where the rule stands: `file:line`.
    pub origin: String,
    /// The document that it is of, as `VirtualService namespace/name`.
    pub document: String,
    /// The alternatives; empty matches everything.
    pub matches: Vec<RouteMatch>,
    /// The weighted destinations; none where the rule answers itself.
    pub split: Vec<Share>,
    /// The answer that it gives in place of a destination's.
    pub answer: Option<OwnAnswer>,
    /// What it does to headers.
    pub headers: Headers,
    /// What it rewrites before a request goes to a destination.
    pub rewrite: Rewrite,
    /// What it does to requests on purpose.
    pub fault: Option<Fault>,
    /// What scripts of other origins may do.
    pub cors: Option<CorsPolicy>,
    /// The rule's own deadline for the whole exchange; `Some(ZERO)` is none at all, `None` leaves it to the limits.
    pub timeout: Option<Duration>,
    /// What is sent again where it fails; `None` is [`RetryPolicy::DEFAULT`].
    pub retries: Option<RetryPolicy>,
    /// The destinations that are sent a copy.
    pub mirrors: Vec<Mirror>,
    /// What its `RoutePolicy` says; several rules may have one and the same.
    pub policy: Option<Arc<RoutePolicy>>,
}

/// A destination that is sent a copy of requests, and whose answers are thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The pool.
    pub pool: PoolIndex,
    /// How many of the requests it is sent.
    pub share: Percentage,
}

/// Conditions that must all hold: Istio's `HTTPMatchRequest`.
#[derive(Clone, Debug, Default)]
pub struct RouteMatch {
    /// The match's own name.
    pub name: Option<String>,
    /// The path, without the query.
    pub uri: Option<StringMatch>,
    /// Whether `uri` ignores case.
    pub ignore_uri_case: bool,
    /// `http` or `https`.
    pub scheme: Option<StringMatch>,
    /// The method.
    pub method: Option<StringMatch>,
    /// The Host header or `:authority`, with its port.
    pub authority: Option<StringMatch>,
    /// The port that the request came in on.
    pub port: Option<u16>,
    /// Headers that must match, by lower-case name.
    pub headers: Vec<(http::HeaderName, StringMatch)>,
    /// Headers that must not match.
    pub without_headers: Vec<(http::HeaderName, StringMatch)>,
    /// Claims of a validated token that must match, by the names of their headers: no request has any here.
    pub claims: Vec<(String, StringMatch)>,
    /// Claims that must not match.
    pub without_claims: Vec<(String, StringMatch)>,
    /// Query parameters that must match.
    pub query_params: Vec<(String, StringMatch)>,
}

/// One destination of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The pool.
    pub pool: PoolIndex,
    /// Its share is this over the sum. At least one of a split is over zero.
    pub weight: u32,
    /// What it does to headers: behind the rule's operations where it is the only one, before them otherwise.
    pub headers: Headers,
}

/// The endpoints behind one destination, and the limits on their use.
#[derive(Clone, Debug)]
pub struct Pool {
    /// What it is called.
    pub key: PoolKey,
    /// Which tier it is; `None` where no `PoolPolicy` says.
    pub tier: Option<Tier>,
    /// What its endpoints speak.
    pub protocol: Protocol,
    /// Its endpoints, in the order of the documents.
    pub endpoints: Vec<Endpoint>,
    /// Where its requests go in place of an endpoint.
    pub original: Option<Original>,
    /// Requests in flight that one endpoint takes; where an adaptive limit begins.
    pub slots_per_endpoint: NonZeroU32,
    /// The bounds of a limit that follows the latency of each endpoint; `None` keeps it fixed.
    pub adaptive_slots: Option<AdaptiveSlots>,
    /// Requests in flight that all endpoints together take, where its policy says so.
    pub slots_per_pool: Option<NonZeroU32>,
    /// What waits once nothing else can serve.
    pub queue: Queue,
    /// Where a request goes next, in order.
    pub spill_to: Vec<PoolIndex>,
    /// Whether the local model may answer once `spill_to` is exhausted.
    pub local_model: bool,
    /// The latency that the pool's users expect.
    pub latency_objective: Option<Duration>,
    /// What it is scaled by; `None` where no `PoolPolicy` says.
    pub scaling: Option<Scaling>,
    /// The room where requests wait for its first endpoint; `None` holds none.
    pub hold: Option<Hold>,
    /// What its endpoints are asked beside requests.
    pub upkeep: Upkeep,
    /// When a request that is slow to be answered is sent a second time.
    pub hedge: Option<Hedge>,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// What its `DestinationRule` asks.
    pub traffic: TrafficPolicy,
    /// Where the TLS settings among it stand; empty where there are none.
    pub tls_place: Place,
    /// The facts that Istio's metrics label this destination by.
    pub service: ServiceIdentity,
}

/// A bounded place to wait for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The most requests that wait; zero waits for nothing.
    pub max_pending: u32,
    /// How long one waits at most.
    pub timeout: Duration,
    /// Which of one priority is served first.
    pub order: QueueOrder,
}

/// One endpoint of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it listens.
    pub address: Address,
    /// Its weight among its pool's endpoints, at least 1.
    pub weight: NonZeroU32,
    /// Its labels, those of its locality and network among them.
    pub labels: Arc<BTreeMap<String, String>>,
    /// Where it runs.
    pub locality: Locality,
}

/// The `destination_service*` labels of Istio's metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceIdentity {
    /// `destination_service`: the fully qualified host.
    pub host: String,
    /// `destination_service_name`: the first label of a Kubernetes host, else the whole host.
    pub name: String,
    /// `destination_service_namespace`.
    pub namespace: String,
    /// `destination_workload`: the endpoints' `app` label, else the service's name.
    pub workload: String,
    /// `destination_version`: the endpoints' `version` label, else the subset, else `unknown`.
    pub version: String,
}
