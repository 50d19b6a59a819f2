//! What a certificate says: how long it is valid, whom it is for, and how that is told to endpoints.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// `id-at-commonName` (RFC 5280, appendix A.1).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

impl Validity {
    /// The validity of a certificate; `None` for what is no X.509 certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let validity = Certificate::from_der(certificate).ok()?.tbs_certificate.validity;
        Some(Self { from: validity.not_before.to_system_time(), until: validity.not_after.to_system_time() })
    }

    /// Why the certificate is not valid at `now`.
    pub(super) fn fault(self, now: SystemTime) -> Option<String> {
        if now > self.until {
            Some(format!("its certificate expired on {}", date(self.until)))
        } else if now < self.from {
            Some(format!("its certificate is not valid before {}", date(self.from)))
        } else {
            None
        }
    }
}

fn date(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let second = i64::try_from(since).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    second.map_or_else(|| format!("second {since} after 1970"), |time| time.to_string())
}

/// A name that one of a certificate's subject alternative names must be: a DNS name, which a certificate for a wildcard
/// has too, an IP address, or a URI as SPIFFE identities are.
#[derive(Debug)]
pub(super) struct AlternativeName {
    text: Box<str>,
    server: Option<ServerName<'static>>,
}

impl AlternativeName {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.into(), server: ServerName::try_from(text.to_owned()).ok() }
    }

    /// Whether `certificate` is for this name.
    pub(super) fn is_of(&self, certificate: &CertificateDer<'_>) -> bool {
        let named = self.server.as_ref().is_some_and(|name| {
            ParsedCertificate::try_from(certificate)
                .is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, name).is_ok())
        });
        named || identities(certificate).iter().any(|identity| **identity == *self.text)
    }
}

/// The URIs and mail addresses among a certificate's subject alternative names.
fn identities(certificate: &CertificateDer<'_>) -> Vec<String> {
    let names = Certificate::from_der(certificate).ok().map(|parsed| alternative_names(&parsed)).unwrap_or_default();
    let text = |name| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
        GeneralName::Rfc822Name(mail) => Some(mail.to_string()),
        _ => None,
    };
    names.into_iter().filter_map(text).collect()
}

fn alternative_names(certificate: &Certificate) -> Vec<GeneralName> {
    match certificate.tbs_certificate.get::<SubjectAltName>() {
        Ok(Some((_, SubjectAltName(names)))) => names,
        Ok(None) | Err(_) => Vec::new(),
    }
}

/// The common name of a certificate's subject: the last, where there are several; empty where there is none.
pub(super) fn common_name(certificate: &CertificateDer<'_>) -> String {
    let Ok(parsed) = Certificate::from_der(certificate) else { return String::new() };
    let mut fields = parsed.tbs_certificate.subject.0.iter().flat_map(|part| part.0.iter());
    let name = fields.rfind(|field| field.oid == COMMON_NAME);
    name.map(|name| String::from_utf8_lossy(name.value.value()).into_owned()).unwrap_or_default()
}

/// A client's certificate as `x-forwarded-client-cert` tells endpoints of it, in the fields that Istio has its gateways
/// send (Envoy's `SANITIZE_SET` with the certificate, the subject, the URIs and the DNS names).
pub(super) fn forwarded(certificate: &CertificateDer<'_>) -> Option<HeaderValue> {
    let parsed = Certificate::from_der(certificate).ok()?;
    let hash = Sha256::digest(certificate).iter().fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
    let subject = parsed.tbs_certificate.subject.to_string();
    let mut fields = vec![
        format!("Hash={hash}"),
        format!("Cert=\"{}\"", encoded_pem(certificate)),
        format!("Subject=\"{subject}\""),
    ];
    let names = alternative_names(&parsed);
    fields.extend(names.iter().filter_map(|name| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(format!("URI={uri}")),
        _ => None,
    }));
    fields.extend(names.iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(format!("DNS={name}")),
        _ => None,
    }));
    HeaderValue::from_bytes(fields.join(";").as_bytes()).ok()
}

/// The certificate as PEM (RFC 7468), with everything encoded that a header value cannot hold.
fn encoded_pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
    pem.chars().fold(String::with_capacity(pem.len() * 2), |mut encoded, character| {
        match character {
            '\n' => encoded.push_str("%0A"),
            ' ' => encoded.push_str("%20"),
            '+' => encoded.push_str("%2B"),
            '/' => encoded.push_str("%2F"),
            '=' => encoded.push_str("%3D"),
            other => encoded.push(other),
        }
        encoded
    })
}
