//! Places in a document, read as Istio's webhook reads them: what is not there has protobuf's default.

use crate::config::document::Document;
use crate::config::path::Path;
use crate::config::yaml::{Node, Value};

/// A place in a document, whether or not a value stands there. Null is no value: the API server drops it.
#[derive(Clone, Debug)]
pub(in crate::config) struct Spot<'a> {
    node: Option<&'a Node>,
    pub(in crate::config) path: Path,
}

impl<'a> Spot<'a> {
    /// The whole document.
    pub(in crate::config) fn root(document: &'a Document) -> Self {
        Self { node: Some(&document.root), path: Path::root() }
    }

    /// The place of the field `name` here.
    pub(in crate::config) fn at(&self, name: &str) -> Self {
        let node = self.node.and_then(|node| node.get(name)).map(|entry| &entry.node);
        Self { node: node.filter(|node| !matches!(node.value, Value::Null)), path: self.path.key(name) }
    }

    /// Whether a value stands here.
    pub(in crate::config) fn is_set(&self) -> bool {
        self.node.is_some()
    }

    /// Whether a list or map that is not empty stands here.
    pub(in crate::config) fn is_filled(&self) -> bool {
        self.items().next().is_some() || self.entries().next().is_some()
    }

    /// The value as serde reads it, null where there is none.
    pub(in crate::config) fn to_yaml(&self) -> serde_yaml::Value {
        self.node.map(Node::to_yaml).unwrap_or_default()
    }

    /// The text; empty where there is none.
    pub(in crate::config) fn text(&self) -> &'a str {
        self.node.and_then(Node::text).unwrap_or_default()
    }

    /// The whole number; zero where there is none.
    pub(in crate::config) fn int(&self) -> i64 {
        match self.node.map(|node| &node.value) {
            Some(Value::Int(value)) => *value,
            #[allow(
                clippy::cast_possible_truncation,
                reason = "whole numbers written as fractions are small enough once the schema walk has passed them"
            )]
            Some(Value::Float(value)) => *value as i64,
            _ => 0,
        }
    }

    /// The number; zero where there is none.
    pub(in crate::config) fn number(&self) -> f64 {
        match self.node.map(|node| &node.value) {
            #[allow(clippy::cast_precision_loss, reason = "JSON's numbers are floats; no range here needs more")]
            Some(Value::Int(value)) => *value as f64,
            Some(Value::Float(value)) => *value,
            _ => 0.0,
        }
    }

    /// Whether `true` stands here.
    pub(in crate::config) fn is_true(&self) -> bool {
        matches!(self.node.map(|node| &node.value), Some(Value::Bool(true)))
    }

    /// The items of the list here.
    pub(in crate::config) fn items(&self) -> impl Iterator<Item = Self> {
        let items: &[Node] = match self.node.map(|node| &node.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        };
        items.iter().enumerate().map(|(at, node)| Self { node: Some(node), path: self.path.index(at) })
    }

    /// The keys of the map here, each with the place of its value.
    pub(in crate::config) fn entries(&self) -> impl Iterator<Item = (&'a str, Self)> + use<'a, '_> {
        let entries: &[_] = match self.node.map(|node| &node.value) {
            Some(Value::Map(entries)) => entries,
            _ => &[],
        };
        entries.iter().map(|entry| {
            let node = Some(&entry.node).filter(|node| !matches!(node.value, Value::Null));
            (entry.key.as_str(), Self { node, path: self.path.key(&entry.key) })
        })
    }
}
