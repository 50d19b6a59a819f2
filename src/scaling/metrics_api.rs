//! Kubernetes' metric APIs, as an API server that Kubernetes' own puts its clients through to: `external.metrics.k8s.io/v1beta1`
//! and `custom.metrics.k8s.io/v1beta2`.
//!
//! Answers from the board alone. Who asks is believed as far as the front proxy's certificate goes: Kubernetes' API server has
//! authenticated and authorised its client before it asks here, and says in `X-Remote-User` who that is. Never asks
//! Kubernetes anything.

mod answer;
mod caller;
mod discovery;
mod failure;
mod labels;
mod quantity;
mod question;
mod selector;
mod service;

pub use labels::selector;
pub use service::{Access, serve};
