//! What a traffic policy asks of a pool: Istio's `TrafficPolicy`, once it is checked.

use std::num::NonZeroU32;
use std::time::Duration;

use http::HeaderName;

use super::{ClientTls, ConnectionSettings, LocalityBalancing, RetryBudget};

/// The policy of one pool. Its default is what Istio does without any `DestinationRule`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrafficPolicy {
    /// How an endpoint is chosen.
    pub load_balancer: LoadBalancer,
    /// The limits on connections and requests.
    pub connection_pool: ConnectionPool,
    /// When an endpoint is ejected for its answers; `None` leaves it to its connections alone.
    pub outlier_detection: Option<OutlierDetection>,
    /// How connections to the endpoints are secured; `None` speaks in clear.
    pub tls: Option<ClientTls>,
    /// The most retries at once; `None` leaves it to [`ConnectionPool::max_retries`].
    pub retry_budget: Option<RetryBudget>,
}

/// Istio's `LoadBalancerSettings`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadBalancer {
    /// The choice among the endpoints.
    pub balancing: Balancing,
    /// The choice among their localities, which comes first.
    pub locality: LocalityBalancing,
    /// How an endpoint that is new gets its share; `None` gives it all at once.
    pub warmup: Option<Warmup>,
}

/// Istio's `WarmupConfiguration`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup {
    /// How long an endpoint is new.
    pub duration: Duration,
    /// What it gets at first, in percent of its share.
    pub minimum_percent: f64,
    /// At 1 what it gets grows evenly; above that, faster at first.
    pub aggression: f64,
}

/// How an endpoint is chosen among those of a pool; every way respects the endpoints' weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Balancing {
    /// The less loaded of two drawn.
    #[default]
    LeastRequest,
    /// The one of two drawn that is to answer sooner, by the latency of late and what is in flight. No rule of Istio's asks
    /// for it; the memory of latency fades with this time.
    PeakEwma(Duration),
    /// One after the other.
    RoundRobin,
    /// One drawn.
    Random,
    /// The one that the request's hash falls on, so that requests alike keep to one endpoint.
    ConsistentHash(ConsistentHash),
    /// None of them: the request goes where it was sent to, [`Original`](super::Original).
    Passthrough,
}

/// Istio's `ConsistentHashLB`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistentHash {
    /// What of a request is hashed. Without it, or where a request lacks it, the endpoint is drawn.
    pub key: Option<HashKey>,
    /// How hashes are shared out among the endpoints.
    pub table: HashTable,
}

/// What of a request is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// The values of a header.
    Header(HeaderName),
    /// The value of a cookie.
    Cookie(HashCookie),
    /// The client's IP address.
    SourceIp,
    /// The first value of a query parameter.
    QueryParameter(Box<str>),
}

/// A cookie that keeps a client to its endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashCookie {
    /// Its name.
    pub name: Box<str>,
    /// The path that it is set for; may be empty.
    pub path: Box<str>,
    /// How long it lives where the router sets it, zero being a session; `None` where the router sets none.
    pub ttl: Option<Duration>,
    /// Further attributes, each with its value, which may be empty.
    pub attributes: Vec<(Box<str>, Box<str>)>,
}

/// How hashes are shared out among the endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashTable {
    /// A ring (ketama) of at least so many points.
    Ring(u32),
    /// A Maglev table of so many places, a prime.
    Maglev(u32),
}

/// Istio's `OutlierDetection`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlierDetection {
    /// Answers of 5xx in a row that eject; `None` ejects for none.
    pub consecutive_5xx_errors: Option<NonZeroU32>,
    /// Answers of 502, 503 or 504 in a row that eject.
    pub consecutive_gateway_errors: Option<NonZeroU32>,
    /// Failures to connect, or to be answered at all, in a row that eject; `None` counts them as answers of 503.
    pub consecutive_local_origin_failures: Option<NonZeroU32>,
    /// What an endpoint must serve for it to be forgiven one ejection.
    pub interval: Duration,
    /// How long the first ejection lasts; each further one lasts as much longer.
    pub base_ejection_time: Duration,
    /// The most endpoints, in percent, that are ejected at once.
    pub max_ejection_percent: u32,
    /// Below so many healthy endpoints, in percent, health is not heeded.
    pub min_health_percent: u32,
}

/// Istio's `ConnectionPoolSettings`; what is absent has a default elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionPool {
    /// How long a connection may take to open.
    pub connect_timeout: Option<Duration>,
    /// `maxConnections`: over HTTP/1.1, requests in flight over all endpoints.
    pub max_connections: Option<NonZeroU32>,
    /// `http2MaxRequests`: requests in flight over all endpoints, whatever they speak.
    pub max_requests: Option<NonZeroU32>,
    /// `http1MaxPendingRequests`: requests that wait.
    pub max_pending: Option<NonZeroU32>,
    /// `maxRequestsPerConnection`: requests after which a connection is not used again.
    pub max_requests_per_connection: Option<NonZeroU32>,
    /// `maxRetries`: requests that are sent again at once.
    pub max_retries: Option<NonZeroU32>,
    /// How each connection is kept.
    pub settings: ConnectionSettings,
    /// `useClientProtocol`: endpoints are spoken to as the client speaks, whatever their port says.
    pub uses_client_protocol: bool,
    /// `h2UpgradePolicy: UPGRADE`: endpoints speak HTTP/2 whatever their port says.
    pub upgrades_to_http2: bool,
}
