//! `PoolPolicy.scaling`.

use super::{DURATION, Shape, TEXT, Table, field};

/// More replicas than a cluster holds are a slip of the keyboard.
const REPLICAS: i64 = 100_000;

/// Percent of what a pod requests: its limit may be many times that.
const PERCENT: Shape = Shape::Int(1, 10_000);

static TARGETS: Table = Table {
    fields: &[
        field("cpu", PERCENT),
        field("memory", PERCENT),
        field("requestsPerSecond", Shape::Number(0.001, 1e9)),
        field("pendingRequests", Shape::Int(1, 1_000_000)),
    ],
    one_of: &[],
};

static SCALE_TARGET_REF: Table =
    Table { fields: &[field("apiVersion", TEXT), field("kind", TEXT), field("name", TEXT).required()], one_of: &[] };

pub(super) static SCALING: Table = Table {
    fields: &[
        field("preset", Shape::Enum(&["online", "batch", "custom", "cost"])),
        field("minReplicas", Shape::Int(0, REPLICAS)),
        field("maxReplicas", Shape::Int(1, REPLICAS)),
        field("targetConcurrency", Shape::Number(0.01, 1e6)),
        field("coldStart", DURATION),
        field("targets", Shape::Object(&TARGETS)),
        field("scaleTargetRef", Shape::Object(&SCALE_TARGET_REF)),
    ],
    one_of: &[],
};
