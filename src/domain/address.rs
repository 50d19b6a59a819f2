//! Where an endpoint listens and what it speaks.

use std::fmt;
use std::net::SocketAddr;

use super::Host;

/// What an endpoint is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// An IP address and a port.
    Socket(SocketAddr),
    /// A name and a port. Each address that the name has is an endpoint of its own: Envoy's `STRICT_DNS`.
    Name(Host, u16),
    /// A name and a port that are one endpoint, whichever address the name has: Envoy's `LOGICAL_DNS`.
    Logical(Host, u16),
    /// Where one request is sent that brings its destination along: Envoy's `ORIGINAL_DST`.
    Original(SocketAddr),
}

impl Address {
    /// The name, where it has to be resolved.
    pub fn name(&self) -> Option<&Host> {
        match self {
            Self::Socket(_) | Self::Original(_) => None,
            Self::Name(host, _) | Self::Logical(host, _) => Some(host),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) | Self::Original(address) => write!(f, "{address}"),
            Self::Name(host, port) | Self::Logical(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// The wire protocol to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge (RFC 9113, section 3.3).
    Http2,
}
