//! A collector of spans: where it is, and one request to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::timeout;

use super::fault::Fault;
use crate::config::{Dns, Otlp, OtlpProtocol};
use crate::control::names::Resolver;
use crate::control::upkeep::{Answered, ask};
use crate::domain::{Address, ConnectionSettings, OwnRequest, Protocol};
use crate::telemetry::rejected;
use crate::tls;
use crate::upstream::{Connections, Secured, Target};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses are looked up again no more often than this, and no later than [`LONGEST_TTL`].
const SHORTEST_TTL: Duration = Duration::from_secs(5);
const LONGEST_TTL: Duration = Duration::from_secs(60);
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Where spans go.
pub struct Collector {
    otlp: Otlp,
    url: String,
    host: String,
    tls: Option<Arc<tls::Client>>,
    resolver: Resolver,
    connections: Connections,
    settings: ConnectionSettings,
    addresses: Vec<SocketAddr>,
    /// When they are to be looked up again.
    stale: Option<Instant>,
    /// Which of them is next.
    turn: usize,
}

impl Collector {
    /// The collector of `otlp`, whose name is looked up as `dns` says; `tls` is what it is spoken to with where that is
    /// secured.
    pub fn new(otlp: Otlp, dns: Dns, tls: Option<Arc<tls::Client>>) -> Self {
        let host = match &otlp.address {
            Address::Name(host, _) => host.to_string(),
            address => address.to_string().rsplit_once(':').map(|(ip, _)| ip.to_owned()).unwrap_or_default(),
        };
        Self {
            url: otlp.url(),
            host: host.trim_matches(['[', ']']).to_owned(),
            tls,
            resolver: Resolver::new(dns),
            connections: Connections::default(),
            settings: ConnectionSettings::default(),
            addresses: Vec::new(),
            stale: None,
            turn: 0,
            otlp,
        }
    }

    /// Where it takes spans.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Brings it an `ExportTraceServiceRequest`: how many spans it rejected, and why.
    pub(super) async fn send(&mut self, message: Bytes) -> Result<(u64, String), Fault> {
        let limit = self.otlp.timeout;
        let sent = timeout(limit, self.exchange(message)).await.unwrap_or_else(|_| Err(Fault::late(limit)));
        if sent.is_err() {
            // Another of its addresses may fare better.
            self.turn = self.turn.wrapping_add(1);
        }
        sent
    }

    async fn exchange(&mut self, message: Bytes) -> Result<(u64, String), Fault> {
        let socket = self.address().await?;
        self.connections.sweep();
        let tls = self.tls.as_deref().map(|client| Secured { client, host: &self.host });
        let target = Target {
            address: &self.otlp.address,
            socket,
            protocol: protocol(self.otlp.protocol),
            tls,
            connect_timeout: CONNECT_TIMEOUT,
            max_requests: None,
            settings: &self.settings,
            handed: None,
            continued: None,
        };
        let request = request(&self.otlp, message);
        let answer = ask(&self.connections, target, &request, &self.otlp.authority).await;
        judge(self.otlp.protocol, &answer.map_err(Fault::unanswered)?)
    }

    /// One of its addresses, looked up where that is due. A lookup that fails leaves those that it had.
    async fn address(&mut self) -> Result<SocketAddr, Fault> {
        let (host, port) = match &self.otlp.address {
            Address::Socket(address) => return Ok(*address),
            Address::Name(host, port) => (host, *port),
            _ => return Err(Fault::unresolved("it is no name")),
        };
        if self.addresses.is_empty() || self.stale.is_none_or(|stale| stale <= Instant::now()) {
            match self.resolver.look_up(host).await {
                Ok(answer) => {
                    self.stale = Some(Instant::now() + answer.ttl.clamp(SHORTEST_TTL, LONGEST_TTL));
                    self.addresses = answer.addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
                }
                Err(why) if self.addresses.is_empty() => return Err(Fault::unresolved(&why)),
                Err(_) => self.stale = Some(Instant::now() + SHORTEST_TTL),
            }
        }
        let known = &self.addresses;
        known.get(self.turn % known.len().max(1)).copied().ok_or_else(|| Fault::unresolved("it has no address"))
    }
}

/// What OTLP is spoken over, by its own choice.
fn protocol(otlp: OtlpProtocol) -> Protocol {
    match otlp {
        OtlpProtocol::HttpProtobuf => Protocol::Http1,
        OtlpProtocol::Grpc => Protocol::Http2,
    }
}

fn request(otlp: &Otlp, message: Bytes) -> OwnRequest {
    let mut headers = HeaderMap::new();
    let body = match otlp.protocol {
        OtlpProtocol::HttpProtobuf => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
            message
        }
        OtlpProtocol::Grpc => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            headers.insert(TE, HeaderValue::from_static("trailers"));
            // An uncompressed message behind its length.
            let mut framed = BytesMut::with_capacity(message.len() + 5);
            framed.put_u8(0);
            framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
            framed.put(message);
            framed.freeze()
        }
    };
    headers.extend(otlp.headers.clone());
    OwnRequest { method: Method::POST, path: otlp.path.clone(), host: None, headers, body }
}

fn judge(protocol: OtlpProtocol, answer: &Answered) -> Result<(u64, String), Fault> {
    match protocol {
        OtlpProtocol::HttpProtobuf if answer.status.is_success() => Ok(rejected(&answer.body)),
        OtlpProtocol::HttpProtobuf => Err(Fault::of_http(answer.status, &answer.headers)),
        OtlpProtocol::Grpc => {
            let status = answer.trailers.as_ref().and_then(|trailers| trailers.get(GRPC_STATUS));
            match status.or(answer.headers.get(GRPC_STATUS)).and_then(|status| status.to_str().ok()) {
                Some("0") => Ok(rejected(answer.body.get(5..).unwrap_or_default())),
                Some(status) => Err(Fault::of_grpc(status)),
                None if answer.status == StatusCode::OK => Err(Fault::foreign(protocol, answer.status)),
                None => Err(Fault::of_http(answer.status, &answer.headers)),
            }
        }
    }
}
