//! HTTP/1.1 with clients (RFC 9112).
//!
//! Owns a client's connection from its first byte to its last: heads are read and judged, bodies are read by whoever wants
//! them, answers are written, and a connection ends so that its client comes to read the answer. What HTTP/1.1 forbids is
//! refused with the connection, since nobody can say where the next request would begin. A connection that is idle holds no
//! memory but its own few hundred bytes: what is read into, written from and computed in is the worker's ([`Shop`]).
//!
//! Never routes, and never looks at a field beyond those that frame a message or concern the connection.

mod answer;
mod connection;
mod ending;
mod head;
mod inbound;
mod outgoing;
mod shop;

pub(super) use connection::{Connection, Ended};
pub(super) use head::{HeadLimits, Unreadable};
pub(super) use inbound::{Incoming, Upgraded};
pub(super) use shop::{Place, Shop, Supplies};

use http::Request;

/// What a client asks for.
#[expect(clippy::large_enum_variant, reason = "a request is the rule; to box it would be an allocation for each")]
pub(super) enum Arrived {
    /// A request whose head is well formed.
    Request(Request<Incoming>),
    /// Something else. Its connection ends with the answer.
    Unreadable(Box<Unreadable>),
}
