//! `DestinationRule`'s `trafficPolicy`.
//!
//! Facts (fields, ranges, alternatives): Istio's custom resource definitions of July 2026, which the API server checks.

use super::{BOOL, DURATION, INT32, Shape, TEXT, TEXTS, Table, UINT32, field};

/// Istio's webhook rejects what is negative.
const COUNT: Shape = Shape::Int(0, i32::MAX as i64);

static HTTP2_KEEP_ALIVE: Table =
    Table { fields: &[field("interval", DURATION), field("timeout", DURATION)], one_of: &[] };

static HTTP: Table = Table {
    fields: &[
        field("h2UpgradePolicy", Shape::Enum(&["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"])),
        field("http1MaxPendingRequests", COUNT),
        field("http2KeepAlive", Shape::Object(&HTTP2_KEEP_ALIVE)).inert(),
        field("http2MaxRequests", COUNT),
        field("idleTimeout", DURATION),
        field("maxConcurrentStreams", COUNT),
        field("maxRequestsPerConnection", COUNT),
        field("maxRetries", COUNT),
        field("useClientProtocol", BOOL),
    ],
    one_of: &[],
};

static TCP_KEEPALIVE: Table =
    Table { fields: &[field("interval", DURATION), field("probes", UINT32), field("time", DURATION)], one_of: &[] };

static TCP: Table = Table {
    fields: &[
        field("connectTimeout", DURATION),
        field("idleTimeout", Shape::SignedDuration),
        field("maxConnectionDuration", DURATION),
        field("maxConnections", COUNT),
        field("tcpKeepalive", Shape::Object(&TCP_KEEPALIVE)),
    ],
    one_of: &[],
};

static CONNECTION_POOL: Table =
    Table { fields: &[field("http", Shape::Object(&HTTP)), field("tcp", Shape::Object(&TCP))], one_of: &[] };

static BACKEND_UTILIZATION: Table = Table {
    fields: &[
        field("errorUtilizationPenaltyPercent", UINT32),
        field("metricNamesForComputingUtilization", TEXTS),
        field("weightExpirationPeriod", Shape::SignedDuration),
        field("weightStabilizationPeriod", Shape::SignedDuration),
        field("weightUpdatePeriod", Shape::SignedDuration),
    ],
    one_of: &[],
};

static ATTRIBUTES: Table = Table { fields: &[field("name", TEXT).required(), field("value", TEXT)], one_of: &[] };

static HTTP_COOKIE: Table = Table {
    fields: &[
        field("attributes", Shape::List(&Shape::Object(&ATTRIBUTES))),
        field("name", TEXT).required(),
        field("path", TEXT),
        field("ttl", Shape::SignedDuration),
    ],
    one_of: &[],
};

static MAGLEV: Table = Table { fields: &[field("tableSize", Shape::Int(0, i64::MAX))], one_of: &[] };

static RING_HASH: Table = Table { fields: &[field("minimumRingSize", Shape::Int(0, i64::MAX))], one_of: &[] };

static CONSISTENT_HASH: Table = Table {
    fields: &[
        field("httpCookie", Shape::Object(&HTTP_COOKIE)),
        field("httpHeaderName", TEXT),
        field("httpQueryParameterName", TEXT),
        field("maglev", Shape::Object(&MAGLEV)),
        field("minimumRingSize", Shape::Int(0, i64::MAX)),
        field("ringHash", Shape::Object(&RING_HASH)),
        field("useSourceIp", BOOL),
    ],
    one_of: &[&["httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"], &["ringHash", "maglev"]],
};

static DISTRIBUTE: Table = Table { fields: &[field("from", TEXT), field("to", Shape::Map(&UINT32))], one_of: &[] };

static FAILOVER: Table = Table { fields: &[field("from", TEXT), field("to", TEXT)], one_of: &[] };

static LOCALITY_LB_SETTING: Table = Table {
    fields: &[
        field("distribute", Shape::List(&Shape::Object(&DISTRIBUTE))),
        field("enabled", BOOL),
        field("failover", Shape::List(&Shape::Object(&FAILOVER))),
        field("failoverPriority", TEXTS),
    ],
    one_of: &[],
};

static WARMUP: Table = Table {
    fields: &[
        field("aggression", Shape::Number(0.0, f64::MAX)),
        field("duration", DURATION).required(),
        field("minimumPercent", Shape::Number(0.0, 100.0)),
    ],
    one_of: &[],
};

static ZONE_AWARE_LB_SETTING: Table = Table {
    fields: &[
        field("enabled", BOOL),
        field("failover", Shape::List(&Shape::Object(&FAILOVER))),
        field("failoverPriority", TEXTS),
        field("minClusterSize", Shape::Int(1, u32::MAX as i64)),
    ],
    one_of: &[],
};

static LOAD_BALANCER: Table = Table {
    fields: &[
        field("backendUtilization", Shape::Object(&BACKEND_UTILIZATION)).inert(),
        field("consistentHash", Shape::Object(&CONSISTENT_HASH)),
        field("localityLbSetting", Shape::Object(&LOCALITY_LB_SETTING)),
        field(
            "simple",
            Shape::Enum(&["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"]),
        ),
        field("warmup", Shape::Object(&WARMUP)),
        field("warmupDurationSecs", DURATION),
        field("zoneAwareLbSetting", Shape::Object(&ZONE_AWARE_LB_SETTING)).inert(),
    ],
    one_of: &[&["simple", "consistentHash", "backendUtilization"]],
};

static OUTLIER_DETECTION: Table = Table {
    fields: &[
        field("baseEjectionTime", DURATION),
        field("consecutive5xxErrors", UINT32),
        field("consecutiveErrors", INT32).inert(),
        field("consecutiveGatewayErrors", UINT32),
        field("consecutiveLocalOriginFailures", UINT32),
        field("interval", DURATION),
        field("maxEjectionPercent", INT32),
        field("minHealthPercent", INT32),
        field("outlierDetectionHttpErrorCodes", Shape::List(&Shape::Int(100, 599))).inert(),
        field("splitExternalLocalOriginErrors", BOOL),
    ],
    one_of: &[],
};

static PORT_SELECTOR: Table = Table { fields: &[field("number", UINT32)], one_of: &[] };

static TLS: Table = Table {
    fields: &[
        field("caCertificates", TEXT),
        field("caCrl", TEXT),
        field("clientCertificate", TEXT),
        field("credentialName", TEXT),
        field("insecureSkipVerify", BOOL),
        field("mode", Shape::Enum(&["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"])),
        field("privateKey", TEXT),
        field("sni", TEXT),
        field("subjectAltNames", TEXTS),
    ],
    one_of: &[],
};

static PORT_LEVEL_SETTINGS: Table = Table {
    fields: &[
        field("connectionPool", Shape::Object(&CONNECTION_POOL)),
        field("loadBalancer", Shape::Object(&LOAD_BALANCER)),
        field("outlierDetection", Shape::Object(&OUTLIER_DETECTION)),
        field("port", Shape::Object(&PORT_SELECTOR)),
        field("tls", Shape::Object(&TLS)),
    ],
    one_of: &[],
};

static PROXY_PROTOCOL: Table = Table { fields: &[field("version", Shape::Enum(&["V1", "V2"]))], one_of: &[] };

static RETRY_BUDGET: Table = Table {
    fields: &[
        field("budgetInterval", Shape::SignedDuration).inert(),
        field("minRetryConcurrency", UINT32),
        field("percent", Shape::Number(0.0, 100.0)),
    ],
    one_of: &[],
};

static TUNNEL: Table = Table {
    fields: &[field("protocol", TEXT), field("targetHost", TEXT).required(), field("targetPort", UINT32).required()],
    one_of: &[],
};

pub(super) static TRAFFIC_POLICY: Table = Table {
    fields: &[
        field("connectionPool", Shape::Object(&CONNECTION_POOL)),
        field("loadBalancer", Shape::Object(&LOAD_BALANCER)),
        field("outlierDetection", Shape::Object(&OUTLIER_DETECTION)),
        field("portLevelSettings", Shape::List(&Shape::Object(&PORT_LEVEL_SETTINGS))),
        field("proxyProtocol", Shape::Object(&PROXY_PROTOCOL)).diverting(),
        field("retryBudget", Shape::Object(&RETRY_BUDGET)),
        field("tls", Shape::Object(&TLS)),
        field("tunnel", Shape::Object(&TUNNEL)).diverting(),
    ],
    one_of: &[],
};
