//! Two of the kinds of `overspill.dev`: `Settings` and `PoolPolicy`.

use super::super::models;
use super::scaling::SCALING;
use super::upkeep::{HEALTH_CHECK, HEDGE, LOAD_REPORTS, WARMUP_REQUEST};
use super::{ANY_DURATION, BOOL, DURATION, LABELS, PORT, Shape, TEXT, TEXTS, Table, UINT32, field};

/// A count that a machine can bear; what is above it is a slip of the keyboard.
const COUNT: Shape = Shape::Int(1, 1_000_000);

static DRAIN: Table = Table { fields: &[field("delay", ANY_DURATION), field("timeout", ANY_DURATION)], one_of: &[] };

static WORKLOAD: Table = Table {
    fields: &[field("labels", LABELS), field("locality", TEXT), field("name", TEXT), field("namespace", TEXT)],
    one_of: &[],
};

static DNS: Table = Table {
    fields: &[field("servers", TEXTS), field("startTimeout", ANY_DURATION), field("timeout", DURATION)],
    one_of: &[],
};

static HTTP2_LIMITS: Table = Table {
    fields: &[
        field("maxConcurrentStreams", COUNT),
        field("maxResetsPerSecond", COUNT),
        field("maxControlFramesPerSecond", COUNT),
        field("maxEmptyFramesPerSecond", COUNT),
        field("maxContinuationFrames", COUNT),
    ],
    one_of: &[],
};

static LIMITS: Table = Table {
    fields: &[
        field("http2", Shape::Object(&HTTP2_LIMITS)),
        field("maxBodyBytes", Shape::Int(0, i64::MAX)),
        field("maxConnections", UINT32),
        field("maxHeaders", COUNT),
        // A place takes 17 bytes.
        field("maxRateLimitKeys", Shape::Int(8, 1 << 24)),
        field("maxRetryBufferBytes", Shape::Int(0, i64::MAX)),
        field("requestTimeout", DURATION),
        field("streamIdleTimeout", DURATION),
        field("trustForwardedProto", BOOL),
    ],
    one_of: &[],
};

static LOCAL_MODEL: Table = Table {
    fields: &[
        field("folder", TEXT).required(),
        field("version", TEXT),
        field("modelRef", TEXT),
        field("cores", Shape::List(&Shape::Int(0, 1023))),
        field("readiness", Shape::Enum(&["Wait", "Ignore"])),
        field("batchWindow", ANY_DURATION),
        field("maxBatchTokens", Shape::Int(1, 1 << 20)),
        field("queueTokens", Shape::Int(1, 1 << 30)),
        field("queueBytes", Shape::Int(1, 1 << 30)),
        field("tokenizerCache", Shape::Int(0, 1_000_000)),
        field("file", TEXT),
        field("library", TEXT),
        field("threads", Shape::Int(1, 1024)),
        field("maxBatch", Shape::Int(1, 1024)),
        field("queue", COUNT),
        field("name", TEXT),
        field("pooling", POOLING),
        field("normalize", BOOL),
        field("maxTokens", MAX_TOKENS),
        field("prompts", LABELS),
        field("defaultPrompt", TEXT),
        field("matryoshkaDimensions", DIMENSIONS),
        field("executionProviders", Shape::List(&EXECUTION_PROVIDER)),
        field("models", Shape::List(&Shape::Object(&MODEL))),
    ],
    one_of: &[],
};

const EXECUTION_PROVIDER: Shape = Shape::Enum(&["CUDA", "TensorRT", "MIGraphX", "OpenVINO", "XNNPACK", "CPU"]);

const POOLING: Shape = Shape::Enum(&["mean", "cls", "lastToken", "model"]);

const MAX_TOKENS: Shape = Shape::Int(*models::MAX_TOKENS.start(), *models::MAX_TOKENS.end());

const DIMENSIONS: Shape = Shape::List(&Shape::Int(1, 1 << 20));

static MODEL: Table = Table {
    fields: &[
        field("name", TEXT).required(),
        field("folder", TEXT),
        field("file", TEXT),
        field("kind", Shape::Enum(&["encoder", "crossEncoder", "tensors"])),
        field("pooling", POOLING),
        field("normalize", BOOL),
        field("maxTokens", MAX_TOKENS),
        field("prompts", LABELS),
        field("defaultPrompt", TEXT),
        field("matryoshkaDimensions", DIMENSIONS),
    ],
    one_of: &[],
};

/// A port to bind; 0 leaves it to the system.
const BOUND_PORT: Shape = Shape::Int(0, u16::MAX as i64);

static GATEWAY: Table =
    Table { fields: &[field("address", TEXT), field("ports", Shape::Map(&BOUND_PORT))], one_of: &[] };

static OUTBOUND_TRAFFIC_POLICY: Table =
    Table { fields: &[field("mode", Shape::Enum(&["REGISTRY_ONLY", "ALLOW_ANY"]))], one_of: &[] };

static AUTOSCALING: Table = Table {
    fields: &[
        field("externalScaler", TEXT),
        field("metricsApi", Shape::Object(&METRICS_API)),
        field("peers", TEXTS),
        field("peerTimeout", DURATION),
    ],
    one_of: &[],
};

static METRICS_API: Table = Table {
    fields: &[
        field("address", TEXT).required(),
        field("certificate", TEXT).required(),
        field("privateKey", TEXT).required(),
        field("clientCa", TEXT).required(),
        field("allowedNames", TEXTS),
    ],
    one_of: &[],
};

static TRACING: Table = Table {
    fields: &[
        field("otlp", Shape::Object(&OTLP)),
        field("samplingPercentage", Shape::Number(0.0, 100.0)),
        field("serviceName", TEXT),
    ],
    one_of: &[],
};

static OTLP: Table = Table {
    fields: &[
        field("endpoint", TEXT).required(),
        field("protocol", Shape::Enum(&["http/protobuf", "grpc"])),
        field("headers", LABELS),
        field("timeout", DURATION),
        field("caCertificates", TEXT),
    ],
    one_of: &[],
};

pub(in crate::config) static SETTINGS: Table = Table {
    fields: &[
        field("listen", TEXT),
        field("admin", TEXT),
        field("workers", Shape::Int(1, 1024)),
        field("backlog", Shape::Int(1, 65_535)),
        field("keepalive", DURATION),
        field("maxConnectionAge", ANY_DURATION),
        field("headerTimeout", DURATION),
        // What browsers send at most, near enough: less would refuse ordinary requests.
        field("maxHeaderBytes", Shape::Int(8192, 1 << 30)),
        field("drain", Shape::Object(&DRAIN)),
        field("accessLog", BOOL),
        field("log", TEXT),
        field("workload", Shape::Object(&WORKLOAD)),
        field("gateway", Shape::Object(&GATEWAY)),
        field("secretsFolder", TEXT),
        field("outboundTrafficPolicy", Shape::Object(&OUTBOUND_TRAFFIC_POLICY)),
        field("dns", Shape::Object(&DNS)),
        field("limits", Shape::Object(&LIMITS)),
        field("localModel", Shape::Object(&LOCAL_MODEL)),
        field("istioCertificates", TEXT),
        field("scaling", Shape::Object(&AUTOSCALING)),
        field("tracing", Shape::Object(&TRACING)),
    ],
    one_of: &[],
};

static QUEUE: Table = Table {
    fields: &[
        field("maxPending", Shape::Int(0, 1_000_000)),
        field("timeout", ANY_DURATION),
        field("order", Shape::Enum(&["Fifo", "Lifo", "Adaptive"])),
    ],
    one_of: &[],
};

static SLOTS: Table = Table {
    fields: &[field("mode", Shape::Enum(&["Fixed", "Adaptive"])), field("min", COUNT), field("max", COUNT)],
    one_of: &[],
};

static HOLD_AT_ZERO: Table = Table {
    fields: &[field("maxRequests", COUNT), field("maxBytes", Shape::Int(0, i64::MAX)), field("timeout", DURATION)],
    one_of: &[],
};

static SPILL_TO: Table =
    Table { fields: &[field("host", TEXT).required(), field("subset", TEXT), field("port", PORT)], one_of: &[] };

pub(in crate::config) static POOL_POLICY: Table = Table {
    fields: &[
        field("host", TEXT).required(),
        field("subset", TEXT),
        field("port", PORT),
        field("tier", Shape::Enum(&["gpu", "cpu"])),
        field("slotsPerEndpoint", COUNT),
        field("slotsPerPool", COUNT),
        field("slots", Shape::Object(&SLOTS)),
        field("queue", Shape::Object(&QUEUE)),
        field("spillTo", Shape::List(&Shape::Object(&SPILL_TO))),
        field("localModel", Shape::Enum(&["Allow", "Deny"])),
        field("latencyObjective", DURATION),
        field("scaling", Shape::Object(&SCALING)),
        field("holdAtZero", Shape::Object(&HOLD_AT_ZERO)),
        field("loadBalancer", Shape::Enum(&["PeakEwma"])),
        field("latencyDecay", DURATION),
        field("healthCheck", Shape::Object(&HEALTH_CHECK)),
        field("warmupRequest", Shape::Object(&WARMUP_REQUEST)),
        field("loadReports", Shape::Object(&LOAD_REPORTS)),
        field("hedge", Shape::Object(&HEDGE)),
    ],
    one_of: &[],
};
