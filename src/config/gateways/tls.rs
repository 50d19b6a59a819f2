//! `ServerTLSSettings` into what a server shows and asks for.

use std::path::{Path as FilePath, PathBuf};

use crate::config::document::Document;
use crate::config::finding::{Findings, INERT, remark};
use crate::config::path::Path;
use crate::config::written::GatewayTls;
use crate::domain::{Authorities, ClientCertificates, KeyPair, ServerTls, TlsVersion};

/// Reads them. `secrets` is the folder in which Kubernetes secrets are mounted, each in a folder of its name.
///
/// `None`, with a finding, for what names a secret where no such folder is set, and for certificates of Istio's own.
pub(super) fn read(
    (document, path): (&Document, &Path),
    written: &GatewayTls,
    secrets: Option<&FilePath>,
    findings: &mut Findings,
) -> Option<ServerTls> {
    let mode = written.mode.as_deref().unwrap_or_default();
    let names_secret = !written.credential_name.is_empty() || !written.credential_names.is_empty();
    let not_executed = if mode == "ISTIO_MUTUAL" {
        Some((
            "mode",
            "ISTIO_MUTUAL of a gateway is not executed: this server serves nothing.",
            "Write MUTUAL with files.",
        ))
    } else if names_secret && secrets.is_none() {
        let cure = "Set `secretsFolder` in the Settings document, with each secret mounted in a folder of its name.";
        Some(("credentialName", "There is no folder of secrets, so this server serves nothing.", cure))
    } else {
        None
    };
    if let Some((field, message, cure)) = not_executed {
        findings.warning(INERT, document.place(&path.key(field)), remark(message, cure));
        return None;
    }
    let min_version = version(written.min_protocol_version.as_deref()).unwrap_or(TlsVersion::V1_2);
    let max_version = version(written.max_protocol_version.as_deref()).unwrap_or(TlsVersion::V1_3);
    Some(ServerTls {
        key_pairs: key_pairs(written, secrets),
        clients: clients(mode, written, secrets),
        revocations: path_of(&written.ca_crl),
        subject_alt_names: written.subject_alt_names.iter().map(|name| name.as_str().into()).collect(),
        min_version,
        max_version: max_version.max(min_version),
        cipher_suites: written.cipher_suites.iter().map(|suite| suite.as_str().into()).collect(),
    })
}

fn key_pairs(written: &GatewayTls, secrets: Option<&FilePath>) -> Vec<KeyPair> {
    let named = std::iter::once(&written.credential_name).chain(&written.credential_names);
    let in_secrets =
        named.filter(|name| !name.is_empty()).filter_map(|name| Some(KeyPair::Secret(secrets?.join(name))));
    let one = (&written.server_certificate, &written.private_key);
    let several = written.tls_certificates.iter().map(|pair| (&pair.server_certificate, &pair.private_key));
    let in_files = several.chain([one]).filter(|(certificate, _)| !certificate.is_empty());
    let in_files =
        in_files.map(|(certificate, key)| KeyPair::Files { certificate: certificate.into(), key: key.into() });
    in_secrets.chain(in_files).collect()
}

/// Whom clients must be vouched for by: a file, else the secret of that purpose, else that of the server itself.
fn clients(mode: &str, written: &GatewayTls, secrets: Option<&FilePath>) -> ClientCertificates {
    let named = [&written.ca_cert_credential_name, &written.credential_name];
    let secret = named.into_iter().find(|name| !name.is_empty()).zip(secrets).map(|(name, folder)| folder.join(name));
    let authorities = match (path_of(&written.ca_certificates), secret) {
        (Some(bundle), _) => Authorities::Bundle(bundle),
        (None, Some(secret)) => Authorities::Secret(secret),
        (None, None) => Authorities::System,
    };
    match mode {
        "MUTUAL" => ClientCertificates::Required(authorities),
        "OPTIONAL_MUTUAL" => ClientCertificates::Optional(authorities),
        _ => ClientCertificates::None,
    }
}

fn path_of(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| text.into())
}

/// Versions before 1.2 are not spoken (RFC 8996), whatever a document allows.
fn version(text: Option<&str>) -> Option<TlsVersion> {
    match text {
        Some("TLSV1_3") => Some(TlsVersion::V1_3),
        Some("TLSV1_0" | "TLSV1_1" | "TLSV1_2") => Some(TlsVersion::V1_2),
        _ => None,
    }
}
