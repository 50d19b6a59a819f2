//! What TLS asks of a connection, as data: which files, which names, which protocols.

use std::path::PathBuf;

/// TLS towards the endpoints of a pool: Istio's `ClientTLSSettings`, resolved into files.
///
/// Two policies that are equal share connections; policies that differ never do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientTls {
    /// What the router shows for itself: of MUTUAL and `ISTIO_MUTUAL`.
    pub key_pair: Option<KeyPair>,
    /// Who must have signed the endpoint's certificate.
    pub authorities: Authorities,
    /// Certificates that are revoked before they expire: `caCrl`.
    pub revocations: Option<PathBuf>,
    /// The server name that is asked for.
    pub sni: Sni,
    /// One of these must be a subject alternative name of the endpoint's certificate; none of them asks for nothing.
    pub subject_alt_names: Vec<Box<str>>,
    /// Which protocols are offered.
    pub alpn: Alpn,
}

/// A certificate chain and its private key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyPair {
    /// Two PEM files.
    Files {
        /// The chain, the leaf first.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The folder of a mounted Kubernetes secret: `tls.crt` and `tls.key`, or `cert` and `key`.
    Secret(PathBuf),
}

/// Who must have signed the other side's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Authorities {
    /// The authorities that the system trusts.
    System,
    /// Those of one PEM file.
    Bundle(PathBuf),
    /// Those of a mounted Kubernetes secret: `cacert` or `ca.crt` in the folder of this name with `-cacert` appended,
    /// else in the folder itself.
    Secret(PathBuf),
    /// Nobody: the certificate is not verified at all (`insecureSkipVerify`).
    Anyone,
}

/// The server name that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sni {
    /// This one, for every request.
    Fixed(Box<str>),
    /// The host of the request as the endpoint is sent it; none where that is an IP address.
    OfRequest(HostCheck),
}

/// Whether an endpoint's certificate must be for the request's host. Istio asks so where neither `sni` nor
/// `subjectAltNames` says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostCheck {
    /// It must.
    Request,
    /// It need not.
    None,
}

/// Which protocols a client offers (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alpn {
    /// The pool's own: `h2` or `http/1.1`.
    Http,
    /// The same under the names by which Istio's sidecars know each other, then the plain ones.
    Mesh,
}

/// TLS towards clients: Istio's `ServerTLSSettings`, resolved into files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerTls {
    /// What the router shows for itself; of several, the first whose key the client can verify is taken.
    pub key_pairs: Vec<KeyPair>,
    /// What clients must show.
    pub clients: ClientCertificates,
    /// Certificates that are revoked before they expire: `caCrl`.
    pub revocations: Option<PathBuf>,
    /// One of these must be a subject alternative name of a client's certificate; none of them asks for nothing.
    pub subject_alt_names: Vec<Box<str>>,
    /// The oldest version spoken.
    pub min_version: TlsVersion,
    /// The newest version spoken, never older than `min_version`.
    pub max_version: TlsVersion,
    /// The cipher suites of TLS 1.2, by OpenSSL's names as Istio writes them; none of them means all.
    pub cipher_suites: Vec<Box<str>>,
}

/// What clients must show.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientCertificates {
    /// Nothing: SIMPLE.
    None,
    /// A certificate of these authorities, or nothing: `OPTIONAL_MUTUAL`.
    Optional(Authorities),
    /// A certificate of these authorities: MUTUAL and `ISTIO_MUTUAL`.
    Required(Authorities),
    /// Whatever there is. Whether it is of these authorities is for each answer to say, where a handshake that fails would
    /// leave the client to guess.
    Judged(Authorities),
}

/// A version of TLS. Older ones are not spoken: RFC 8996 forbids them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}
