//! Where a request goes that brings its destination along.

use super::HostPattern;

/// A pool without endpoints of its own, Istio's `resolution: NONE` and `PASSTHROUGH`: each request goes to the address
/// that its connection was sent to before it was redirected here, or to that of the host that it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// The hosts whose addresses are looked up, so that no request can choose any other.
    pub hosts: HostPattern,
    /// The port at an address that was looked up.
    pub port: u16,
    /// The port at an address that the connection was sent to; `None` is the one that it was sent to.
    pub redirected_port: Option<u16>,
    /// What goes first.
    pub by: OriginalBy,
}

/// What tells the destination of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginalBy {
    /// The address that its connection was sent to, where that was redirected: Envoy's `ORIGINAL_DST`.
    Address,
    /// Its host alone, `resolution: DYNAMIC_DNS`: Envoy's dynamic forward proxy.
    Host,
}
