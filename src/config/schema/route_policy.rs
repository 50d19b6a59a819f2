//! The kind `RoutePolicy` of `overspill.dev`.

use super::{BOOL, DURATION, Shape, TEXT, Table, field};

/// What Envoy's rate limits count in (`RateLimitUnit`).
const UNIT: Shape = Shape::Enum(&["SECOND", "MINUTE", "HOUR", "DAY"]);

const REQUESTS: Shape = Shape::Int(1, 1_000_000);

static RATE_LIMIT_KEY: Table = Table {
    fields: &[field("httpHeaderName", TEXT), field("useSourceIp", BOOL)],
    one_of: &[&["httpHeaderName", "useSourceIp"]],
};

static RATE_LIMIT: Table = Table {
    fields: &[
        field("name", TEXT),
        field("requests", REQUESTS).required(),
        field("unit", UNIT),
        field("window", DURATION),
        field("burst", REQUESTS),
        field("key", Shape::Object(&RATE_LIMIT_KEY)),
    ],
    one_of: &[&["unit", "window"]],
};

pub(in crate::config) static ROUTE_POLICY: Table = Table {
    fields: &[
        field("virtualService", TEXT).required(),
        field("route", TEXT),
        field("priority", Shape::Enum(&["LatencySensitive", "Standard"])),
        field("latencyObjective", DURATION),
        field("rateLimits", Shape::Items(&Shape::Object(&RATE_LIMIT), 0, 16)),
    ],
    one_of: &[],
};
