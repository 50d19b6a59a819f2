//! Where spans of sampled requests go, as meant.

use std::time::Duration;

use http::HeaderMap;
use http::uri::PathAndQuery;

use super::{Address, Place};
use crate::domain::ClientTls;

/// Where and as whose the spans of sampled requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracing {
    /// The collector; `None` traces nothing.
    pub otlp: Option<Otlp>,
    /// The router's name in traces: `service.name`.
    pub service_name: String,
}

/// A collector that takes OTLP.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// What it speaks.
    pub protocol: OtlpProtocol,
    /// Where it is.
    pub address: Address,
    /// The host and port as they are written: `Host` or `:authority`.
    pub authority: String,
    /// Where it takes spans.
    pub path: PathAndQuery,
    /// Further fields of each request, as for a token.
    pub headers: HeaderMap,
    /// How long one request may take.
    pub timeout: Duration,
    /// How connections to it are secured; `None` speaks in clear.
    pub tls: Option<ClientTls>,
    /// Where its settings stand.
    pub place: Place,
}

/// The ways in which OTLP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Binary protobuf over HTTP/1.1.
    HttpProtobuf,
    /// gRPC.
    Grpc,
}

impl OtlpProtocol {
    /// Its name in documents, which is OpenTelemetry's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HttpProtobuf => "http/protobuf",
            Self::Grpc => "grpc",
        }
    }
}

impl Otlp {
    /// The URL that spans are sent to.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

impl PartialEq for Otlp {
    /// Settings that have moved within their document are the same settings.
    fn eq(&self, other: &Self) -> bool {
        (self.protocol, &self.address, &self.authority, &self.path)
            == (other.protocol, &other.address, &other.authority, &other.path)
            && (&self.headers, self.timeout, &self.tls) == (&other.headers, other.timeout, &other.tls)
    }
}

impl Eq for Otlp {}
