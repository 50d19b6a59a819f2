//! TLS towards endpoints.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::fault::{Built, Fault};
use super::files::Files;
use super::material::{Reader, provider};
use super::verify::{AnyEndpoint, EndpointVerifier};
use crate::domain::{Alpn, Authorities, ClientTls, HostCheck, Protocol, Sni};

/// The least time between two lines of the log about handshakes that one policy's endpoints fail.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// What the router speaks TLS with to the endpoints of one policy. What is in the policy's files may change under it; the
/// policy does not.
#[derive(Debug)]
pub struct Client {
    identity: u64,
    sni: Sni,
    alpn: Alpn,
    config: ArcSwapOption<ClientConfig>,
    told: LastTold,
}

/// Why a connection is not secured.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// Its files could not be used at any time since the policy is in force.
    #[error("the certificates of its policy cannot be used; see the warnings about the configuration")]
    NoCertificates,
    /// The request names no host that a certificate could be for.
    #[error("`{0}` is no server name")]
    NoServerName(String),
    /// The handshake failed, on either side.
    #[error("{0}")]
    Failed(io::Error),
}

impl Client {
    /// A client without certificates yet; `identity` is no other policy's.
    pub(super) fn new(identity: u64, tls: &ClientTls) -> Self {
        let (sni, alpn) = (tls.sni.clone(), tls.alpn);
        Self { identity, sni, alpn, config: ArcSwapOption::empty(), told: LastTold::default() }
    }

    /// What handshakes use from now on.
    pub(super) fn renew(&self, config: Arc<ClientConfig>) {
        self.config.store(Some(config));
    }

    /// What tells this policy's connections from every other's.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// Whether connections are made for the host of a request, so that requests for another cannot use them.
    pub fn is_by_host(&self) -> bool {
        matches!(self.sni, Sni::OfRequest(_))
    }

    /// Whether a handshake can succeed at all.
    pub fn is_usable(&self) -> bool {
        self.config.load().is_some()
    }

    /// Secures `stream`, over which requests for `host` are to go in `protocol`.
    ///
    /// # Errors
    /// [`HandshakeError`]; it has been logged, unless another of this policy was a moment ago.
    pub async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
        protocol: Protocol,
    ) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let name = match &self.sni {
            Sni::Fixed(name) => name,
            Sni::OfRequest(_) => host,
        };
        let peer = stream.peer_addr();
        let secured = self.handshake(stream, name, protocol).await;
        if let Err(error) = &secured
            && self.told.is_due()
        {
            let endpoint = peer.map(|peer| peer.to_string()).unwrap_or_default();
            tracing::warn!(%error, endpoint, server_name = name, "an endpoint cannot be spoken to over TLS");
        }
        secured
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        name: &str,
        protocol: Protocol,
    ) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let config = self.config.load_full().ok_or(HandshakeError::NoCertificates)?;
        let server =
            ServerName::try_from(name.to_owned()).map_err(|_| HandshakeError::NoServerName(name.to_owned()))?;
        // A pool that speaks as the client speaks has one configuration for both protocols.
        let offered = offered(self.alpn, protocol);
        let connector = TlsConnector::from(Arc::clone(&config));
        let connected = if config.alpn_protocols == offered {
            connector.connect(server, stream).await
        } else {
            connector.with_alpn(offered).connect(server, stream).await
        };
        connected.map_err(HandshakeError::Failed)
    }
}

/// When something was last told; threads that tell at the same moment may both do so.
#[derive(Debug)]
struct LastTold {
    epoch: Instant,
    /// Milliseconds after `epoch`, plus one; zero is never.
    at: AtomicU64,
}

impl Default for LastTold {
    fn default() -> Self {
        Self { epoch: Instant::now(), at: AtomicU64::new(0) }
    }
}

impl LastTold {
    fn is_due(&self) -> bool {
        let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let last = self.at.load(Ordering::Relaxed);
        let due = last == 0 || Duration::from_millis(now.saturating_sub(last)) >= TELL_INTERVAL;
        if due {
            self.at.store(now, Ordering::Relaxed);
        }
        due
    }
}

/// What `tls` and its files come to, for endpoints that speak `protocol`.
pub(super) fn build(tls: &ClientTls, protocol: Protocol, files: &Files, now: SystemTime) -> Built<Arc<ClientConfig>> {
    let mut reader = Reader::new(files, now);
    let config = config(tls, protocol, &mut reader).map(Arc::new);
    reader.conclude(config)
}

fn config(tls: &ClientTls, protocol: Protocol, reader: &mut Reader<'_>) -> Result<ClientConfig, Fault> {
    if let Sni::Fixed(name) = &tls.sni
        && ServerName::try_from(&**name).is_err()
    {
        return Err(Fault::new(format!("`{name}` is no server name."), "Write a DNS name as `sni`."));
    }
    // Files of authorities are read even where a fault of the key pair is known by now: every fault is told at once.
    let pair = tls.key_pair.as_ref().map(|pair| reader.key_pair(pair)).transpose();
    let verifier: Result<Arc<dyn ServerCertVerifier>, Fault> = match &tls.authorities {
        Authorities::Anyone => Ok(Arc::new(AnyEndpoint)),
        authorities => reader.trust(authorities, tls.revocations.as_deref()).and_then(|trust| {
            let host = match tls.sni {
                Sni::OfRequest(check) => check,
                Sni::Fixed(_) => HostCheck::None,
            };
            Ok(Arc::new(EndpointVerifier::new(trust, host, &tls.subject_alt_names)?) as Arc<dyn ServerCertVerifier>)
        }),
    };
    let (pair, verifier) = match (pair, verifier) {
        (Err(fault), verifier) => {
            reader.faults.extend(verifier.err());
            return Err(fault);
        }
        (Ok(pair), verifier) => (pair, verifier?),
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::new(format!("TLS cannot be set up: {error}."), "Report this as a bug."))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match pair {
        Some(pair) => builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = offered(tls.alpn, protocol);
    Ok(config)
}

/// Envoy offers what it is going to speak. Between sidecars Istio's ALPN filter puts names of its own in front, by which
/// the other sidecar knows that the client is one.
fn offered(alpn: Alpn, protocol: Protocol) -> Vec<Vec<u8>> {
    let names: &[&str] = match (alpn, protocol) {
        (Alpn::Http, Protocol::Http1) => &["http/1.1"],
        (Alpn::Http, Protocol::Http2) => &["h2"],
        (Alpn::Mesh, Protocol::Http1) => &["istio-http/1.1", "istio", "http/1.1"],
        (Alpn::Mesh, Protocol::Http2) => &["istio-h2", "istio", "h2"],
    };
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}
