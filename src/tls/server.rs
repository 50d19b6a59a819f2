//! TLS towards clients.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::{common_name, forwarded};
use super::fault::{Built, Fault};
use super::files::Files;
use super::material::{Reader, provider};
use super::suites;
use super::verify::{Anonymous, AnyClient, ClientVerifier};
use crate::domain::{Authorities, ClientCertificates, HostPattern, ServerTls, TlsVersion};

/// The servers of one port, of which a client's server name chooses.
#[derive(Debug)]
pub struct Servers(Vec<Arc<Server>>);

/// One server of a port. What is in its files may change under it; its settings do not.
#[derive(Debug)]
pub struct Server {
    hosts: Vec<HostPattern>,
    serving: ArcSwapOption<Serving>,
}

/// What the handshakes of a server use.
#[derive(Debug)]
pub(super) struct Serving {
    config: Arc<ServerConfig>,
    /// Says of clients that any handshake lets in what their certificates are worth.
    judge: Option<AnyClient>,
}

/// A secured connection of a client.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: TlsStream<TcpStream>,
    /// Who is at its other end, and whom it asked for.
    pub peer: Peer,
    /// What its certificate is worth, where the server judges what any handshake lets in.
    pub judged: Option<Judged>,
}

/// What the certificate of a client is worth, which the handshake has let in whatever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is of the authorities.
    Trusted {
        /// The common name of its subject; empty where it has none.
        common_name: String,
    },
    /// It is not, or the client has shown none: why.
    Refused(String),
}

/// A client that speaks TLS.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The server name that it asked for, in lower case; empty where it asked for none.
    pub server_name: Box<str>,
    /// What endpoints are told of its certificate: the value of `x-forwarded-client-cert`.
    pub certificate: Option<HeaderValue>,
}

/// Why a client is not served.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// No server of the port has the host.
    #[error("no server here has the host that the client asks for: `{0}`")]
    NoServer(String),
    /// The server's files could not be used at any time since the start.
    #[error("the certificates of the server for `{0}` cannot be used; see the warnings about the configuration")]
    NoCertificates(String),
    /// The handshake failed, on either side.
    #[error("{0}")]
    Failed(#[from] io::Error),
}

impl Servers {
    pub(super) fn new(servers: Vec<Arc<Server>>) -> Self {
        Self(servers)
    }

    /// Secures the connection of a client.
    ///
    /// # Errors
    /// [`AcceptError`].
    pub async fn accept(&self, stream: TcpStream) -> Result<Accepted, AcceptError> {
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
        let asked = start.client_hello().server_name().unwrap_or_default().to_ascii_lowercase();
        let Some(server) = self.choose(&asked) else { return Err(AcceptError::NoServer(asked)) };
        let Some(serving) = server.serving.load_full() else { return Err(AcceptError::NoCertificates(asked)) };
        let stream = start.into_stream(Arc::clone(&serving.config)).await?;
        let chain = stream.get_ref().1.peer_certificates();
        let judged = serving.judge.as_ref().map(|judge| judged(judge, chain.unwrap_or_default()));
        let certificate = chain.and_then(|chain| chain.first()).and_then(forwarded);
        Ok(Accepted { peer: Peer { server_name: asked.into(), certificate }, judged, stream })
    }

    /// The server whose hosts fit best: a host itself before the longest domain above it before all hosts. Without a
    /// server name only a server of all hosts is chosen, as Envoy chooses filter chains.
    fn choose(&self, asked: &str) -> Option<&Server> {
        let fit = |server: &Server| {
            let fits = server.hosts.iter().filter(|host| host.matches(asked));
            fits.map(HostPattern::precedence).max()
        };
        let fits = self.0.iter().filter_map(|server| fit(server).map(|fit| (fit, &**server)));
        // Of two that fit alike the first wins, as it does in Istio.
        fits.rev().max_by_key(|(fit, _)| *fit).map(|(_, server)| server)
    }
}

impl Server {
    /// A server without certificates yet.
    pub(super) fn new(hosts: Vec<HostPattern>) -> Self {
        Self { hosts, serving: ArcSwapOption::empty() }
    }

    /// What handshakes use from now on.
    pub(super) fn renew(&self, serving: Arc<Serving>) {
        self.serving.store(Some(serving));
    }
}

fn judged(judge: &AnyClient, shown: &[CertificateDer<'_>]) -> Judged {
    match (judge.judge(shown, UnixTime::now()), shown.first()) {
        (Ok(()), Some(certificate)) => Judged::Trusted { common_name: common_name(certificate) },
        (Ok(()), None) | (Err(rustls::Error::NoCertificatesPresented), _) => {
            Judged::Refused("it shows no certificate".to_owned())
        }
        (Err(error), _) => Judged::Refused(error.to_string()),
    }
}

/// What `tls` and its files come to.
pub(super) fn build(tls: &ServerTls, files: &Files, now: SystemTime) -> Built<Arc<Serving>> {
    let mut reader = Reader::new(files, now);
    let serving = serving(tls, &mut reader).map(Arc::new);
    reader.conclude(serving)
}

fn serving(tls: &ServerTls, reader: &mut Reader<'_>) -> Result<Serving, Fault> {
    let mut pairs = Vec::new();
    let mut missing = None;
    for pair in &tls.key_pairs {
        match reader.key_pair(pair) {
            Ok(pair) => pairs.push(pair),
            Err(fault) => reader.faults.extend(missing.replace(fault)),
        }
    }
    let verifier = client_verifier(tls, reader);
    if let Some(fault) = missing {
        reader.faults.extend(verifier.err());
        return Err(fault);
    }
    let versions: Vec<&'static SupportedProtocolVersion> =
        [(TlsVersion::V1_3, &version::TLS13), (TlsVersion::V1_2, &version::TLS12)]
            .into_iter()
            .filter(|(version, _)| (tls.min_version..=tls.max_version).contains(version))
            .map(|(_, version)| version)
            .collect();
    let (provider, unknown) = with_suites(&tls.cipher_suites);
    reader.faults.extend(unknown);
    let (verifier, judge) = verifier?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| {
            let cure = "Name a cipher suite of TLS 1.2 that this router has, or allow TLS 1.3.";
            Fault::new(format!("No protocol version is left to speak: {error}."), cure)
        })?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(KeyPairs(pairs)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()
        .map_err(|error| Fault::new(format!("Sessions cannot be resumed: {error}."), "Report this as a bug."))?;
    Ok(Serving { config: Arc::new(config), judge })
}

/// What handshakes hold clients against, and what judges them afterwards.
type Clients = (Arc<dyn ClientCertVerifier>, Option<AnyClient>);

fn client_verifier(tls: &ServerTls, reader: &mut Reader<'_>) -> Result<Clients, Fault> {
    let (authorities, anonymous): (&Authorities, _) = match &tls.clients {
        ClientCertificates::None => return Ok((WebPkiClientVerifier::no_client_auth(), None)),
        ClientCertificates::Judged(authorities) => {
            let judge = AnyClient::new(reader.trust(authorities, tls.revocations.as_deref())?)?;
            return Ok((Arc::new(judge.clone()), Some(judge)));
        }
        ClientCertificates::Optional(authorities) => (authorities, Anonymous::Allowed),
        ClientCertificates::Required(authorities) => (authorities, Anonymous::Refused),
    };
    let trust = reader.trust(authorities, tls.revocations.as_deref())?;
    Ok((Arc::new(ClientVerifier::new(trust, anonymous, &tls.subject_alt_names)?), None))
}

/// The cryptography with these suites of TLS 1.2 alone, where any are named, and what is wrong with the names. Those of TLS
/// 1.3 stay: Envoy does not let them be chosen either.
fn with_suites(named: &[Box<str>]) -> (Arc<CryptoProvider>, Option<Fault>) {
    if named.is_empty() {
        return (provider(), None);
    }
    let mut provider = CryptoProvider::clone(&provider());
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_some() || named.iter().any(|name| suites::named(name) == Some(suite.suite())));
    let unknown: Vec<_> = named.iter().filter(|name| suites::named(name).is_none()).map(|name| &**name).collect();
    let fault = (!unknown.is_empty()).then(|| {
        let message = format!("The cipher suites {} are not among those that this router speaks.", unknown.join(", "));
        Fault::new(message, "Take them out; suites without forward secrecy or with CBC are not spoken.")
    });
    (Arc::new(provider), fault)
}

/// The key pairs of one server.
#[derive(Debug)]
struct KeyPairs(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for KeyPairs {
    /// The first whose signatures the client can verify.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let can_verify = |pair: &&Arc<CertifiedKey>| pair.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(can_verify).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(hosts: &[&str]) -> Arc<Server> {
        Arc::new(Server::new(hosts.iter().map(|host| HostPattern::parse(host).expect("a host")).collect()))
    }

    #[test]
    fn the_closest_server_is_chosen() {
        let all = [
            server(&["*.example.com"]),
            server(&["a.example.com", "b.org"]),
            server(&["*.deep.example.com"]),
            server(&["*"]),
            server(&["b.org"]),
        ];
        let servers = Servers::new(all.to_vec());
        for (asked, chosen) in [
            ("a.example.com", 1),
            ("c.example.com", 0),
            ("c.deep.example.com", 2),
            ("deep.example.com", 0),
            ("example.com", 3),
            ("b.org", 1),
            ("", 3),
        ] {
            let found = servers.choose(asked).expect("one serves every host");
            assert!(std::ptr::eq(found, Arc::as_ptr(&all[chosen])), "{asked:?}");
        }
        assert!(Servers::new(all[..2].to_vec()).choose("").is_none(), "a client without a server name fits no host");
    }
}
