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

/// A warning for each policy that accepts none of `spaces`, which the local model's versions have: nothing spills there.
pub fn refused_spaces(checked: &Checked, spaces: &[EmbeddingSpace<'_>]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    let rules = checked.virtual_hosts.iter().flat_map(|host| &host.routes);
    for policy in rules.filter_map(|rule| rule.policy.as_deref()) {
        let Some(accepted) = &policy.local_model else { continue };
        if spaces.is_empty() || spaces.iter().any(|space| accepted.accept(space)) {
            continue;
        }
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
        let found: Vec<String> = spaces.iter().map(described).collect();
        problems.push(Problem {
            code: IDENTITY_REFUSED,
            severity: Severity::Warning,
            place,
            message: format!(
                "The local model is {}, which is not accepted here: nothing spills to it.",
                found.join(" and ")
            ),
            cure: "Add it, once what reads the vectors is made for it, or load the model that is accepted.".to_owned(),
            tolerated: false,
        });
    }
    problems
}

fn described(space: &EmbeddingSpace<'_>) -> String {
    let EmbeddingSpace { name, revision, dimension, pooling, normalized } = space;
    let scaled = if *normalized { "normalized" } else { "not normalized" };
    let revision = revision.get(..12).unwrap_or(revision);
    format!("`{name}` (revision {revision}, {dimension} dimensions, pooling {pooling}, {scaled})")
}
