//! `ClientTLSSettings`: how a connection to an endpoint is secured.
//!
//! Which server name is asked for and what a certificate must be for is what Istio has its proxies do.

use std::path::PathBuf;

use super::Reader;
use crate::config::finding::remark;
use crate::config::path::Path;
use crate::config::problem::Place;
use crate::config::unexecuted::CREDENTIAL;
use crate::config::written::ClientTls as Written;
use crate::domain::{Alpn, Authorities, ClientTls, HostCheck, KeyPair, PoolKey, Sni};

/// TLS as one policy asks for it.
#[derive(Clone, Debug)]
pub(in crate::config) struct Tls {
    /// Where it stands.
    pub(in crate::config) place: Place,
    mode: Mode,
    key_pair: Option<KeyPair>,
    authorities: Authorities,
    revocations: Option<PathBuf>,
    sni: Option<Box<str>>,
    subject_alt_names: Vec<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Disable,
    /// The document's own certificates.
    Own,
    /// Istio's.
    Mesh,
}

impl Tls {
    /// Whether connections are secured at all.
    pub(super) fn secures(&self) -> bool {
        self.mode != Mode::Disable
    }

    /// What it comes to for one pool; `names` are those that its service's document gives its endpoints.
    pub(in crate::config) fn resolve(&self, pool: &PoolKey, names: &[String]) -> Option<ClientTls> {
        if !self.secures() {
            return None;
        }
        let verified = self.authorities != Authorities::Anyone;
        let check = if verified && self.subject_alt_names.is_empty() { HostCheck::Request } else { HostCheck::None };
        let subject_alt_names = match self.subject_alt_names.as_slice() {
            [] if verified => names.iter().map(|name| name.as_str().into()).collect(),
            own => own.to_vec(),
        };
        Some(ClientTls {
            key_pair: self.key_pair.clone(),
            authorities: self.authorities.clone(),
            revocations: self.revocations.clone(),
            sni: match (&self.sni, self.mode) {
                (Some(name), _) => Sni::Fixed(name.clone()),
                (None, Mode::Mesh) => Sni::Fixed(mesh_server_name(pool)),
                (None, _) => Sni::OfRequest(check),
            },
            subject_alt_names,
            alpn: if self.mode == Mode::Mesh { Alpn::Mesh } else { Alpn::Http },
        })
    }
}

/// The server name by which sidecars know each other's services.
fn mesh_server_name(pool: &PoolKey) -> Box<str> {
    let subset = pool.subset.as_deref().unwrap_or_default();
    format!("outbound_.{}_.{subset}_.{}", pool.port, pool.host).into()
}

impl Reader<'_> {
    /// The TLS settings of the policy at `path`; `None` where there are none.
    pub(super) fn tls(&mut self, written: Option<&Written>, path: &Path) -> Option<Tls> {
        let (written, path) = (written?, path.key("tls"));
        let mut tls = Tls {
            place: self.document.place(&path),
            mode: Mode::Disable,
            key_pair: None,
            authorities: Authorities::System,
            revocations: written.ca_crl.as_deref().filter(|text| !text.is_empty()).map(PathBuf::from),
            sni: written.sni.as_deref().filter(|text| !text.is_empty()).map(Box::from),
            subject_alt_names: written.subject_alt_names.iter().map(|name| name.as_str().into()).collect(),
        };
        match written.mode.as_deref() {
            Some("ISTIO_MUTUAL") => {
                tls.mode = Mode::Mesh;
                tls.key_pair = Some(self.folders.istio_key_pair());
                tls.authorities = self.folders.istio_authorities();
                tls.revocations = None;
                Some(tls)
            }
            Some(mode @ ("SIMPLE" | "MUTUAL")) => {
                tls.mode = Mode::Own;
                // What cannot be found out has been reported as an error, and is not used.
                (tls.key_pair, tls.authorities) =
                    self.certificates(written, mode, &path).unwrap_or((None, Authorities::System));
                if written.insecure_skip_verify {
                    tls.authorities = Authorities::Anyone;
                    tls.revocations = None;
                }
                Some(tls)
            }
            _ => Some(tls),
        }
    }

    /// What is shown and who is trusted; `None` where that cannot be found out, which has been reported.
    fn certificates(&mut self, written: &Written, mode: &str, path: &Path) -> Option<(Option<KeyPair>, Authorities)> {
        let given = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(PathBuf::from);
        if let Some(credential) = written.credential_name.as_deref().filter(|name| !name.is_empty()) {
            return match self.folders.secret(credential) {
                Ok(folder) => {
                    let pair = (mode == "MUTUAL").then(|| KeyPair::Secret(folder.clone()));
                    Some((pair, Authorities::Secret(folder)))
                }
                Err(said) => {
                    self.findings.not_executed(&CREDENTIAL, self.document.place(&path.key("credentialName")), said);
                    None
                }
            };
        }
        let authorities = given(&written.ca_certificates).map_or(Authorities::System, Authorities::Bundle);
        if mode != "MUTUAL" {
            return Some((None, authorities));
        }
        if let (Some(certificate), Some(key)) = (given(&written.client_certificate), given(&written.private_key)) {
            return Some((Some(KeyPair::Files { certificate, key }), authorities));
        }
        let cure = "Add `clientCertificate` and `privateKey`, or `credentialName`.";
        self.wrong(path, remark("MUTUAL TLS needs a client certificate and its private key.", cure));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Host;

    fn tls(mode: Mode, sni: Option<&str>, names: &[&str]) -> Tls {
        Tls {
            place: Place::default(),
            mode,
            key_pair: None,
            authorities: Authorities::System,
            revocations: None,
            sni: sni.map(Box::from),
            subject_alt_names: names.iter().map(|name| Box::from(*name)).collect(),
        }
    }

    #[test]
    fn names_are_asked_for_and_verified_as_in_istio() {
        let pool = PoolKey { host: Host::parse("a.b").expect("a host"), subset: Some("v1".into()), port: 443 };
        let of_service = ["spiffe://a".to_owned()];
        let resolved = |tls: Tls| {
            let tls = tls.resolve(&pool, &of_service).expect("it is not disabled");
            (tls.sni, tls.subject_alt_names)
        };
        let names = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect::<Vec<Box<str>>>();
        let fixed = |name: &str| Sni::Fixed(name.into());
        let of_service = names(&["spiffe://a"]);
        for (policy, expected) in [
            (tls(Mode::Own, None, &[]), (Sni::OfRequest(HostCheck::Request), of_service.clone())),
            (tls(Mode::Own, None, &["x"]), (Sni::OfRequest(HostCheck::None), names(&["x"]))),
            (tls(Mode::Own, Some("s"), &[]), (fixed("s"), of_service.clone())),
            (tls(Mode::Mesh, None, &[]), (fixed("outbound_.443_.v1_.a.b"), of_service.clone())),
            (tls(Mode::Mesh, Some("s"), &["x"]), (fixed("s"), names(&["x"]))),
        ] {
            assert_eq!(resolved(policy), expected);
        }
        let anyone = Tls { authorities: Authorities::Anyone, ..tls(Mode::Own, None, &[]) };
        assert_eq!(resolved(anyone), (Sni::OfRequest(HostCheck::None), Vec::new()));
        assert_eq!(tls(Mode::Disable, None, &[]).resolve(&pool, &[]), None);
    }
}
