//! Holds a document against its table: every unknown field, wrong type, value out of range and field not executed yet.
//!
//! Judges as the API server does that is asked to be strict: unknown fields are errors, and null is dropped.

use serde_yaml::{Mapping, Value as Yaml};

use super::{Field, Shape, Support, Table};
use crate::config::document::Document;
use crate::config::finding::{Findings, Remark, remark};
use crate::config::path::Path;
use crate::config::suggest::did_you_mean;
use crate::config::yaml::{Entry, Node, Value};
use crate::domain::{parse_duration, parse_nanoseconds};

/// What is left of a document once what is wrong has been reported and taken out.
pub(in crate::config) struct Walked {
    /// The well-formed values.
    pub(in crate::config) spec: Yaml,
    /// Whether every field there is known and well formed, so that what is absent was left out on purpose.
    pub(in crate::config) intact: bool,
    /// Where something is wrong.
    pub(in crate::config) faults: Vec<Path>,
}

/// Holds the `spec` of `document` against `table`.
pub(in crate::config) fn walk(document: &Document, table: &'static Table, findings: &mut Findings) -> Walked {
    let spec = document.root.get("spec").filter(|entry| !matches!(entry.node.value, Value::Null));
    let Some(spec) = spec else {
        let said = remark("The required field `spec` is missing.", "Write what the document is to do under `spec`.");
        findings.error(document.schema_code(), document.place(&Path::spec()), said);
        // Nothing within is misspelt: whatever else is asked for is missing as well, and may be said.
        return Walked { spec: Yaml::Null, intact: false, faults: Vec::new() };
    };
    let mut walker = Walker { document, findings, faults: Vec::new(), reports_support: true };
    let spec = walker.value(&spec.node, &Shape::Object(table), &Path::spec()).unwrap_or(Yaml::Null);
    let faults = walker.faults;
    Walked { spec, intact: faults.is_empty(), faults }
}

/// Holds the `metadata` of `document` against `table`, and says where something is wrong.
pub(in crate::config) fn walk_metadata(
    document: &Document,
    table: &'static Table,
    findings: &mut Findings,
) -> Vec<Path> {
    let mut walker = Walker { document, findings, faults: Vec::new(), reports_support: true };
    if let Some(entry) = document.root.get("metadata") {
        walker.value(&entry.node, &Shape::Object(table), &Path::root().key("metadata"));
    }
    walker.faults
}

struct Walker<'a> {
    document: &'a Document,
    findings: &'a mut Findings,
    faults: Vec<Path>,
    /// False inside a field that is itself reported as not executed: its parts are checked and not reported again.
    reports_support: bool,
}

impl Walker<'_> {
    fn wrong(&mut self, path: &Path, remark: Remark) -> Option<Yaml> {
        self.faults.push(path.clone());
        self.findings.error(self.document.schema_code(), self.document.place(path), remark);
        None
    }

    fn value(&mut self, node: &Node, shape: &Shape, path: &Path) -> Option<Yaml> {
        match (shape, &node.value) {
            (Shape::Text, Value::Text(text)) => Some(Yaml::from(text.as_str())),
            (Shape::Bool, Value::Bool(value)) => Some(Yaml::from(*value)),
            (Shape::Int(min, max), Value::Int(value)) => self.integer(*value, (*min, *max), path),
            (Shape::Int(min, max), Value::Float(value)) if value.fract() == 0.0 && value.abs() < 9.2e18 =>
            {
                #[allow(clippy::cast_possible_truncation, reason = "it is whole, and within the range of the integer")]
                self.integer(*value as i64, (*min, *max), path)
            }
            #[allow(clippy::cast_precision_loss, reason = "JSON's numbers are floats; no range here needs more")]
            (Shape::Number(min, max), Value::Int(value)) => self.number(*value as f64, (*min, *max), path),
            (Shape::Number(min, max), Value::Float(value)) => self.number(*value, (*min, *max), path),
            (Shape::Duration(least), Value::Text(text)) => self.duration(text, *least, path),
            (Shape::SignedDuration, Value::Text(text)) => self.signed_duration(text, path),
            (Shape::Any, _) => Some(Yaml::Null),
            (Shape::Enum(values), Value::Text(text)) => self.choice(text, values, path),
            (Shape::List(item), Value::List(items)) => Some(self.list(items, item, path)),
            (Shape::Items(item, least, most), Value::List(items)) => {
                if !(*least..=*most).contains(&items.len()) {
                    let message = format!("There are {} items here.", items.len());
                    self.wrong(path, remark(message, format!("Write {least} to {most}.")));
                }
                Some(self.list(items, item, path))
            }
            (Shape::Map(value), Value::Map(entries)) => Some(self.map(entries, value, path)),
            (Shape::Object(table), Value::Map(entries)) => Some(self.object(entries, table, path)),
            (_, value) => {
                let cure = cure_for_type(shape, value);
                self.wrong(
                    path,
                    remark(format!("This is {}, and must be of type {}.", kind_of(value), wanted(shape)), cure),
                )
            }
        }
    }

    fn integer(&mut self, value: i64, (min, max): (i64, i64), path: &Path) -> Option<Yaml> {
        if (min..=max).contains(&value) {
            return Some(Yaml::from(value));
        }
        let message = format!("{value} is out of the range {min} to {max}.");
        self.wrong(path, remark(message, "Write a number in this range."))
    }

    fn number(&mut self, value: f64, (min, max): (f64, f64), path: &Path) -> Option<Yaml> {
        if (min..=max).contains(&value) {
            return Some(Yaml::from(value));
        }
        let message = format!("{value} is out of the range {min} to {max}.");
        self.wrong(path, remark(message, "Write a number in this range."))
    }

    fn duration(&mut self, text: &str, least_ms: u64, path: &Path) -> Option<Yaml> {
        match parse_duration(text) {
            Ok(duration) if duration.as_millis() >= u128::from(least_ms) => Some(Yaml::from(text)),
            Ok(_) => {
                let message = format!("`{text}` must be a valid duration of at least {least_ms}ms.");
                self.wrong(path, remark(message, "Write at least 1ms, or leave it out."))
            }
            Err(_) => self.no_duration(text, path),
        }
    }

    fn signed_duration(&mut self, text: &str, path: &Path) -> Option<Yaml> {
        if parse_nanoseconds(text).is_err() {
            return self.no_duration(text, path);
        }
        Some(Yaml::from(text))
    }

    fn no_duration(&mut self, text: &str, path: &Path) -> Option<Yaml> {
        let cure = "Write numbers with units (h, m, s, ms), as in `1h30m`, `1.5s` or `100ms`.";
        self.wrong(path, remark(format!("`{text}` must be a valid duration."), cure))
    }

    fn choice(&mut self, text: &str, values: &'static [&'static str], path: &Path) -> Option<Yaml> {
        if values.contains(&text) {
            return Some(Yaml::from(text));
        }
        let cure = did_you_mean(text, values.iter().copied(), || format!("Write one of {}.", values.join(", ")));
        let message = format!("`{text}` is not a supported value, which are {}.", values.join(", "));
        self.wrong(path, remark(message, cure))
    }

    fn list(&mut self, items: &[Node], shape: &Shape, path: &Path) -> Yaml {
        // What is wrong leaves an empty value behind, so that the items after it keep their places.
        let value = |(at, item)| self.value(item, shape, &path.index(at)).unwrap_or_else(|| blank(shape));
        items.iter().enumerate().map(value).collect()
    }

    fn map(&mut self, entries: &[Entry], shape: &Shape, path: &Path) -> Yaml {
        let mut map = Mapping::new();
        for Entry { key, node, .. } in entries {
            let value = match (&node.value, shape) {
                // Under a header or query parameter, null asks for presence, as the empty match does.
                (Value::Null, Shape::Object(_)) => Some(Yaml::Null),
                // The API server drops it.
                (Value::Null, _) => None,
                _ => self.value(node, shape, &path.key(key)),
            };
            map.extend(value.map(|value| (Yaml::from(key.as_str()), value)));
        }
        Yaml::Mapping(map)
    }

    fn object(&mut self, entries: &[Entry], table: &'static Table, path: &Path) -> Yaml {
        let mut map = Mapping::new();
        // The API server drops null fields before it checks anything else.
        for Entry { key, node, .. } in entries.iter().filter(|entry| !matches!(entry.node.value, Value::Null)) {
            let path = path.key(key);
            match table.fields.iter().find(|field| field.name == key) {
                Some(field) => {
                    map.extend(self.field(node, field, &path).map(|value| (Yaml::from(key.as_str()), value)));
                }
                None => self.unknown(key, table, &path),
            }
        }
        let is_set = |name: &str| entries.iter().any(|e| e.key == name && !matches!(e.node.value, Value::Null));
        for field in table.fields.iter().filter(|field| field.required && !is_set(field.name)) {
            let message = format!("The required field `{}` is missing.", field.name);
            self.wrong(&path.key(field.name), remark(message, format!("Add `{}`.", field.name)));
        }
        for group in table.one_of {
            let set: Vec<&str> = group.iter().copied().filter(|name| is_set(name)).collect();
            if set.len() > 1 {
                let message = format!("The fields {} exclude each other.", set.join(" and "));
                self.wrong(path, remark(message, "Keep one of them."));
            }
        }
        Yaml::Mapping(map)
    }

    fn field(&mut self, node: &Node, field: &'static Field, path: &Path) -> Option<Yaml> {
        if !self.reports_support || field.support == Support::Executed {
            return self.value(node, &field.shape, path);
        }
        let said = if field.support == Support::Inert {
            remark(
                format!("`{}` is not executed yet: requests are served as if it were not there.", field.name),
                "Take it out, or leave it in knowing that it has no effect here.",
            )
        } else {
            remark(
                format!(
                    "`{}` is not executed yet, and without it requests would not go where it sends them.",
                    field.name
                ),
                "Take it out, or keep this document away from this router.",
            )
        };
        self.findings.field_not_executed(field, self.document.place_of_key(path), said);
        self.reports_support = false;
        let value = self.value(node, &field.shape, path);
        self.reports_support = true;
        value
    }

    fn unknown(&mut self, key: &str, table: &'static Table, path: &Path) {
        let names = || table.fields.iter().map(|field| field.name);
        let cure = did_you_mean(key, names(), || {
            format!("Take it out; the fields here are {}.", names().collect::<Vec<_>>().join(", "))
        });
        self.faults.push(path.clone());
        let said = remark(format!("`{key}` is an unknown field."), cure);
        self.findings.error(self.document.schema_code(), self.document.place_of_key(path), said);
    }
}

fn blank(shape: &Shape) -> Yaml {
    match shape {
        Shape::Text | Shape::Duration(_) | Shape::SignedDuration | Shape::Enum(_) => Yaml::from(""),
        Shape::Bool => Yaml::Bool(false),
        Shape::Int(..) | Shape::Number(..) => Yaml::from(0),
        Shape::List(_) | Shape::Items(..) => Yaml::Sequence(Vec::new()),
        Shape::Map(_) | Shape::Object(_) => Yaml::Mapping(Mapping::new()),
        Shape::Any => Yaml::Null,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) => "an integer",
        Value::Float(_) => "a number",
        Value::Text(_) => "a string",
        Value::List(_) => "an array",
        Value::Map(_) => "an object",
    }
}

fn wanted(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text | Shape::Enum(_) => "string",
        Shape::Bool => "boolean",
        Shape::Int(..) => "integer",
        Shape::Number(..) => "number",
        Shape::Duration(_) | Shape::SignedDuration => "string, a duration",
        Shape::List(_) | Shape::Items(..) => "array",
        Shape::Map(_) | Shape::Object(_) => "object",
        Shape::Any => "any",
    }
}

fn cure_for_type(shape: &Shape, value: &Value) -> &'static str {
    match (shape, value) {
        (Shape::Text | Shape::Enum(_), Value::Bool(_) | Value::Int(_) | Value::Float(_)) => "Put it in quotes.",
        (Shape::Int(..) | Shape::Number(..) | Shape::Bool, Value::Text(_)) => {
            "Take the quotes off, or write such a value."
        }
        (Shape::Duration(_) | Shape::SignedDuration, Value::Int(_) | Value::Float(_)) => {
            "Add a unit, as in `30s` or `100ms`."
        }
        (Shape::List(_) | Shape::Items(..), _) => "Begin each item with `- `.",
        (Shape::Map(_) | Shape::Object(_), _) => "Write `key: value` lines below it.",
        _ => "Write such a value, or leave the field out.",
    }
}
