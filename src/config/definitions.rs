//! The tables of our own kinds as Kubernetes' `CustomResourceDefinition`s (`apiextensions.k8s.io/v1`), so that `kubectl apply`
//! holds a document against the same rows as the router.

use serde_json::{Map, Value, json};

use super::schema::{POOL_POLICY, ROUTE_POLICY, SETTINGS, Shape, Table};

/// A kind as the API server is told of it.
struct OwnKind {
    name: &'static str,
    plural: &'static str,
    description: &'static str,
    /// The fields that `kubectl get` shows.
    columns: &'static [&'static str],
    table: &'static Table,
}

static KINDS: [OwnKind; 3] = [
    OwnKind {
        name: "PoolPolicy",
        plural: "poolpolicies",
        description: "What a pool takes, where its requests spill to, and what it is scaled by.",
        columns: &["host", "subset", "tier"],
        table: &POOL_POLICY,
    },
    OwnKind {
        name: "RoutePolicy",
        plural: "routepolicies",
        description: "What Istio has no word for on a rule: how many requests it takes.",
        columns: &["virtualService", "route"],
        table: &ROUTE_POLICY,
    },
    OwnKind {
        name: "Settings",
        plural: "settings",
        description: "How a router itself runs. At most one for each router.",
        columns: &[],
        table: &SETTINGS,
    },
];

/// Go's durations, as [`parse_duration`](crate::domain::parse_duration) reads them.
const DURATION: &str = r"^\+?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";

/// One definition a kind.
pub fn custom_resource_definitions() -> Vec<Value> {
    KINDS.iter().map(definition).collect()
}

fn definition(kind: &OwnKind) -> Value {
    let (name, plural) = (kind.name, kind.plural);
    let columns: Vec<Value> = kind
        .columns
        .iter()
        .map(|field| json!({ "name": capitalized(field), "type": "string", "jsonPath": format!(".spec.{field}") }))
        .collect();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.overspill.dev") },
        "spec": {
            "group": "overspill.dev",
            "scope": "Namespaced",
            "names": { "kind": name, "listKind": format!("{name}List"), "plural": plural, "singular": name.to_lowercase() },
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "additionalPrinterColumns": columns,
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "description": kind.description,
                    "required": ["spec"],
                    "properties": {
                        "apiVersion": { "type": "string" },
                        "kind": { "type": "string" },
                        "metadata": { "type": "object" },
                        "spec": object(kind.table),
                    },
                } },
            }],
        },
    })
}

fn object(table: &Table) -> Value {
    let properties: Map<String, Value> =
        table.fields.iter().map(|field| (field.name.to_owned(), schema(&field.shape))).collect();
    let mut object =
        Map::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), properties.into())]);
    let required: Vec<&str> = table.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    if !table.one_of.is_empty() {
        let rules: Vec<Value> = table.one_of.iter().map(|group| at_most_one(group)).collect();
        object.insert("x-kubernetes-validations".to_owned(), rules.into());
    }
    object.into()
}

/// A rule in CEL, which Kubernetes asks of each object.
fn at_most_one(group: &[&str]) -> Value {
    let set: Vec<String> = group.iter().map(|field| format!("has(self.{field})")).collect();
    json!({
        "rule": format!("[{}].filter(set, set).size() <= 1", set.join(", ")),
        "message": format!("at most one of {}", group.join(", ")),
    })
}

fn schema(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Int(least, most) => json!({ "type": "integer", "format": "int64", "minimum": least, "maximum": most }),
        Shape::Number(least, most) => json!({ "type": "number", "minimum": least, "maximum": most }),
        Shape::Duration(_) => json!({ "type": "string", "pattern": DURATION }),
        Shape::SignedDuration => json!({ "type": "string", "pattern": DURATION.replacen(r"\+", "[+-]", 1) }),
        Shape::Enum(values) => json!({ "type": "string", "enum": values }),
        Shape::List(item) => json!({ "type": "array", "items": schema(item) }),
        Shape::Items(item, least, most) => {
            json!({ "type": "array", "items": schema(item), "minItems": least, "maxItems": most })
        }
        Shape::Map(value) => json!({ "type": "object", "additionalProperties": schema(value) }),
        Shape::Object(table) => object(table),
        Shape::Any => json!({ "x-kubernetes-preserve-unknown-fields": true }),
    }
}

fn capitalized(field: &str) -> String {
    let mut letters = field.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}
