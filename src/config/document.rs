//! Files split into documents, and documents into the kinds that are read.
//!
//! One document that cannot be read hides nothing of the others: a file is cut at its `---` lines before anything is
//! parsed. A document knows where each of its values stands.

mod kind;
mod open;

use super::SourceFile;
use super::finding::{Findings, IDENTITY, PASSED_OVER, UNREADABLE, remark};
use super::path::{Path, Step};
use super::problem::{Place, Severity};
use super::suggest::nearest;
use super::unexecuted::OTHER_KINDS;
use super::yaml::{self, Mark, Node, Value};
pub(super) use kind::Kind;
use kind::{GROUPS, ISTIO, ISTIO_OTHERS, ISTIO_VERSIONS, KUBERNETES, LOOKED_UP, OWN, OWN_VERSIONS};

/// One document of a kind that is read.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) file: String,
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) namespace: String,
    /// `metadata.creationTimestamp`, empty where there is none: older rules come first.
    pub(super) created: String,
    pub(super) root: Node,
}

impl Document {
    /// The place of the value at `path`; where it is absent, of the nearest value around it.
    pub(super) fn place(&self, path: &Path) -> Place {
        self.locate(path, |entry| if is_block(&entry.node) { entry.mark } else { entry.node.mark })
    }

    /// The place of the key at the end of `path`.
    pub(super) fn place_of_key(&self, path: &Path) -> Place {
        self.locate(path, |entry| entry.mark)
    }

    /// `file:line` of `path`.
    pub(super) fn origin(&self, path: &Path) -> String {
        let place = self.place(path);
        format!("{}:{}", place.file, place.line)
    }

    /// Whether the field at `path` is there and not null.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.depth(path) == path.steps().len()
    }

    /// How many steps of `path` are there and not null.
    pub(super) fn depth(&self, path: &Path) -> usize {
        let mut node = &self.root;
        let there = path.steps().into_iter().take_while(|step| {
            let next = descend(node, step).map(|(next, _)| next).filter(|next| !matches!(next.value, Value::Null));
            node = next.unwrap_or(node);
            next.is_some()
        });
        there.count()
    }

    /// `namespace/name`.
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// `Kind namespace/name`.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.kind.as_str(), self.full_name())
    }

    /// The code of a schema error in this kind.
    pub(super) fn schema_code(&self) -> &'static str {
        if self.kind.group() == OWN { super::finding::OWN_SCHEMA } else { super::finding::SCHEMA }
    }

    fn locate(&self, path: &Path, mark_of: impl Fn(&yaml::Entry) -> Mark) -> Place {
        let (mut node, mut mark) = (&self.root, self.root.mark);
        for step in path.steps() {
            let Some((next, entry)) = descend(node, step) else { break };
            mark = entry.map_or(next.mark, &mark_of);
            node = next;
        }
        Place {
            file: self.file.clone(),
            line: mark.line,
            column: mark.column,
            path: path.to_string(),
            document: (!self.name.is_empty()).then(|| self.title()),
        }
    }
}

fn is_block(node: &Node) -> bool {
    matches!(node.value, Value::List(_) | Value::Map(_) | Value::Null)
}

fn descend<'a>(node: &'a Node, step: &Step) -> Option<(&'a Node, Option<&'a yaml::Entry>)> {
    match (step, &node.value) {
        (Step::Key(key), Value::Map(_)) => node.get(key).map(|entry| (&entry.node, Some(entry))),
        (Step::Index(index), Value::List(items)) => items.get(*index).map(|item| (item, None)),
        _ => None,
    }
}

/// What the files hold.
#[derive(Debug, Default)]
pub(super) struct Documents {
    pub(super) read: Vec<Document>,
    /// Whether some document could not be read, so that what seems missing may stand there.
    pub(super) unreadable: bool,
    /// Whether there was any document at all, of whatever kind.
    pub(super) any: bool,
}

/// Splits and reads every file.
pub(super) fn read(files: &[SourceFile], findings: &mut Findings) -> Documents {
    let mut documents = Documents::default();
    for file in files {
        match std::str::from_utf8(&file.bytes) {
            Ok(text) => read_file(&file.name, text.trim_start_matches('\u{feff}'), &mut documents, findings),
            Err(error) => {
                let at = error.valid_up_to();
                let line = 1 + file.bytes[..at].split(|byte| *byte == b'\n').skip(1).count();
                let place = Place { file: file.name.clone(), line, column: 1, path: String::new(), document: None };
                let said = remark(format!("Byte {at} is not UTF-8."), "Save the file as UTF-8.");
                findings.error(UNREADABLE, place, said);
                documents.unreadable = true;
                documents.any = true;
            }
        }
    }
    documents
}

fn read_file(file: &str, text: &str, documents: &mut Documents, findings: &mut Findings) {
    let mut faults = Vec::new();
    let mut aliases = yaml::Aliases::default();
    let roots = read_text(text, 1, &mut aliases, &mut faults);
    documents.unreadable |= !faults.is_empty();
    documents.any |= !faults.is_empty() || !roots.is_empty();
    for yaml::Fault { mark, message, cure } in faults {
        let Mark { line, column } = mark;
        let place = Place { file: file.to_owned(), line, column, path: String::new(), document: None };
        findings.error(UNREADABLE, place, remark(message, cure));
    }
    let before = findings.errors();
    for root in roots.into_iter().flat_map(|root| open::open(file, root, &mut aliases, findings)).collect::<Vec<_>>() {
        documents.read.extend(identify(file, root, findings));
    }
    documents.unreadable |= findings.errors() > before;
}

/// The documents of a text that begins on line `first_line`; of those that cannot be read, what is wrong.
fn read_text(text: &str, first_line: usize, aliases: &mut yaml::Aliases, faults: &mut Vec<yaml::Fault>) -> Vec<Node> {
    let chunks = split(text);
    let roots =
        chunks.into_iter().filter_map(|(line, chunk)| yaml::parse(&chunk, first_line + line - 1, aliases, faults));
    roots.filter(|root| !matches!(root.value, Value::Null)).collect()
}

/// The documents of a file with their first lines, without `---` lines, directives and `...` lines.
fn split(text: &str) -> Vec<(usize, String)> {
    let mut chunks = vec![(1, String::new())];
    let mut begun = false;
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim_end();
        let marker =
            |marker: &str| bare.strip_prefix(marker).filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        if let Some(rest) = marker("---") {
            // What stands on the line behind the marker belongs to the document; its columns stay what they are.
            chunks.push((at + 1, format!("   {rest}\n")));
            begun = !rest.trim().is_empty();
        } else if marker("...").is_some() {
            chunks.push((at + 2, String::new()));
            begun = false;
        } else if let Some((_, chunk)) = chunks.last_mut() {
            // A directive ahead of its document says nothing that is needed; its line is kept for the count.
            let directive = !begun && line.starts_with('%');
            begun |= !directive && !bare.is_empty();
            chunk.push_str(if directive { "\n" } else { line });
        }
    }
    chunks
        .retain(|(_, chunk)| chunk.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')));
    chunks
}

/// Finds out which kind a document is; reports it where it is none that is read.
fn identify(file: &str, root: Node, findings: &mut Findings) -> Option<Document> {
    let (api_version, kind_name) = (text_at(&root, &["apiVersion"]), text_at(&root, &["kind"]));
    let mut document = Document {
        file: file.to_owned(),
        kind: Kind::Settings,
        name: text_at(&root, &["metadata", "name"]).unwrap_or_default(),
        namespace: text_at(&root, &["metadata", "namespace"])
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| "default".to_owned()),
        created: text_at(&root, &["metadata", "creationTimestamp"]).unwrap_or_default(),
        root,
    };
    let (Some(api_version), Some(kind_name)) = (&api_version, &kind_name) else {
        let field = if api_version.is_none() { "apiVersion" } else { "kind" };
        let said = remark(
            format!("The document has no `{field}`."),
            format!("Add `{field}` as text, as in `apiVersion: {ISTIO}/v1` and `kind: VirtualService`."),
        );
        findings.error(IDENTITY, document.place(&Path::root().key(field)), said);
        return None;
    };
    document.kind = kind(&document, api_version, kind_name, findings)?;
    if document.kind.is_passed_over() {
        return Some(document);
    }
    if document.name.is_empty() {
        let place = document.place(&Path::root().key("metadata").key("name"));
        let said =
            remark(format!("The {kind_name} has no `metadata.name`."), "Add a name; findings and metrics use it.");
        findings.error(IDENTITY, place, said);
        return None;
    }
    let namespace = Path::root().key("metadata").key("namespace");
    if document.has(&namespace) && text_at(&document.root, &["metadata", "namespace"]).is_none() {
        let said = remark("`metadata.namespace` is not text.", "Put it in quotes.");
        findings.error(IDENTITY, document.place(&namespace), said);
        return None;
    }
    if !document.kind.is_kubernetes() {
        check_frame(&document, findings);
    }
    Some(document)
}

/// The text at the end of the keys; `None` where there is none.
fn text_at(root: &Node, keys: &[&str]) -> Option<String> {
    let node = keys.iter().try_fold(root, |node, key| node.get(key).map(|entry| &entry.node))?;
    node.text().map(str::to_owned)
}

fn kind(document: &Document, api_version: &str, kind_name: &str, findings: &mut Findings) -> Option<Kind> {
    let listed = |kinds: &[(&str, Kind)]| {
        let is_meant = |(version, kind): &&(&str, Kind)| *version == api_version && kind.as_str() == kind_name;
        kinds.iter().find(is_meant).map(|(_, kind)| *kind)
    };
    if let Some(kind) = listed(&KUBERNETES) {
        return Some(kind);
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let known = Kind::ALL.into_iter().find(|kind| kind.as_str() == kind_name);
    if !GROUPS.contains(&group) {
        let meant = nearest(group, GROUPS).filter(|_| known.is_some());
        unread(document, (api_version, kind_name), meant, findings);
        return listed(&LOOKED_UP);
    }
    let versions = if group == ISTIO { &ISTIO_VERSIONS[..] } else { &OWN_VERSIONS[..] };
    let kinds = || Kind::ALL.into_iter().filter(|kind| kind.group() == group).map(Kind::as_str);
    if group == ISTIO && ISTIO_OTHERS.contains(&kind_name) {
        let said = remark(
            format!(
                "The {kind_name} `{}` is not executed yet: requests are served as if it were not there.",
                document.full_name()
            ),
            "Take it out, or leave it in knowing that it has no effect here.",
        );
        findings.not_executed(&OTHER_KINDS, document.place(&Path::root().key("kind")), said);
        return None;
    }
    let Some(kind) = known.filter(|kind| kind.group() == group) else {
        let cure = super::suggest::did_you_mean(kind_name, kinds(), || {
            format!("The kinds of {group} read here are {}.", kinds().collect::<Vec<_>>().join(", "))
        });
        let said = remark(format!("There is no kind `{kind_name}` in {group}."), cure);
        findings.error(IDENTITY, document.place(&Path::root().key("kind")), said);
        return None;
    };
    if !versions.contains(&version) {
        let said = remark(
            format!("There is no version `{version}` of {group}."),
            format!("Write `{group}/v1`; the versions are {}.", versions.join(", ")),
        );
        findings.error(IDENTITY, document.place(&Path::root().key("apiVersion")), said);
        return None;
    }
    Some(kind)
}

/// Reports a document of another group: passed over, or misspelt where `meant` says which group it means.
fn unread(document: &Document, named: (&str, &str), meant: Option<&str>, findings: &mut Findings) {
    let (api_version, kind_name) = named;
    let name =
        if document.name.is_empty() { "without a name".to_owned() } else { format!("`{}`", document.full_name()) };
    let (severity, code, said) = match meant {
        Some(group) => (
            Severity::Error,
            IDENTITY,
            remark(format!("There is no group `{api_version}`."), format!("Did you mean `{group}/v1`?")),
        ),
        None => (
            Severity::Warning,
            PASSED_OVER,
            remark(
                format!(
                    "The {kind_name} {name} ({api_version}) is passed over: this router does not execute that kind."
                ),
                "Nothing needs doing, unless it was meant to be read.",
            ),
        ),
    };
    findings.add(severity, code, document.place(&Path::root().key("apiVersion")), said);
}

/// Reports what stands beside `metadata` and `spec`.
fn check_frame(document: &Document, findings: &mut Findings) {
    const FRAME: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
    let Value::Map(entries) = &document.root.value else { return };
    for entry in entries.iter().filter(|entry| !FRAME.contains(&entry.key.as_str())) {
        let place = document.place_of_key(&Path::root().key(&entry.key));
        let cure =
            super::suggest::did_you_mean(&entry.key, FRAME, || "Move it under `spec`, or take it out.".to_owned());
        findings.error(document.schema_code(), place, remark(format!("There is no field `{}` here.", entry.key), cure));
    }
}
