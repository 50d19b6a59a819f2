//! Where certificates are that documents name by something other than a file.

use std::path::PathBuf;

use super::finding::{Remark, remark};
use super::written::{Settings, Sourced};
use crate::domain::{Authorities, KeyPair};

/// Where Istio's agent writes the certificates of a sidecar's workload, by what Istio documents for `OUTPUT_CERTS`.
const ISTIO_CERTIFICATES: &str = "/etc/istio-output-certs";

/// The folders of certificates that the settings name.
#[derive(Debug)]
pub(super) struct Folders {
    istio: PathBuf,
    secrets: Option<PathBuf>,
}

impl Folders {
    pub(super) fn of(settings: &[Sourced<Settings>]) -> Self {
        let spec = settings.first().map(|source| &source.spec);
        let named = |text: Option<&String>| text.filter(|text| !text.is_empty()).map(PathBuf::from);
        Self {
            istio: named(spec.and_then(|spec| spec.istio_certificates.as_ref()))
                .unwrap_or_else(|| ISTIO_CERTIFICATES.into()),
            secrets: named(spec.and_then(|spec| spec.secrets_folder.as_ref())),
        }
    }

    /// The workload's own certificate in the mesh.
    pub(super) fn istio_key_pair(&self) -> KeyPair {
        KeyPair::Files { certificate: self.istio.join("cert-chain.pem"), key: self.istio.join("key.pem") }
    }

    /// Who signs the certificates of the mesh.
    pub(super) fn istio_authorities(&self) -> Authorities {
        Authorities::Bundle(self.istio.join("root-cert.pem"))
    }

    /// The folder of the Kubernetes secret that `credential` names.
    pub(super) fn secret(&self, credential: &str) -> Result<PathBuf, Remark> {
        let name = credential.strip_prefix("kubernetes://").unwrap_or(credential);
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if !name.chars().all(allowed) || name.starts_with('.') {
            let message = format!("The credential `{credential}` is of a kind that is not executed yet.");
            return Err(remark(message, "Name a Kubernetes secret that is mounted below `secretsFolder`."));
        }
        let Some(secrets) = &self.secrets else {
            let message = format!("The credential `{name}` is not read from Kubernetes, but from a folder.");
            let cure = "Mount the secret as a folder of its name, and name the folder above it in the Settings document's \
                        `secretsFolder`.";
            return Err(remark(message, cure));
        };
        Ok(secrets.join(name))
    }
}
