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

/// A rule in CEL: the one is no larger than the other, where both are set.
macro_rules! ordered {
    ($less:literal, $more:literal) => {
        concat!("!has(self.", $less, ") || !has(self.", $more, ") || self.", $less, " <= self.", $more)
    };
}

/// Go's durations, as [`parse_duration`](crate::domain::parse_duration) reads them.
const DURATION: &str = r"^\+?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";

/// An IP address and a port.
const ADDRESS: &str = r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}$";
/// A name of an object, as [`is_object_name`](crate::domain::is_object_name) has it.
const OBJECT_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// What a text is like, where the router takes no other: the kind, the path below `spec`, and a regular expression.
const PATTERNS: [(&str, &str, &str); 9] = [
    ("PoolPolicy", "healthCheck.http.path", "^/"),
    ("PoolPolicy", "healthCheck.http.method", "^[A-Z]+$"),
    ("PoolPolicy", "loadReports.metrics.path", "^/"),
    ("PoolPolicy", "scaling.scaleTargetRef.name", OBJECT_NAME),
    ("Settings", "listen", ADDRESS),
    ("Settings", "admin", ADDRESS),
    ("Settings", "scaling.externalScaler", ADDRESS),
    ("Settings", "scaling.metricsApi.address", ADDRESS),
    ("Settings", "scaling.peers.[]", r"^[^\s]+$"),
];

/// What holds of fields together: the kind, the path below `spec`, the rule in CEL, and what it says.
const RULES: [(&str, &str, &str, &str); 4] = [
    ("PoolPolicy", "scaling", ordered!("minReplicas", "maxReplicas"), "minReplicas is no larger than maxReplicas"),
    ("PoolPolicy", "slots", ordered!("min", "max"), "min is no larger than max"),
    ("PoolPolicy", "healthCheck", "has(self.http) || has(self.grpc)", "one of http, grpc"),
    ("PoolPolicy", "hedge", "has(self.delay) || has(self.percentile)", "one of delay, percentile"),
];

/// One definition a kind.
pub fn custom_resource_definitions() -> Vec<Value> {
    KINDS.iter().map(definition).collect()
}

fn definition(kind: &OwnKind) -> Value {
    let (name, plural) = (kind.name, kind.plural);
    let mut spec = object(kind.table);
    for (_, path, pattern) in PATTERNS.iter().filter(|(of, ..)| *of == name) {
        if let Some(text) = at(&mut spec, path) {
            text.insert("pattern".to_owned(), json!(pattern));
        }
    }
    for (_, path, rule, message) in RULES.iter().filter(|(of, ..)| *of == name) {
        let rules =
            at(&mut spec, path).map(|object| object.entry("x-kubernetes-validations").or_insert_with(|| json!([])));
        if let Some(Value::Array(rules)) = rules {
            rules.push(json!({ "rule": rule, "message": message }));
        }
    }
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
                        "spec": spec,
                    },
                } },
            }],
        },
    })
}

/// The schema at a path; `[]` is what a list holds.
fn at<'s>(schema: &'s mut Value, path: &str) -> Option<&'s mut Map<String, Value>> {
    let found = path.split('.').try_fold(schema, |schema, key| match key {
        "[]" => schema.get_mut("items"),
        key => schema.get_mut("properties")?.get_mut(key),
    });
    found?.as_object_mut()
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
        // A second pattern where zero is too little: a digit that is not zero.
        Shape::Duration(0) => json!({ "type": "string", "pattern": DURATION }),
        Shape::Duration(_) => json!({ "type": "string", "pattern": DURATION, "allOf": [{ "pattern": "[1-9]" }] }),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refined_is_there() {
        for kind in &KINDS {
            let mut spec = object(kind.table);
            let paths =
                PATTERNS.iter().map(|(of, path, _)| (of, path)).chain(RULES.iter().map(|(of, path, ..)| (of, path)));
            for (_, path) in paths.filter(|(of, _)| **of == kind.name) {
                assert!(at(&mut spec, path).is_some(), "{} has no {path}", kind.name);
            }
        }
    }
}
