//! The control plane: from documents in a folder to what is in force.
//!
//! Owns reading the source, noticing that it changed, resolving names, publishing, what endpoints are asked beside requests, and
//! taking spans to their collector. The last good configuration stays in force whatever
//! happens to the documents. Never touches a request.

mod folder;
mod local_model;
mod names;
mod peers;
mod reconcile;
mod traces;
mod upkeep;
mod watch;

pub use folder::{Folder, SourceError};
pub use local_model::ModelKeeper;
pub use names::{Names, Report, RequestedNames, Until, Waiter};
pub use peers::Peers;
pub use reconcile::{Reconciler, Reload, Start, log_problems};
pub use traces::{Collector, TraceExporter};
pub use upkeep::{FirstChecks, Upkeep};
pub use watch::{Trigger, watch};
