//! `ServiceEntry`.
//!
//! Facts (fields, ranges, alternatives): Istio's custom resource definitions of July 2026, which the API server checks.

use super::{LABELS, PORT, Shape, TEXT, TEXTS, Table, UINT32, field};

static ENDPOINTS: Table = Table {
    fields: &[
        field("address", TEXT),
        field("labels", LABELS),
        field("locality", TEXT),
        field("network", TEXT),
        field("ports", Shape::Map(&PORT)),
        field("serviceAccount", TEXT).inert(),
        field("weight", UINT32),
    ],
    one_of: &[],
};

static PORTS: Table = Table {
    fields: &[
        field("name", TEXT).required(),
        field("number", PORT).required(),
        field("protocol", TEXT),
        field("targetPort", PORT),
    ],
    one_of: &[],
};

static WORKLOAD_SELECTOR: Table = Table { fields: &[field("labels", LABELS)], one_of: &[] };

pub(in crate::config) static SERVICE_ENTRY: Table = Table {
    fields: &[
        field("addresses", TEXTS),
        field("endpoints", Shape::List(&Shape::Object(&ENDPOINTS))),
        field("exportTo", TEXTS),
        field("hosts", TEXTS).required(),
        field("location", Shape::Enum(&["MESH_EXTERNAL", "MESH_INTERNAL"])),
        field("ports", Shape::List(&Shape::Object(&PORTS))),
        field("resolution", Shape::Enum(&["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"])),
        field("subjectAltNames", TEXTS),
        field("workloadSelector", Shape::Object(&WORKLOAD_SELECTOR)).diverting(),
    ],
    one_of: &[],
};
