//! The certificate that every proxy serves (ECDSA P-256), and the client that expects it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::exchange::{HOST, Wire};

/// The certificate's files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate, in PEM.
    pub chain: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    /// Both in one file.
    pub both: PathBuf,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Makes one for [`HOST`], in `folder`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn make(folder: &Path) -> io::Result<Self> {
        let made = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).and_then(|signing_key| {
            let cert = rcgen::CertificateParams::new([HOST.to_owned()])?.self_signed(&signing_key)?;
            Ok(CertifiedKey { cert, signing_key })
        });
        let made = made.map_err(io::Error::other)?;
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).map(|()| path)
        };
        Ok(Self {
            chain: file("certificate.pem", &chain)?,
            key: file("key.pem", &key)?,
            both: file("both.pem", &(chain + &key))?,
            der: made.cert.der().clone(),
        })
    }

    /// A client of one wire that makes every proxy do the same work: TLS 1.3, X25519, AES-128-GCM, no resumption.
    ///
    /// # Errors
    /// If rustls has none of these.
    pub fn client(&self, wire: Wire) -> Result<Arc<ClientConfig>, Error> {
        let alpn: &[u8] = match wire {
            Wire::H1 => b"http/1.1",
            Wire::H2 => b"h2",
        };
        let usual = aws_lc_rs::default_provider();
        let provider = CryptoProvider {
            cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![aws_lc_rs::kx_group::X25519],
            ..usual
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Expected(self.der.clone())));
        let mut config = builder.with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![alpn.to_vec()];
        Ok(Arc::new(config))
    }
}

/// Takes this one certificate by its bytes. Signatures are not checked: that is the client's work, which shares a core
/// with the origin, and no proxy is faster or slower by it.
#[derive(Debug)]
struct Expected(CertificateDer<'static>);

impl ServerCertVerifier for Expected {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General("the proxy serves another certificate than it was given".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
