//! What every test binary stands on: the real program as a child process, scripted upstreams, clients and folders of
//! documents.
//!
//! Owns processes, sockets and temporary folders, and gives all of them back on drop. Never sleeps: it waits on a line
//! of the log, on a metric, on a frame. [`DEADLINE`] only ends a test that would otherwise hang.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test binary uses a part of one harness")]
#![allow(clippy::expect_used, clippy::panic, reason = "a harness that cannot go on fails its test, and says why")]

mod access;
mod body;
mod client;
mod dns;
mod documents;
mod exchange;
mod folder;
pub mod health;
mod lines;
mod load;
mod metrics;
mod raw_client;
mod raw_upstream;
mod router;
mod runtime;
pub mod series;
mod upstream;

pub use access::AccessLine;
pub use client::{Call, Client};
pub use dns::{DnsServer, Lookup};
pub use documents::{Service, policy, virtual_service};
pub use exchange::{Exchange, text};
pub use folder::{ConfigMapVolume, Folder};
pub use lines::Lines;
pub use load::{Load, Tally};
pub use metrics::Metrics;
pub use raw_client::{Connection, Head, Reply, get};
pub use raw_upstream::{RawUpstream, Visitor, closed_port};
pub use router::{Exit, Router, Setup, log_field};
pub use runtime::{DEADLINE, wait};
pub use upstream::{Answer, Handshake, Seen, Upstream};

/// What a client or an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1.
    H1,
    /// HTTP/2 with prior knowledge.
    H2,
}

/// The four ways through the router: what the client speaks, what the upstream speaks.
pub const PAIRS: [(Wire, Wire); 4] =
    [(Wire::H1, Wire::H1), (Wire::H1, Wire::H2), (Wire::H2, Wire::H1), (Wire::H2, Wire::H2)];
