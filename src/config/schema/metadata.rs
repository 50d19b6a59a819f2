//! `metadata`, of every kind.
//!
//! Facts: Kubernetes' `ObjectMeta`. What it says of owners and managers is not looked into.

use super::{LABELS, Shape, TEXT, TEXTS, Table, field};

const COUNT: Shape = Shape::Int(i64::MIN, i64::MAX);

pub(in crate::config) static METADATA: Table = Table {
    fields: &[
        field("annotations", LABELS),
        field("creationTimestamp", TEXT),
        field("deletionGracePeriodSeconds", COUNT),
        field("deletionTimestamp", TEXT),
        field("finalizers", TEXTS),
        field("generateName", TEXT),
        field("generation", COUNT),
        field("labels", LABELS),
        field("managedFields", Shape::List(&Shape::Any)),
        field("name", TEXT),
        field("namespace", TEXT),
        field("ownerReferences", Shape::List(&Shape::Any)),
        field("resourceVersion", TEXT),
        field("selfLink", TEXT),
        field("uid", TEXT),
    ],
    one_of: &[],
};
