//! Tables of what each kind may hold, one row a field, and the walk that holds a document against them.
//!
//! A field that Istio gains is one row here; one that the router learns to execute loses its mark.

mod destination_rule;
mod gateway;
mod metadata;
mod own;
mod route_policy;
mod scaling;
mod service;
mod service_entry;
mod traffic_policy;
mod upkeep;
mod virtual_service;
mod walk;

pub(super) use destination_rule::DESTINATION_RULE;
pub(super) use gateway::GATEWAY;
pub(super) use metadata::METADATA;
pub(super) use own::{POOL_POLICY, SETTINGS};
pub(super) use route_policy::ROUTE_POLICY;
pub(super) use service::report_unknown;
pub(super) use service_entry::SERVICE_ENTRY;
pub(super) use virtual_service::VIRTUAL_SERVICE;
pub(super) use walk::{Walked, walk, walk_metadata};

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

/// The tables of Istio's kinds.
pub(super) static TABLES: [(&str, &Table); 4] = [
    ("VirtualService", &VIRTUAL_SERVICE),
    ("DestinationRule", &DESTINATION_RULE),
    ("ServiceEntry", &SERVICE_ENTRY),
    ("Gateway", &GATEWAY),
];

/// Every field of Istio's that is not executed: its kind and path, and how it is supported. Of an object that stands in
/// several places, the fields are listed at the first, the least deep.
pub(super) fn unexecuted_fields() -> Vec<(&'static str, String, Support)> {
    let mut rows = Vec::new();
    for (kind, table) in TABLES {
        let mut listed: Vec<&Table> = vec![table];
        let mut level = vec![("spec".to_owned(), table)];
        while !level.is_empty() {
            let mut below = Vec::new();
            for (path, field) in
                level.iter().flat_map(|(path, table)| table.fields.iter().map(move |field| (path, field)))
            {
                let path = format!("{path}.{}", field.name);
                if field.support != Support::Executed {
                    rows.push((kind, path, field.support));
                    continue;
                }
                let Some((path, table)) = inside(path, &field.shape) else { continue };
                if listed.iter().all(|known| !std::ptr::eq(*known, table)) {
                    listed.push(table);
                    below.push((path, table));
                }
            }
            level = below;
        }
    }
    rows
}

/// The object that a value of `shape` at `path` is, or is made of.
fn inside(path: String, shape: &'static Shape) -> Option<(String, &'static Table)> {
    match shape {
        Shape::Object(table) => Some((path, table)),
        Shape::List(item) | Shape::Items(item, ..) => inside(path + "[]", item),
        Shape::Map(value) => inside(path + ".*", value),
        _ => None,
    }
}
