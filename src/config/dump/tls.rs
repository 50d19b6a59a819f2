//! TLS settings as JSON: the files, names and versions, never what the files hold.

use std::path::Path;

use serde_json::{Value, json};

use crate::config::checked::{Listener, TlsServer};
use crate::domain::{Alpn, Authorities, ClientCertificates, ClientTls, HostCheck, KeyPair, ServerTls, Sni, TlsVersion};

pub(super) fn listener(listener: &Listener) -> Value {
    json!({
        "port": listener.port,
        "address": listener.address.to_string(),
        "tls": listener.tls.iter().map(tls_server).collect::<Vec<_>>(),
    })
}

pub(super) fn client(tls: &ClientTls) -> Value {
    json!({
        "keyPair": tls.key_pair.as_ref().map(key_pair),
        "authorities": authorities(&tls.authorities),
        "caCrl": tls.revocations.as_deref().map(text),
        "sni": match &tls.sni {
            Sni::Fixed(name) => Value::from(&**name),
            Sni::OfRequest(check) => json!({ "ofRequest": true, "verified": *check == HostCheck::Request }),
        },
        "subjectAltNames": tls.subject_alt_names,
        "alpn": match tls.alpn { Alpn::Http => "http", Alpn::Mesh => "istio" },
    })
}

pub(super) fn tls_server(server: &TlsServer) -> Value {
    let ServerTls { key_pairs, clients, revocations, subject_alt_names, min_version, max_version, cipher_suites } =
        &server.tls;
    json!({
        "hosts": server.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "keyPairs": key_pairs.iter().map(key_pair).collect::<Vec<_>>(),
        "clients": match clients {
            ClientCertificates::None => Value::Null,
            ClientCertificates::Optional(of) => json!({ "required": false, "authorities": authorities(of) }),
            ClientCertificates::Required(of) => json!({ "required": true, "authorities": authorities(of) }),
            ClientCertificates::Judged(of) => json!({ "judged": true, "authorities": authorities(of) }),
        },
        "caCrl": revocations.as_deref().map(text),
        "subjectAltNames": subject_alt_names,
        "minProtocolVersion": version(*min_version),
        "maxProtocolVersion": version(*max_version),
        "cipherSuites": cipher_suites,
    })
}

fn key_pair(pair: &KeyPair) -> Value {
    match pair {
        KeyPair::Files { certificate, key } => json!({ "certificate": text(certificate), "key": text(key) }),
        KeyPair::Secret(folder) => json!({ "secret": text(folder) }),
    }
}

fn authorities(authorities: &Authorities) -> Value {
    match authorities {
        Authorities::System => Value::from("system"),
        Authorities::Bundle(file) => json!({ "bundle": text(file) }),
        Authorities::Secret(folder) => json!({ "secret": text(folder) }),
        Authorities::Anyone => Value::Null,
    }
}

fn version(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::V1_2 => "TLSV1_2",
        TlsVersion::V1_3 => "TLSV1_3",
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
