//! Documents as written, checked into types that cannot be wrong.
//!
//! Owns the way from bytes to [`Checked`] and every [`Problem`] on it: [`load`] splits files into documents, holds each
//! against the table of its kind, resolves what one says of another, and reports all that is wrong at once. Never reads
//! a file, the environment or a clock, and never panics, whatever the bytes.

mod admission;
mod analysis;
mod batching;
mod by_host;
mod catalog;
mod checked;
mod definitions;
mod document;
mod dump;
mod expressions;
mod finding;
mod gateways;
mod load;
mod model_versions;
mod models;
mod path;
mod policies;
mod pools;
mod problem;
mod restart;
mod route_policies;
mod routes;
mod schema;
mod secrets;
mod settings;
mod suggest;
mod sums;
mod unexecuted;
mod viewpoint;
mod visibility;
mod write;
mod written;
mod yaml;

pub use batching::Batching;
pub use checked::{
    Address, Autoscaling, Checked, Dns, Endpoint, Entry, Limits, Listener, LocalModel, MetricsApi, Mirror,
    ModelReadiness, Otlp, OtlpProtocol, Pool, PoolIndex, Protocol, Queue, Route, RouteMatch, ServiceIdentity, Share,
    Startup, TlsServer, Tracing, VirtualHost, Workload,
};
pub use definitions::custom_resource_definitions;
pub use dump::dump;
pub use finding::{CODES, Code, missing_version, unreadable, unusable_certificates, unusable_provider};
pub use load::{AskedFor, Loaded, Overrides, SourceFile, admit, load};
pub use model_versions::{Canary, Rollout};
pub use models::{Encoding, ExecutionProvider, MAX_TOKENS, ModelKind, NamedModel, Pooling};
pub use problem::{Place, Problem, Severity};
pub use restart::{StartupPlaces, restart_needed};
pub use route_policies::{LocalSpaces, refused_spaces};
pub use settings::collector_url;
pub use unexecuted::{NotExecuted, not_executed};
pub use write::to_yaml;
