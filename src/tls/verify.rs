//! Whether the other side's certificate is one to talk to.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::certificate::AlternativeName;
use super::fault::Fault;
use super::material::{Trust, provider};
use crate::domain::HostCheck;

fn unusable(error: impl std::fmt::Display) -> Fault {
    Fault::new(format!("The authorities cannot be used: {error}."), "Name certificates of authorities, in PEM.")
}

/// None of the names that were asked for is the certificate's.
fn misnamed() -> Error {
    Error::InvalidCertificate(CertificateError::NotValidForName)
}

fn has_one_of(names: &[AlternativeName], certificate: &CertificateDer<'_>) -> bool {
    names.is_empty() || names.iter().any(|name| name.is_of(certificate))
}

/// What both sides' verifiers leave to the chain's: that the other side has the key of its certificate.
macro_rules! signatures_by_chain {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.chain.verify_tls12_signature(message, cert, dss)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.chain.verify_tls13_signature(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.chain.supported_verify_schemes()
        }
    };
}

/// Judges endpoints.
#[derive(Debug)]
pub(super) struct EndpointVerifier {
    chain: Arc<WebPkiServerVerifier>,
    host: HostCheck,
    names: Vec<AlternativeName>,
}

impl EndpointVerifier {
    pub(super) fn new(trust: Trust, host: HostCheck, names: &[Box<str>]) -> Result<Self, Fault> {
        let chain = WebPkiServerVerifier::builder_with_provider(trust.roots, provider())
            .with_crls(trust.revocations)
            .enforce_revocation_expiration()
            .build()
            .map_err(unusable)?;
        Ok(Self { chain, host, names: names.iter().map(|name| AlternativeName::new(name)).collect() })
    }
}

impl ServerCertVerifier for EndpointVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match judged {
            // The chain is judged before the name, so that a wrong name alone says that the chain is good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.host == HostCheck::None => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        if has_one_of(&self.names, end_entity) { Ok(ServerCertVerified::assertion()) } else { Err(misnamed()) }
    }

    signatures_by_chain!();
}

/// Takes every endpoint for what it says it is (`insecureSkipVerify`); it must have the key of the certificate that it
/// shows all the same.
#[derive(Debug)]
pub(super) struct AnyEndpoint;

impl ServerCertVerifier for AnyEndpoint {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a client may come without a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anonymous {
    Allowed,
    Refused,
}

/// Lets every client in that has the key of the certificate that it shows. What the certificate is worth, it says when it is
/// asked.
#[derive(Clone, Debug)]
pub(super) struct AnyClient {
    chain: Arc<ClientVerifier>,
}

impl AnyClient {
    pub(super) fn new(trust: Trust) -> Result<Self, Fault> {
        Ok(Self { chain: Arc::new(ClientVerifier::new(trust, Anonymous::Allowed, &[])?) })
    }

    /// Whether the certificates that a client showed are of the authorities at `now`.
    pub(super) fn judge(&self, shown: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Error> {
        let Some((end_entity, intermediates)) = shown.split_first() else {
            return Err(Error::NoCertificatesPresented);
        };
        self.chain.verify_client_cert(end_entity, intermediates, now).map(drop)
    }
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: many clients keep a certificate to themselves that fits no hint, and would not learn what is wrong with it.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    signatures_by_chain!();
}

/// Judges clients.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    names: Vec<AlternativeName>,
}

impl ClientVerifier {
    pub(super) fn new(trust: Trust, anonymous: Anonymous, names: &[Box<str>]) -> Result<Self, Fault> {
        let builder = WebPkiClientVerifier::builder_with_provider(trust.roots, provider())
            .with_crls(trust.revocations)
            .enforce_revocation_expiration();
        let builder = match anonymous {
            Anonymous::Allowed => builder.allow_unauthenticated(),
            Anonymous::Refused => builder,
        };
        let chain = builder.build().map_err(unusable)?;
        Ok(Self { chain, names: names.iter().map(|name| AlternativeName::new(name)).collect() })
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        if has_one_of(&self.names, end_entity) { Ok(verified) } else { Err(misnamed()) }
    }

    signatures_by_chain!();
}
