//! The protocols of ports, as Istio names them.

/// What a port's protocol is to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Protocol {
    Http,
    /// TLS with HTTP inside, or with anything inside.
    Tls,
    Tcp,
    Udp,
}

impl Protocol {
    /// Reads a protocol, in upper or lower case; `None` where Istio does not know it.
    pub(in crate::config) fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "http" | "http2" | "http_proxy" | "grpc" | "grpc-web" => Self::Http,
            "https" | "tls" => Self::Tls,
            "tcp" | "mongo" | "redis" | "mysql" => Self::Tcp,
            "udp" => Self::Udp,
            _ => return None,
        })
    }

    pub(super) fn is_http(self) -> bool {
        self == Self::Http
    }

    pub(super) fn is_tls(self) -> bool {
        self == Self::Tls
    }

    /// Whether it is carried by TCP and is no plain HTTP.
    pub(super) fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
}
