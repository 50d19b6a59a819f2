//! `VirtualService`.
//!
//! Facts (fields, ranges, alternatives): Istio's custom resource definitions of July 2026, which the API server checks.

use super::{BOOL, DURATION, INT32, LABELS, Shape, TEXT, TEXTS, Table, UINT32, field};

static STRING_MATCH: Table = Table {
    fields: &[field("exact", TEXT), field("prefix", TEXT), field("regex", TEXT)],
    one_of: &[&["exact", "prefix", "regex"]],
};

static CORS_POLICY: Table = Table {
    fields: &[
        field("allowCredentials", BOOL),
        field("allowHeaders", TEXTS),
        field("allowMethods", TEXTS),
        field("allowOrigin", TEXTS),
        field("allowOrigins", Shape::List(&Shape::Object(&STRING_MATCH))),
        field("exposeHeaders", TEXTS),
        field("maxAge", DURATION),
        field("unmatchedPreflights", Shape::Enum(&["UNSPECIFIED", "FORWARD", "IGNORE"])),
    ],
    one_of: &[],
};

static DELEGATE: Table = Table { fields: &[field("name", TEXT), field("namespace", TEXT)], one_of: &[] };

static BODY_SOURCE: Table =
    Table { fields: &[field("bytes", TEXT), field("string", TEXT)], one_of: &[&["string", "bytes"]] };

static DIRECT_RESPONSE: Table =
    Table { fields: &[field("body", Shape::Object(&BODY_SOURCE)), field("status", UINT32).required()], one_of: &[] };

static PERCENTAGE: Table = Table { fields: &[field("value", Shape::Number(f64::MIN, f64::MAX))], one_of: &[] };

static ABORT: Table = Table {
    fields: &[
        field("grpcStatus", TEXT),
        field("http2Error", TEXT),
        field("httpStatus", INT32),
        field("percentage", Shape::Object(&PERCENTAGE)),
    ],
    one_of: &[&["httpStatus", "grpcStatus", "http2Error"]],
};

static DELAY: Table = Table {
    fields: &[
        field("exponentialDelay", DURATION),
        field("fixedDelay", DURATION),
        field("percent", INT32),
        field("percentage", Shape::Object(&PERCENTAGE)),
    ],
    one_of: &[&["fixedDelay", "exponentialDelay"]],
};

static FAULT: Table =
    Table { fields: &[field("abort", Shape::Object(&ABORT)), field("delay", Shape::Object(&DELAY))], one_of: &[] };

static HEADER_OPERATIONS: Table =
    Table { fields: &[field("add", LABELS), field("remove", TEXTS), field("set", LABELS)], one_of: &[] };

static HEADERS: Table = Table {
    fields: &[
        field("request", Shape::Object(&HEADER_OPERATIONS)),
        field("response", Shape::Object(&HEADER_OPERATIONS)),
    ],
    one_of: &[],
};

static MATCH: Table = Table {
    fields: &[
        field("authority", Shape::Object(&STRING_MATCH)),
        field("gateways", TEXTS),
        field("headers", Shape::Map(&Shape::Object(&STRING_MATCH))),
        field("ignoreUriCase", BOOL),
        field("method", Shape::Object(&STRING_MATCH)),
        field("name", TEXT),
        field("port", UINT32),
        field("queryParams", Shape::Map(&Shape::Object(&STRING_MATCH))),
        field("scheme", Shape::Object(&STRING_MATCH)),
        field("sourceLabels", LABELS),
        field("sourceNamespace", TEXT),
        field("statPrefix", TEXT).inert(),
        field("uri", Shape::Object(&STRING_MATCH)),
        field("withoutHeaders", Shape::Map(&Shape::Object(&STRING_MATCH))),
    ],
    one_of: &[],
};

static PORT_SELECTOR: Table = Table { fields: &[field("number", UINT32)], one_of: &[] };

static MIRROR: Table = Table {
    fields: &[field("host", TEXT).required(), field("port", Shape::Object(&PORT_SELECTOR)), field("subset", TEXT)],
    one_of: &[],
};

static MIRRORS: Table = Table {
    fields: &[field("destination", Shape::Object(&MIRROR)).required(), field("percentage", Shape::Object(&PERCENTAGE))],
    one_of: &[],
};

static REDIRECT: Table = Table {
    fields: &[
        field("authority", TEXT),
        field("derivePort", Shape::Enum(&["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"])),
        field("port", UINT32),
        field("prefixRewrite", TEXT),
        field("redirectCode", UINT32),
        field("scheme", TEXT),
        field("uri", TEXT),
    ],
    one_of: &[&["port", "derivePort"]],
};

static RETRIES: Table = Table {
    fields: &[
        field("attempts", INT32),
        field("backoff", DURATION),
        field("perTryTimeout", DURATION),
        field("retryIgnorePreviousHosts", BOOL),
        field("retryOn", TEXT),
        field("retryRemoteLocalities", BOOL),
    ],
    one_of: &[],
};

static URI_REGEX_REWRITE: Table = Table { fields: &[field("match", TEXT), field("rewrite", TEXT)], one_of: &[] };

static REWRITE: Table = Table {
    fields: &[
        field("authority", TEXT),
        field("uri", TEXT),
        field("uriRegexRewrite", Shape::Object(&URI_REGEX_REWRITE)),
    ],
    one_of: &[],
};

static ROUTE: Table = Table {
    fields: &[
        field("destination", Shape::Object(&MIRROR)).required(),
        field("headers", Shape::Object(&HEADERS)),
        field("weight", INT32),
    ],
    one_of: &[],
};

static HTTP: Table = Table {
    fields: &[
        field("corsPolicy", Shape::Object(&CORS_POLICY)),
        field("delegate", Shape::Object(&DELEGATE)),
        field("directResponse", Shape::Object(&DIRECT_RESPONSE)),
        field("fault", Shape::Object(&FAULT)),
        field("headers", Shape::Object(&HEADERS)),
        field("match", Shape::List(&Shape::Object(&MATCH))),
        field("mirror", Shape::Object(&MIRROR)),
        field("mirror_percent", UINT32),
        field("mirrorPercent", UINT32),
        field("mirrorPercentage", Shape::Object(&PERCENTAGE)),
        field("mirrors", Shape::List(&Shape::Object(&MIRRORS))),
        field("name", TEXT),
        field("redirect", Shape::Object(&REDIRECT)),
        field("retries", Shape::Object(&RETRIES)),
        field("rewrite", Shape::Object(&REWRITE)),
        field("route", Shape::List(&Shape::Object(&ROUTE))),
        field("timeout", DURATION),
    ],
    one_of: &[],
};

static TCP_MATCH: Table = Table {
    fields: &[
        field("destinationSubnets", TEXTS),
        field("gateways", TEXTS),
        field("port", UINT32),
        field("sourceLabels", LABELS),
        field("sourceNamespace", TEXT),
        field("sourceSubnet", TEXT),
    ],
    one_of: &[],
};

static STREAM_ROUTE: Table =
    Table { fields: &[field("destination", Shape::Object(&MIRROR)).required(), field("weight", INT32)], one_of: &[] };

static TCP: Table = Table {
    fields: &[
        field("match", Shape::List(&Shape::Object(&TCP_MATCH))),
        field("route", Shape::List(&Shape::Object(&STREAM_ROUTE))),
    ],
    one_of: &[],
};

static TLS_MATCH: Table = Table {
    fields: &[
        field("destinationSubnets", TEXTS),
        field("gateways", TEXTS),
        field("port", UINT32),
        field("sniHosts", TEXTS).required(),
        field("sourceLabels", LABELS),
        field("sourceNamespace", TEXT),
    ],
    one_of: &[],
};

static TLS: Table = Table {
    fields: &[
        field("match", Shape::List(&Shape::Object(&TLS_MATCH))).required(),
        field("route", Shape::List(&Shape::Object(&STREAM_ROUTE))),
    ],
    one_of: &[],
};

pub(in crate::config) static VIRTUAL_SERVICE: Table = Table {
    fields: &[
        field("exportTo", TEXTS),
        field("gateways", TEXTS),
        field("hosts", TEXTS),
        field("http", Shape::List(&Shape::Object(&HTTP))),
        field("tcp", Shape::List(&Shape::Object(&TCP))).inert(),
        field("tls", Shape::List(&Shape::Object(&TLS))).inert(),
    ],
    one_of: &[],
};
