//! YAML text read into a tree in which every value knows where it stands.
//!
//! Owns the limits that keep a hostile text harmless: depth, number of values (aliases written out), one meaning per
//! key. Never looks at what the values mean.

mod aliases;
mod scalar;

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

pub(super) use aliases::Aliases;
use aliases::merged;
use scalar::resolve;

/// How deep values may nest; Istio's own kinds nest about ten deep.
const MAX_DEPTH: usize = 64;
/// How many values one document may hold.
const MAX_NODES: usize = 1_000_000;

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) value: Value,
}

/// What a value is, by the rules of the YAML that Kubernetes reads.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) mark: Mark,
    pub(super) node: Node,
}

/// Why a text cannot be read, and where.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) mark: Mark,
    pub(super) message: String,
    pub(super) cure: &'static str,
}

impl Node {
    /// The value under `key`, where this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The text, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as serde reads it. Fields that are null are left out, as the API server leaves them out.
    pub(super) fn to_yaml(&self) -> serde_yaml::Value {
        match &self.value {
            Value::Null => serde_yaml::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_yaml).collect(),
            Value::Map(entries) => {
                let set = entries.iter().filter(|entry| !matches!(entry.node.value, Value::Null));
                let map = set.map(|entry| (entry.key.as_str().into(), entry.node.to_yaml()));
                serde_yaml::Value::Mapping(map.collect())
            }
        }
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(entries) => entries.iter().map(|entry| entry.node.size()).sum(),
            _ => 0,
        }
    }
}

/// Reads one document whose first line is line `first_line` of its file; `None` where it holds nothing or cannot be read.
/// `aliases` are those of the whole file.
pub(super) fn parse(text: &str, first_line: usize, aliases: &mut Aliases, faults: &mut Vec<Fault>) -> Option<Node> {
    let mut builder =
        Builder { first_line, aliases, faults, open: Vec::new(), anchors: BTreeMap::new(), nodes: 0, root: None };
    let mut parser = Parser::new_from_str(text);
    match builder.run(&mut parser) {
        Ok(()) => builder.root,
        Err(fault) => {
            builder.faults.push(fault);
            None
        }
    }
}

/// A list or map that is not closed yet.
struct Open {
    mark: Mark,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: BTreeSet<String>, key: Option<(String, Mark)> },
}

struct Builder<'a> {
    first_line: usize,
    aliases: &'a mut Aliases,
    faults: &'a mut Vec<Fault>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    fn run(&mut self, parser: &mut Parser<'_, StrInput<'_>>) -> Result<(), Fault> {
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| self.syntax(&error))?;
            let mark = self.mark(span);
            match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let forced = tag.is_some_and(|tag| !tag.is_yaml_core_schema() || tag.suffix == "str");
                    let is_plain = matches!(style, ScalarStyle::Plain) && !forced;
                    let read = if is_plain { resolve } else { |text: &str| Value::Text(text.to_owned()) };
                    self.scalar(&text, read, (mark, anchor))?;
                }
                Event::Alias(anchor) => self.alias(anchor, mark)?,
                Event::SequenceStart(anchor, _) => self.start(mark, anchor, Content::List(Vec::new()))?,
                Event::MappingStart(anchor, _) => {
                    let content = Content::Map { entries: Vec::new(), seen: BTreeSet::new(), key: None };
                    self.start(mark, anchor, content)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end()?,
                Event::StreamEnd => break,
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            }
        }
        Ok(())
    }

    fn mark(&self, span: Span) -> Mark {
        Mark { line: self.first_line - 1 + span.start.line().max(1), column: span.start.col() + 1 }
    }

    fn syntax(&self, error: &ScanError) -> Fault {
        Fault {
            mark: self.mark(Span::empty(*error.marker())),
            message: format!("This is not YAML: {}.", error.info()),
            cure: "Correct the text here or just before; indentation, quotes and brackets are the usual causes.",
        }
    }

    fn count(&mut self, nodes: usize, mark: Mark) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        Err(Fault { mark, message: format!("The document holds over {MAX_NODES} values."), cure: "Split it." })
    }

    /// Takes a scalar, whose value `read` finds in its text.
    fn scalar(&mut self, text: &str, read: fn(&str) -> Value, at: (Mark, usize)) -> Result<(), Fault> {
        let (mark, anchor) = at;
        self.count(1, mark)?;
        if self.takes_key(text, mark) {
            return Ok(());
        }
        self.add(Node { mark, value: read(text) }, anchor)
    }

    /// Takes `text` as the next key, where a map is waiting for one.
    fn takes_key(&mut self, text: &str, mark: Mark) -> bool {
        match self.open.last_mut() {
            Some(Open { content: Content::Map { key: key @ None, .. }, .. }) => {
                *key = Some((text.to_owned(), mark));
                true
            }
            _ => false,
        }
    }

    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<(), Fault> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Fault {
                mark,
                message: "This alias stands inside the value that it names.".to_owned(),
                cure: "Write the value out.",
            });
        };
        let node = self.aliases.write_out(node).ok_or_else(|| Aliases::refusal(mark))?;
        if let Some(text) = node.text()
            && self.takes_key(text, mark)
        {
            return Ok(());
        }
        self.add(node, 0)
    }

    fn start(&mut self, mark: Mark, anchor: usize, content: Content) -> Result<(), Fault> {
        self.count(1, mark)?;
        if matches!(self.open.last(), Some(Open { content: Content::Map { key: None, .. }, .. })) {
            return Err(Fault {
                mark,
                message: "A list or map stands where a key belongs.".to_owned(),
                cure: "Keys are plain text.",
            });
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Fault {
                mark,
                message: format!("The document nests over {MAX_DEPTH} deep."),
                cure: "No kind read here nests that deep: look for a missing end of a list or map.",
            });
        }
        self.open.push(Open { mark, anchor, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some(Open { mark, anchor, content }) = self.open.pop() else { return Ok(()) };
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => Value::Map(merged(entries)),
        };
        self.add(Node { mark, value }, anchor)
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor != 0 {
            self.count(node.size(), node.mark)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => {
                self.root.get_or_insert(node);
            }
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, seen, key }) => {
                if let Some((key, mark)) = key.take() {
                    if seen.insert(key.clone()) {
                        entries.push(Entry { key, mark, node });
                    } else {
                        self.faults.push(Fault {
                            mark,
                            message: format!("The key `{key}` stands twice in one map."),
                            cure: "Keep one of the two.",
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Node>, Vec<Fault>) {
        let mut faults = Vec::new();
        (parse(text, 10, &mut Aliases::default(), &mut faults), faults)
    }

    #[test]
    fn aliases_and_merge_keys_are_written_out_and_own_keys_win() {
        let (node, faults) = read("base: &b { x: 1, y: 2 }\nmerged: { <<: *b, y: 3 }\nagain: *b\n");
        assert!(faults.is_empty());
        let root = node.expect("a document");
        let value = |map: &str, key: &str| {
            root.get(map).and_then(|entry| entry.node.get(key)).map(|entry| format!("{:?}", entry.node.value))
        };
        assert_eq!(value("merged", "x").as_deref(), Some("Int(1)"));
        assert_eq!(value("merged", "y").as_deref(), Some("Int(3)"));
        assert_eq!(value("again", "y").as_deref(), Some("Int(2)"));
    }

    #[test]
    fn marks_count_lines_of_the_file_and_columns_from_one() {
        let root = read("a:\n  - é: 1\n    b: \"x\"\n").0.expect("a document");
        let list = &root.get("a").expect("the key").node;
        assert_eq!(list.mark, Mark { line: 11, column: 3 });
        let Value::List(items) = &list.value else { panic!("a list") };
        assert_eq!(items[0].get("b").map(|entry| entry.mark), Some(Mark { line: 12, column: 5 }));
        assert_eq!(items[0].get("b").map(|entry| entry.node.mark), Some(Mark { line: 12, column: 8 }));
    }

    #[test]
    fn a_tag_and_quotes_make_text() {
        let root = read("[!!str 1, '2', \"3\", 4]").0.expect("a document");
        assert!(matches!(&root.value, Value::List(items) if items.iter().filter_map(Node::text).eq(["1", "2", "3"])));
    }
}
