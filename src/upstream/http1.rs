//! HTTP/1.1 to an endpoint (RFC 9112).
//!
//! A connection has no task of its own: whoever awaits the answer's head writes the request and reads, and whoever reads the
//! answer's body writes what is left of the request. Requests are borrowed, so that one without a body can be sent again as
//! it stands. CONNECT and HTTP/0.9 are not spoken.

mod chunked;
mod connection;
mod framing;
mod head;
mod outbox;
mod request;
mod upgraded;

pub(super) use connection::{Connection, Memory};
pub use upgraded::Upgraded;

/// What is no HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

/// Why an exchange came to no good end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection broke before anything of the request was written.
    Unsent,
    /// The endpoint closed or broke off; `heard` where some of its answer had come.
    Closed { heard: bool },
    /// The endpoint does not speak HTTP/1.
    Malformed,
    /// The request's own body broke off.
    Request,
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<request::WrongLength> for Failure {
    fn from(_: request::WrongLength) -> Self {
        Self::Request
    }
}
