//! How connections to endpoints are kept: what Istio's `ConnectionPoolSettings` say of each.

use std::num::NonZeroU32;
use std::time::Duration;

/// The settings of one pool's connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// How long a connection without a request is kept: `http.idleTimeout`, else `tcp.idleTimeout`. `None` keeps it as long
    /// as its endpoint does.
    pub idle_timeout: Option<Duration>,
    /// `tcp.maxConnectionDuration`: the age from which a connection takes no further request.
    pub max_duration: Option<Duration>,
    /// `http.maxConcurrentStreams`: requests that one connection of HTTP/2 carries at once.
    pub max_streams: Option<NonZeroU32>,
    /// `tcp.tcpKeepalive`; `None` leaves connections to themselves.
    pub keepalive: Option<Keepalive>,
}

impl Default for ConnectionSettings {
    /// What Envoy does where Istio sets nothing.
    fn default() -> Self {
        Self { idle_timeout: Some(Duration::from_hours(1)), max_duration: None, max_streams: None, keepalive: None }
    }
}

/// Istio's `TcpKeepalive`; what is absent is left to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Probes without an answer after which the connection is dead.
    pub probes: Option<NonZeroU32>,
    /// How long a connection is silent before the first probe.
    pub time: Option<Duration>,
    /// How long one probe waits for the next.
    pub interval: Option<Duration>,
}
