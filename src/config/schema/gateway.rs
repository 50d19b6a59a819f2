//! `Gateway`.
//!
//! Facts (fields, ranges, alternatives): Istio's custom resource definitions of July 2026, which the API server checks.

use super::{BOOL, LABELS, Shape, TEXT, TEXTS, Table, UINT32, field};

const PROTOCOL_VERSION: Shape = Shape::Enum(&["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]);

static PORT: Table = Table {
    fields: &[
        field("name", TEXT).required(),
        field("number", UINT32).required(),
        field("protocol", TEXT).required(),
        field("targetPort", UINT32),
    ],
    one_of: &[],
};

static TLS_CERTIFICATE: Table = Table {
    fields: &[field("caCertificates", TEXT), field("privateKey", TEXT), field("serverCertificate", TEXT)],
    one_of: &[],
};

static TLS: Table = Table {
    fields: &[
        field("caCertCredentialName", TEXT),
        field("caCertificates", TEXT),
        field("caCrl", TEXT),
        field("cipherSuites", TEXTS),
        field("credentialName", TEXT),
        field("credentialNames", Shape::Items(&TEXT, 1, 2)),
        field("ecdhCurves", TEXTS).inert(),
        field("httpsRedirect", BOOL),
        field("insecureSkipVerify", BOOL).diverting(),
        field("maxProtocolVersion", PROTOCOL_VERSION),
        field("minProtocolVersion", PROTOCOL_VERSION),
        field(
            "mode",
            Shape::Enum(&["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"]),
        ),
        field("privateKey", TEXT),
        field("serverCertificate", TEXT),
        field("subjectAltNames", TEXTS),
        field("tlsCertificates", Shape::Items(&Shape::Object(&TLS_CERTIFICATE), 1, 2)),
        field("verifyCertificateHash", TEXTS).diverting(),
        field("verifyCertificateSpki", TEXTS).diverting(),
    ],
    one_of: &[&["tlsCertificates", "credentialNames"], &["credentialName", "credentialNames"]],
};

static SERVER: Table = Table {
    fields: &[
        field("bind", TEXT),
        field("defaultEndpoint", TEXT),
        field("hosts", TEXTS).required(),
        field("name", TEXT),
        field("port", Shape::Object(&PORT)).required(),
        field("tls", Shape::Object(&TLS)),
    ],
    one_of: &[],
};

pub(in crate::config) static GATEWAY: Table =
    Table { fields: &[field("selector", LABELS), field("servers", Shape::List(&Shape::Object(&SERVER)))], one_of: &[] };
