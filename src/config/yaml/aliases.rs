//! What aliases and merge keys write out, and how much of it: a file of a few hundred bytes can ask for any number of values.

use std::collections::BTreeSet;

use super::{Entry, Mark, Node, Value};

/// What the aliases of one file may write out, in values and bytes of their texts. Kubernetes' store takes objects of
/// 1.5 MiB, so that no document that a cluster holds comes near it by aliases alone.
const MOST: usize = 1_000_000;

/// What the aliases of a file have written out, in all its documents and in the documents within those.
#[derive(Debug, Default)]
pub(in crate::config) struct Aliases {
    written_out: usize,
}

impl Aliases {
    /// A copy of `node`; `None` where it is more than the file has left.
    pub(super) fn write_out(&mut self, node: &Node) -> Option<Node> {
        let written_out = self.written_out.saturating_add(weight(node));
        if written_out > MOST {
            return None;
        }
        self.written_out = written_out;
        Some(node.clone())
    }

    /// What a document is refused with that asks for more.
    pub(super) fn refusal(mark: Mark) -> super::Fault {
        super::Fault {
            mark,
            message: format!("The aliases of this file write out over {MOST} values and bytes of text."),
            cure: "Repeat values rather than aliases of aliases, or split the file.",
        }
    }
}

fn weight(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(weight).sum(),
        Value::Map(entries) => entries.iter().map(|entry| entry.key.len() + weight(&entry.node)).sum(),
    }
}

/// Writes out the merge key `<<`, as Kubernetes' reader does: keys of the map itself win.
pub(super) fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    let Some(at) = entries.iter().position(|entry| entry.key == "<<") else { return entries };
    let mut own = entries;
    let merge = own.remove(at);
    let maps = match merge.node.value {
        Value::List(items) => items,
        _ => vec![merge.node],
    };
    let mut known: BTreeSet<String> = own.iter().map(|entry| entry.key.clone()).collect();
    for entry in maps
        .into_iter()
        .filter_map(|map| if let Value::Map(entries) = map.value { Some(entries) } else { None })
        .flatten()
    {
        if known.insert(entry.key.clone()) {
            own.push(entry);
        }
    }
    own
}
