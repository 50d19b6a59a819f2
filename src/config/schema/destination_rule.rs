//! `DestinationRule`.
//!
//! Facts (fields, ranges, alternatives): Istio's custom resource definitions of July 2026, which the API server checks.

use super::traffic_policy::TRAFFIC_POLICY;
use super::{LABELS, Shape, TEXT, TEXTS, Table, field};

static SUBSETS: Table = Table {
    fields: &[
        field("labels", LABELS),
        field("name", TEXT).required(),
        field("trafficPolicy", Shape::Object(&TRAFFIC_POLICY)),
    ],
    one_of: &[],
};

static WORKLOAD_SELECTOR: Table = Table { fields: &[field("matchLabels", LABELS)], one_of: &[] };

pub(in crate::config) static DESTINATION_RULE: Table = Table {
    fields: &[
        field("exportTo", TEXTS),
        field("host", TEXT).required(),
        field("subsets", Shape::List(&Shape::Object(&SUBSETS))),
        field("trafficPolicy", Shape::Object(&TRAFFIC_POLICY)),
        field("workloadSelector", Shape::Object(&WORKLOAD_SELECTOR)),
    ],
    one_of: &[],
};
