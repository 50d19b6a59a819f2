//! Tables of what each kind may hold, one row a field, and the walk that holds a document against them.
//!
//! A field that Istio gains is one row here; one that the router learns to execute loses its mark.

mod destination_rule;
mod gateway;
mod metadata;
mod own;
mod service_entry;
mod traffic_policy;
mod virtual_service;
mod walk;

pub(super) use destination_rule::DESTINATION_RULE;
pub(super) use gateway::GATEWAY;
pub(super) use metadata::METADATA;
pub(super) use own::{POOL_POLICY, SETTINGS};
pub(super) use service_entry::SERVICE_ENTRY;
pub(super) use virtual_service::VIRTUAL_SERVICE;
pub(super) use walk::{Walked, walk, walk_metadata};

use super::problem::Severity;

/// What a value must look like.
pub(super) enum Shape {
    Text,
    Bool,
    /// An integer from the first to the second, both included.
    Int(i64, i64),
    /// A number from the first to the second, both included.
    Number(f64, f64),
    /// A duration of at least so many milliseconds.
    Duration(u64),
    /// A duration, which may be negative.
    SignedDuration,
    Enum(&'static [&'static str]),
    List(&'static Shape),
    /// A list of so many items, both numbers included.
    Items(&'static Shape, usize, usize),
    /// Any keys, each with a value of the shape; the value may be null.
    Map(&'static Shape),
    Object(&'static Table),
    /// Whatever it is, it is not looked into.
    Any,
}

/// The fields of one object.
pub(super) struct Table {
    pub(super) fields: &'static [Field],
    /// Groups of which at most one field may be set.
    pub(super) one_of: &'static [&'static [&'static str]],
}

/// One field.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) required: bool,
    pub(super) support: Support,
}

/// Whether the router does what a field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Support {
    Executed,
    /// Not executed, and a request goes where it would go all the same.
    Inert,
    /// Not executed, and a request would go elsewhere, or unprotected.
    Diverting,
}

pub(super) const TEXT: Shape = Shape::Text;
pub(super) const BOOL: Shape = Shape::Bool;
pub(super) const INT32: Shape = Shape::Int(i32::MIN as i64, i32::MAX as i64);
pub(super) const UINT32: Shape = Shape::Int(0, u32::MAX as i64);
pub(super) const PORT: Shape = Shape::Int(1, u16::MAX as i64);
pub(super) const DURATION: Shape = Shape::Duration(1);
pub(super) const ANY_DURATION: Shape = Shape::Duration(0);
pub(super) const TEXTS: Shape = Shape::List(&TEXT);
pub(super) const LABELS: Shape = Shape::Map(&TEXT);

pub(super) const fn field(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false, support: Support::Executed }
}

impl Field {
    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) const fn inert(mut self) -> Self {
        self.support = Support::Inert;
        self
    }

    pub(super) const fn diverting(mut self) -> Self {
        self.support = Support::Diverting;
        self
    }
}

/// A field of Istio's that is not executed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotExecuted {
    /// The kind that has it.
    pub kind: &'static str,
    /// Its path, as `spec.http[].retries`.
    pub path: String,
    /// How a document that sets it is judged: an error where it would change where a request goes.
    pub severity: Severity,
}

/// Every field of Istio's that is checked and not executed yet, from the tables that emit the findings.
pub fn not_executed() -> Vec<NotExecuted> {
    let mut rows = Vec::new();
    for (kind, table) in [
        ("VirtualService", &VIRTUAL_SERVICE),
        ("DestinationRule", &DESTINATION_RULE),
        ("ServiceEntry", &SERVICE_ENTRY),
        ("Gateway", &GATEWAY),
    ] {
        gather(kind, table, "spec", &mut rows);
    }
    rows
}

fn gather(kind: &'static str, table: &Table, path: &str, rows: &mut Vec<NotExecuted>) {
    for field in table.fields {
        let path = format!("{path}.{}", field.name);
        match field.support {
            Support::Executed => descend(kind, &field.shape, path, rows),
            Support::Inert => rows.push(NotExecuted { kind, path, severity: Severity::Warning }),
            Support::Diverting => rows.push(NotExecuted { kind, path, severity: Severity::Error }),
        }
    }
}

fn descend(kind: &'static str, shape: &Shape, path: String, rows: &mut Vec<NotExecuted>) {
    match shape {
        Shape::Object(table) => gather(kind, table, &path, rows),
        Shape::List(item) | Shape::Items(item, ..) => descend(kind, item, path + "[]", rows),
        Shape::Map(value) => descend(kind, value, path + ".*", rows),
        _ => {}
    }
}
