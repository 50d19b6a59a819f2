//! Documents that hold others: lists, and the data of a `ConfigMap`.

use super::{GROUPS, KUBERNETES, read_text, text_at};
use crate::config::finding::{Findings, UNREADABLE, remark};
use crate::config::problem::Place;
use crate::config::yaml::{Aliases, Entry, Mark, Node, Value};

/// The documents that `root` holds, or `root` itself where it holds none: the items of a `List` as `kubectl get` prints
/// it, and what the values of a `ConfigMap` say of the kinds that are read here. Other values of a `ConfigMap` are its
/// application's and nobody's fault.
pub(super) fn open(file: &str, root: Node, aliases: &mut Aliases, findings: &mut Findings) -> Vec<Node> {
    let mut opened = Vec::new();
    for document in items(root) {
        let inside = if is_config_map(&document) { values(file, &document, aliases, findings) } else { Vec::new() };
        if inside.is_empty() {
            opened.push(document);
        } else {
            opened.extend(inside);
        }
    }
    opened
}

/// The items of a list and of the lists in it; a document that is no list stands for itself.
fn items(root: Node) -> Vec<Node> {
    let is_list = text_at(&root, &["kind"]).is_some_and(|kind| kind.ends_with("List"));
    match root.value {
        Value::Map(mut entries) if is_list => {
            let at =
                entries.iter().position(|entry| entry.key == "items" && matches!(entry.node.value, Value::List(_)));
            match at.map(|at| entries.swap_remove(at).node.value) {
                Some(Value::List(items)) => {
                    items.into_iter().filter(|item| !matches!(item.value, Value::Null)).flat_map(self::items).collect()
                }
                _ => vec![Node { mark: root.mark, value: Value::Map(entries) }],
            }
        }
        value => vec![Node { mark: root.mark, value }],
    }
}

fn is_config_map(root: &Node) -> bool {
    text_at(root, &["apiVersion"]).as_deref() == Some("v1") && text_at(root, &["kind"]).as_deref() == Some("ConfigMap")
}

/// The documents in the values of a `ConfigMap`'s `data` that are of a kind read here.
fn values(file: &str, root: &Node, aliases: &mut Aliases, findings: &mut Findings) -> Vec<Node> {
    let data = root.get("data").map(|entry| &entry.node.value);
    let Some(Value::Map(entries)) = data else { return Vec::new() };
    entries.iter().flat_map(|entry| value(file, entry, aliases, findings)).collect()
}

fn value(file: &str, entry: &Entry, aliases: &mut Aliases, findings: &mut Findings) -> Vec<Node> {
    let Some(text) = entry.node.text() else { return Vec::new() };
    let mut faults = Vec::new();
    let documents = read_text(text, first_line(entry, text), aliases, &mut faults);
    // Whatever else a value is, it may be no YAML: only what names a group of ours was meant to be read.
    if GROUPS.iter().any(|group| text.contains(group)) {
        for fault in faults {
            let Mark { line, column } = fault.mark;
            let place =
                Place { file: file.to_owned(), line, column, path: format!("data.{}", entry.key), document: None };
            findings.error(UNREADABLE, place, remark(fault.message, fault.cure));
        }
    }
    documents.into_iter().flat_map(items).filter(is_read).collect()
}

/// The line on which `text`, the value of `entry`, begins. A block is marked on its first line that is not blank.
fn first_line(entry: &Entry, text: &str) -> usize {
    let (key, value) = (entry.mark.line, entry.node.mark.line);
    let blank = text.bytes().take_while(|byte| *byte == b'\n').count();
    if value > key { value.saturating_sub(blank).max(key) } else { value }
}

fn is_read(root: &Node) -> bool {
    let (version, kind) = (text_at(root, &["apiVersion"]), text_at(root, &["kind"]));
    let (Some(version), Some(kind)) = (version, kind) else { return false };
    let ours = version.split_once('/').is_some_and(|(group, _)| GROUPS.contains(&group));
    ours || KUBERNETES.iter().any(|(known, read)| *known == version && read.as_str() == kind)
}
