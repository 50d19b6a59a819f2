//! `localModel.accepts` of a `RoutePolicy`, and whether the local model is among it.

use crate::config::Checked;
use crate::config::finding::IDENTITY_REFUSED;
use crate::config::path::Path;
use crate::config::problem::{Place, Problem, Severity};
use crate::config::written::{self, Sourced};
use crate::domain::{AcceptedSpace, AcceptedSpaces, EmbeddingSpace};

/// What `source` accepts from the local model; `None` where it says nothing of it.
pub(super) fn read(source: &Sourced<written::RoutePolicy>) -> Option<AcceptedSpaces> {
    let local = source.spec.local_model.as_ref()?;
    let place = source.document.place(&Path::spec().key("localModel").key("accepts"));
    let any_of = local.accepts.as_ref()?.iter().map(|written| AcceptedSpace {
        name: written.name.as_str().into(),
        revision: written.revision.as_deref().map(|text| text.trim_start_matches("sha256:").into()),
        dimension: written.dimension.and_then(|dimension| usize::try_from(dimension).ok()),
        pooling: written.pooling.as_deref().map(Into::into),
        normalized: written.normalized,
    });
    Some(AcceptedSpaces { any_of: any_of.collect(), written_at: (place.file.into(), place.line, place.column) })
}

/// The spaces that the local models are of, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct LocalSpaces<'s> {
    /// The versions of the main model that are in force, by their names.
    pub versions: Vec<(&'s str, EmbeddingSpace<'s>)>,
    /// The models beside it, which answer requests that name them.
    pub beside: Vec<EmbeddingSpace<'s>>,
}

/// A warning for each policy that does not accept every version of the main model, since no vectors of the others spill there.
pub fn refused_spaces(checked: &Checked, spaces: &LocalSpaces<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    let rules = checked.virtual_hosts.iter().flat_map(|host| &host.routes);
    for policy in rules.filter_map(|rule| rule.policy.as_deref()) {
        let Some(accepted) = &policy.local_model else { continue };
        let Some(message) = refused(accepted, spaces) else { continue };
        let (file, line, column) = &accepted.written_at;
        let place = Place {
            file: file.to_string(),
            line: *line,
            column: *column,
            path: "spec.localModel.accepts".to_owned(),
            document: Some(policy.document.to_string()),
        };
        if problems.iter().any(|known| known.place == place) {
            continue;
        }
        problems.push(Problem {
            code: IDENTITY_REFUSED,
            severity: Severity::Warning,
            place,
            message,
            cure: "Add it, once what reads the vectors is made for it, or load the model that is accepted.".to_owned(),
            tolerated: false,
        });
    }
    problems
}

/// What is not accepted, and what comes of that; `None` where every version is accepted.
fn refused(accepted: &AcceptedSpaces, spaces: &LocalSpaces<'_>) -> Option<String> {
    let is_refused = |(_, space): &&(&str, EmbeddingSpace<'_>)| !accepted.accept(space);
    let found: Vec<String> = spaces.versions.iter().filter(is_refused).map(described).collect();
    if found.is_empty() {
        return None;
    }
    let beside = spaces.beside.iter().filter(|space| accepted.accept(space));
    let beside: Vec<String> = beside.map(|space| format!("`{}`", space.name)).collect();
    let outcome = if found.len() < spaces.versions.len() {
        "no vectors of that version spill to it".to_owned()
    } else if beside.is_empty() {
        "nothing spills to it".to_owned()
    } else {
        format!("only requests whose model is {} spill", beside.join(" or "))
    };
    Some(format!("The local model is {}, which is not accepted here: {outcome}.", found.join(" and ")))
}

/// A version in the words of the documents; what is not known is left out.
fn described((version, space): &(&str, EmbeddingSpace<'_>)) -> String {
    let EmbeddingSpace { name, revision, dimension, pooling, normalized } = space;
    let scaled = |normalized: bool| if normalized { "normalized" } else { "not normalized" }.to_owned();
    let known = [
        Some(format!("version {version}")),
        revision.map(|digits| format!("revision {}", digits.get(..12).unwrap_or(digits))),
        dimension.map(|dimension| format!("{dimension} dimensions")),
        pooling.map(|pooling| format!("pooling {pooling}")),
        normalized.map(scaled),
    ];
    format!("`{name}` ({})", known.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
