//! `ServerTLSSettings` into what a server shows and asks for.

use std::path::PathBuf;

use crate::config::document::Document;
use crate::config::finding::{Findings, Remark, remark};
use crate::config::path::Path;
use crate::config::secrets::Folders;
use crate::config::unexecuted::SECRETS;
use crate::config::written::GatewayTls;
use crate::domain::{Authorities, ClientCertificates, KeyPair, ServerTls, TlsVersion};

/// Reads them; `None`, with a finding, for what names a secret that cannot be found.
pub(super) fn read(
    (document, path): (&Document, &Path),
    written: &GatewayTls,
    folders: &Folders,
    findings: &mut Findings,
) -> Option<ServerTls> {
    let mut missing = |field: &str, said: Remark| {
        let said = remark(format!("{} So this server serves nothing.", said.message), said.cure);
        findings.not_executed(&SECRETS, document.place(&path.key(field)), said);
    };
    let (key_pairs, clients) = if written.mode.as_deref() == Some("ISTIO_MUTUAL") {
        (vec![folders.istio_key_pair()], ClientCertificates::Required(folders.istio_authorities()))
    } else {
        let pairs = key_pairs(written, folders).map_err(|said| missing("credentialName", said)).ok()?;
        (pairs, clients(written, folders).map_err(|said| missing("caCertCredentialName", said)).ok()?)
    };
    let min_version = version(written.min_protocol_version.as_deref()).unwrap_or(TlsVersion::V1_2);
    let max_version = version(written.max_protocol_version.as_deref()).unwrap_or(TlsVersion::V1_3);
    Some(ServerTls {
        key_pairs,
        clients,
        revocations: path_of(&written.ca_crl),
        subject_alt_names: written.subject_alt_names.iter().map(|name| name.as_str().into()).collect(),
        min_version,
        max_version: max_version.max(min_version),
        cipher_suites: written.cipher_suites.iter().map(|suite| suite.as_str().into()).collect(),
    })
}

fn credentials(written: &GatewayTls) -> impl Iterator<Item = &String> {
    std::iter::once(&written.credential_name).chain(&written.credential_names).filter(|name| !name.is_empty())
}

fn key_pairs(written: &GatewayTls, folders: &Folders) -> Result<Vec<KeyPair>, Remark> {
    let in_secrets = credentials(written).map(|name| folders.secret(name).map(KeyPair::Secret));
    let one = (&written.server_certificate, &written.private_key);
    let several = written.tls_certificates.iter().map(|pair| (&pair.server_certificate, &pair.private_key));
    let in_files = several.chain([one]).filter(|(certificate, _)| !certificate.is_empty());
    let in_files =
        in_files.map(|(certificate, key)| Ok(KeyPair::Files { certificate: certificate.into(), key: key.into() }));
    in_secrets.chain(in_files).collect()
}

/// Whom clients must be vouched for by: a file, else the secret of that purpose, else that of the server itself.
fn clients(written: &GatewayTls, folders: &Folders) -> Result<ClientCertificates, Remark> {
    let vouch: fn(Authorities) -> ClientCertificates = match written.mode.as_deref() {
        Some("MUTUAL") => ClientCertificates::Required,
        Some("OPTIONAL_MUTUAL") => ClientCertificates::Optional,
        _ => return Ok(ClientCertificates::None),
    };
    if let Some(bundle) = path_of(&written.ca_certificates) {
        return Ok(vouch(Authorities::Bundle(bundle)));
    }
    let own = Some(&written.ca_cert_credential_name).filter(|name| !name.is_empty());
    match own.or_else(|| credentials(written).next()) {
        Some(name) => folders.secret(name).map(|folder| vouch(Authorities::Secret(folder))),
        None => Ok(vouch(Authorities::System)),
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
