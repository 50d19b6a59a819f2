//! The words every layer shares: names, tiers, reasons, patterns, durations and moments.
//!
//! Owns newtypes and closed enumerations that cannot hold a wrong value. Never does I/O, reads a clock or draws
//! chance: time arrives as a [`Moment`], chance as a number.

mod action;
mod address;
mod connection;
mod cors;
mod duration;
mod embedding_space;
mod fault;
mod hedge;
mod limit;
mod load_report;
mod locality;
mod mirror;
mod moment;
mod name;
mod original;
mod pattern;
mod reason;
mod retry;
mod route_policy;
mod scaling;
mod slots;
mod tier;
mod tls;
mod traffic;
mod upkeep;

pub use action::{
    DirectResponse, HeaderOps, Headers, OwnAnswer, PathRewrite, Redirect, RedirectPath, RedirectPort, Rewrite,
};
pub use address::{Address, Protocol};
pub use connection::{ConnectionSettings, Keepalive};
pub use cors::{CorsPolicy, UnmatchedPreflights};
pub use duration::{DurationError, format_duration, parse_duration, parse_nanoseconds};
pub use embedding_space::{AcceptedSpace, AcceptedSpaces, EmbeddingSpace};
pub use fault::{Abort, AbortAnswer, Fault, GrpcStatus, Percentage, speaks_grpc};
pub use hedge::{Hedge, HedgeAfter, HedgeEnd, HedgedMethods};
pub use limit::{Http2Limits, Limit};
pub use load_report::{LOAD_METRICS, LOAD_METRICS_BIN, LOAD_METRICS_FORMAT, LoadReport};
pub use locality::{Distribution, Failover, Locality, LocalityBalancing, LocalityPattern};
pub use mirror::{MirrorEnd, shadow_authority};
pub use moment::Moment;
pub use name::{Host, HostError, HostPattern, PoolKey};
pub use original::{Original, OriginalBy};
pub use pattern::{Expression, PatternError, StringMatch};
pub use reason::Reason;
pub use retry::{Failure, RetryBudget, RetryCondition, RetryConditions, RetryEnd, RetryPolicy, Sent};
pub use route_policy::{RateLimit, RateLimitKey, RoutePolicy};
pub use scaling::{
    COLD_START, Change, Hold, LATENCY_OBJECTIVE, Preset, Recipe, ScaleTarget, Scaling, ScalingPolicy, ScalingRules,
    SelectPolicy, Targets, is_object_name,
};
pub use slots::{AdaptiveSlots, Priority, QueueOrder};
pub use tier::Tier;
pub use tls::{Alpn, Authorities, ClientCertificates, ClientTls, HostCheck, KeyPair, ServerTls, Sni, TlsVersion};
pub use traffic::{
    Balancing, ConnectionPool, ConsistentHash, HashCookie, HashKey, HashTable, LoadBalancer, OutlierDetection,
    TrafficPolicy, Warmup,
};
pub use upkeep::{CheckKind, HealthCheck, LoadSources, MetricsPage, OwnRequest, Reports, Upkeep, WarmupRequest};
