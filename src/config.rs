//! Documents as written, checked into types that cannot be wrong.
//!
//! Owns the way from bytes to [`Checked`] and every [`Problem`] on it: [`load`] splits files into documents, holds each
//! against the table of its kind, resolves what one says of another, and reports all that is wrong at once. Never reads
//! a file, the environment or a clock, and never panics, whatever the bytes.

mod admission;
mod analysis;
mod by_host;
mod catalog;
mod checked;
mod document;
mod dump;
mod finding;
mod gateways;
mod load;
mod path;
mod policies;
mod pools;
mod problem;
mod restart;
mod routes;
mod schema;
mod secrets;
mod settings;
mod suggest;
mod unexecuted;
mod viewpoint;
mod visibility;
mod written;
mod yaml;

pub use checked::{
    Address, Autoscaling, Checked, Dns, Endpoint, Entry, Limits, Listener, LocalModel, Mirror, Pool, PoolIndex,
    Protocol, Queue, Route, RouteMatch, ServiceIdentity, Share, Startup, TlsServer, VirtualHost, Workload,
};
pub use dump::dump;
pub use finding::{CODES, Code, unreadable, unusable_certificates};
pub use load::{AskedFor, Loaded, Overrides, SourceFile, admit, load};
pub use problem::{Place, Problem, Severity};
pub use restart::restart_needed;
pub use unexecuted::{NotExecuted, not_executed};
