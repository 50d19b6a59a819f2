//! `Gateway` as written.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A `Gateway`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::config) struct Gateway {
    pub(in crate::config) selector: BTreeMap<String, String>,
    pub(in crate::config) servers: Vec<Server>,
}

/// `Server`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct Server {
    pub(in crate::config) name: String,
    pub(in crate::config) port: GatewayPort,
    pub(in crate::config) bind: String,
    pub(in crate::config) hosts: Vec<String>,
    pub(in crate::config) default_endpoint: String,
    pub(in crate::config) tls: Option<ServerTls>,
}

/// `Port`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct GatewayPort {
    pub(in crate::config) number: u32,
    pub(in crate::config) name: String,
    pub(in crate::config) protocol: String,
    pub(in crate::config) target_port: u32,
}

/// `ServerTLSSettings`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct ServerTls {
    pub(in crate::config) https_redirect: bool,
    /// `None` is `PASSTHROUGH`, protobuf's default.
    pub(in crate::config) mode: Option<String>,
    pub(in crate::config) server_certificate: String,
    pub(in crate::config) private_key: String,
    pub(in crate::config) ca_certificates: String,
    pub(in crate::config) ca_crl: String,
    pub(in crate::config) credential_name: String,
    pub(in crate::config) credential_names: Vec<String>,
    pub(in crate::config) ca_cert_credential_name: String,
    pub(in crate::config) tls_certificates: Vec<TlsCertificate>,
    pub(in crate::config) insecure_skip_verify: bool,
    pub(in crate::config) subject_alt_names: Vec<String>,
    pub(in crate::config) verify_certificate_spki: Vec<String>,
    pub(in crate::config) verify_certificate_hash: Vec<String>,
    pub(in crate::config) min_protocol_version: Option<String>,
    pub(in crate::config) max_protocol_version: Option<String>,
    pub(in crate::config) cipher_suites: Vec<String>,
    pub(in crate::config) ecdh_curves: Vec<String>,
}

/// `ServerTLSSettings.TLSCertificate`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::config) struct TlsCertificate {
    pub(in crate::config) server_certificate: String,
    pub(in crate::config) private_key: String,
    pub(in crate::config) ca_certificates: String,
}
