//! KEDA's external scaler: gRPC by the service `externalscaler.ExternalScaler` of KEDA's `externalscaler.proto`.
//!
//! Answers from the board alone, so that no question waits and none fails: a pool or a metric that is unknown is inactive and
//! zero, and the answer's metadata `overspill-warning` and the log say so. KEDA treats a scaler that fails as one that says
//! nothing, and lets it hold up the others of the same object.

mod asked;
mod messages;
mod service;

pub use service::serve;
