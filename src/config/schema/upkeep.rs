//! `PoolPolicy.healthCheck`, `warmupRequest`, `loadReports` and `hedge`.

use super::{DURATION, LABELS, PORT, Shape, TEXT, Table, field};

const STATUS: Shape = Shape::Int(100, 599);
const THRESHOLD: Shape = Shape::Int(1, 1000);
const STATUS_LIST: Shape = Shape::List(&STATUS);

static HTTP_CHECK: Table = Table {
    fields: &[
        field("path", TEXT).required(),
        field("host", TEXT),
        field("method", TEXT),
        field("headers", LABELS),
        field("expectedStatuses", STATUS_LIST),
        field("retriableStatuses", STATUS_LIST),
    ],
    one_of: &[],
};

static GRPC_CHECK: Table = Table { fields: &[field("service", TEXT), field("authority", TEXT)], one_of: &[] };

pub(super) static HEALTH_CHECK: Table = Table {
    fields: &[
        field("http", Shape::Object(&HTTP_CHECK)),
        field("grpc", Shape::Object(&GRPC_CHECK)),
        field("interval", DURATION),
        field("unhealthyInterval", DURATION),
        field("noTrafficInterval", DURATION),
        field("timeout", DURATION),
        field("unhealthyThreshold", THRESHOLD),
        field("healthyThreshold", THRESHOLD),
    ],
    one_of: &[&["http", "grpc"]],
};

pub(super) static WARMUP_REQUEST: Table = Table {
    fields: &[
        field("path", TEXT).required(),
        field("method", TEXT),
        field("host", TEXT),
        field("headers", LABELS),
        field("body", TEXT),
        field("expectedStatuses", STATUS_LIST),
        field("timeout", DURATION),
        field("attempts", Shape::Int(1, 1_000_000)),
        field("backoff", DURATION),
    ],
    one_of: &[],
};

static METRICS: Table =
    Table { fields: &[field("path", TEXT), field("port", PORT), field("interval", DURATION)], one_of: &[] };

pub(super) static LOAD_REPORTS: Table = Table {
    fields: &[field("orca", Shape::Enum(&["Read", "PassedOn"])), field("metrics", Shape::Object(&METRICS))],
    one_of: &[],
};

pub(super) static HEDGE: Table = Table {
    fields: &[
        field("delay", DURATION),
        field("percentile", Shape::Number(1.0, 99.99)),
        field("methods", Shape::Enum(&["Idempotent", "All"])),
    ],
    one_of: &[&["delay", "percentile"]],
};
