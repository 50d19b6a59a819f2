//! From files to certificates, keys and authorities.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::certificate::Validity;
use super::fault::{Built, Fault};
use super::files::{Files, of_authorities, of_key_pair};
use crate::domain::{Authorities, KeyPair};

/// The cryptography that every connection uses.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// What was read for one connection's side, with what is wrong with it though it can be used.
pub(super) struct Reader<'f> {
    files: &'f Files,
    now: SystemTime,
    pub(super) faults: Vec<Fault>,
    /// When the first certificate becomes valid or expires, of those to come.
    pub(super) turns: Option<SystemTime>,
}

/// Who is trusted, and which of their certificates are not.
pub(super) struct Trust {
    pub(super) roots: Arc<RootCertStore>,
    pub(super) revocations: Vec<CertificateRevocationListDer<'static>>,
}

impl<'f> Reader<'f> {
    pub(super) fn new(files: &'f Files, now: SystemTime) -> Self {
        Self { files, now, faults: Vec::new(), turns: None }
    }

    /// What was built of all that was read, or why nothing was.
    pub(super) fn conclude<T>(mut self, built: Result<T, Fault>) -> Built<T> {
        let config = built.map_err(|fault| self.faults.push(fault)).ok();
        Built { config, faults: self.faults, turns: self.turns }
    }

    /// The certificate chain and key of `pair`.
    pub(super) fn key_pair(&mut self, pair: &KeyPair) -> Result<Arc<CertifiedKey>, Fault> {
        let choices = of_key_pair(pair);
        let there = choices.iter().find(|(chain, _)| self.files.has(chain));
        let Some((chain_file, key_file)) = there.or(choices.last()) else {
            return Err(Fault::new("No file holds the key pair.", "Name its files."));
        };
        let chain = self.certificates(chain_file)?;
        let key = PrivateKeyDer::from_pem_slice(self.bytes(key_file)?).map_err(|error| {
            let why = match error {
                pem::Error::NoItemsFound => "it holds no private key in PEM, or an encrypted one".to_owned(),
                error => format!("it is no PEM: {error}"),
            };
            Fault::of(key_file, why, "Write an unencrypted key there, as PKCS #8, PKCS #1 or SEC 1 in PEM.")
        })?;
        if let Some(leaf) = chain.first() {
            self.check_validity(chain_file, leaf, "Renew the certificate.");
        }
        let pair = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let why = format!("its key does not belong to the certificate in `{}`", chain_file.display());
                Fault::of(key_file, why, "Write a key and its own certificate.")
            }
            error => Fault::of(key_file, error, "Write a key that is RSA, ECDSA or Ed25519."),
        })?;
        Ok(Arc::new(pair))
    }

    /// Who is trusted; `revocations` names a file for it, beside those that a secret may hold.
    pub(super) fn trust(&mut self, authorities: &Authorities, revocations: Option<&Path>) -> Result<Trust, Fault> {
        let (roots, beside) = match authorities {
            Authorities::System => (system_roots()?, Vec::new()),
            Authorities::Anyone => (Arc::new(RootCertStore::empty()), Vec::new()),
            Authorities::Bundle(_) | Authorities::Secret(_) => self.bundle(authorities)?,
        };
        let beside = beside.into_iter().find(|file| self.files.has(file));
        let revocations = match revocations.map(Path::to_owned).or(beside) {
            Some(file) => self.revocations(&file)?,
            None => Vec::new(),
        };
        Ok(Trust { roots, revocations })
    }

    fn bundle(&mut self, authorities: &Authorities) -> Result<(Arc<RootCertStore>, Vec<PathBuf>), Fault> {
        let choices = of_authorities(authorities);
        let there = choices.iter().find(|(file, _)| self.files.has(file));
        let Some((file, revocations)) = there.or(choices.last()) else {
            return Err(Fault::new("No file holds the authorities.", "Name the file."));
        };
        let certificates = self.certificates(file)?;
        // A bundle is good as long as one of its authorities is: old ones are left in it while they are replaced.
        let lasts = |one: &&CertificateDer<'_>| Validity::of(one).map(|validity| validity.until);
        if let Some(last) = certificates.iter().max_by_key(lasts) {
            self.check_validity(file, last, "Write an authority that is valid now.");
        }
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            let wrong = |error| Fault::of(file, error, "Write certificates of authorities there, in PEM.");
            roots.add(certificate).map_err(wrong)?;
        }
        Ok((Arc::new(roots), revocations.clone()))
    }

    fn revocations(&self, file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, Fault> {
        let cure = "Write lists of revoked certificates there, in PEM.";
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(self.bytes(file)?).collect();
        match lists {
            Ok(lists) if lists.is_empty() => Err(Fault::of(file, "it holds no list of revoked certificates", cure)),
            Ok(lists) => Ok(lists),
            Err(error) => Err(Fault::of(file, format!("it is no PEM: {error}"), cure)),
        }
    }

    fn certificates(&self, file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
        let cure = "Write certificates there, in PEM.";
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.bytes(file)?).collect();
        let certificates = read.map_err(|error| Fault::of(file, format!("it is no PEM: {error}"), cure))?;
        if certificates.is_empty() {
            return Err(Fault::of(file, "it holds no certificate", cure));
        }
        if certificates.iter().any(|certificate| Validity::of(certificate).is_none()) {
            return Err(Fault::of(file, "what it holds is no X.509 certificate", cure));
        }
        Ok(certificates)
    }

    fn check_validity(&mut self, file: &Path, certificate: &CertificateDer<'_>, cure: &str) {
        let Some(validity) = Validity::of(certificate) else { return };
        self.faults.extend(validity.fault(self.now).map(|why| Fault::of(file, why, cure)));
        let to_come = [validity.from, validity.until].into_iter().filter(|turn| *turn >= self.now);
        self.turns = self.turns.into_iter().chain(to_come).min();
    }

    fn bytes(&self, file: &Path) -> Result<&'f [u8], Fault> {
        let cure = "Write it, mount it, or correct the name; it is looked for again all the time.";
        self.files.get(file).map_err(|why| Fault::of(file, why, cure))
    }
}

/// The authorities that the system trusts: the bundle in the usual places of its distribution, or what `SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name.
fn system_roots() -> Result<Arc<RootCertStore>, Fault> {
    static ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
        let mut roots = RootCertStore::empty();
        // One certificate among hundreds that cannot be read is no reason to trust nobody.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if ROOTS.is_empty() {
        let cure = "Install the package ca-certificates, or set SSL_CERT_FILE, and restart; or name `caCertificates`.";
        return Err(Fault::new("The system has no authorities that it trusts.", cure));
    }
    Ok(Arc::clone(&ROOTS))
}
