//! Rules and conditions that earlier ones leave nothing to (IST0130, IST0131).
//!
//! These two say what istioctl says: conditions that repeat earlier ones, prefixes within earlier prefixes, and what stands
//! behind a rule without conditions. What is certain beyond that has a code of the router's own.

mod certain;
mod prefixes;

use std::collections::{BTreeSet, HashMap};

use crate::config::admission::Spot;
use crate::config::finding::{Findings, INEFFECTIVE, UNREACHABLE, remark};
use crate::config::written::{Sourced, VirtualService};

/// How many earlier conditions one condition is held against: more would cost their square.
const MAX_COMPARED: usize = 512;

/// What has been said of the `http` rules of a document.
#[derive(Default)]
struct Said {
    rules: BTreeSet<usize>,
    /// By the rule, and the condition in it.
    conditions: BTreeSet<(usize, usize)>,
}

/// Reports them for one virtual service.
pub(super) fn report(source: &Sourced<VirtualService>, findings: &mut Findings) {
    let spec = Spot::root(&source.document).at("spec");
    for protocol in ["tcp", "tls"] {
        repeated(source, &spec.at(protocol), findings);
    }
    let mut said = repeated(source, &spec.at("http"), findings);
    prefixes::report(source, &mut said, findings);
    certain::report(source, &said, findings);
}

/// Reports what repeats earlier conditions, or stands behind a rule without any.
fn repeated(source: &Sourced<VirtualService>, rules: &Spot<'_>, findings: &mut Findings) -> Said {
    let mut said = Said::default();
    let mut seen: HashMap<serde_yaml::Value, usize> = HashMap::new();
    let mut everything: Option<usize> = None;
    for (at, rule) in rules.items().enumerate() {
        let conditions: Vec<Spot<'_>> = rule.at("match").items().collect();
        if let Some(earlier) = everything {
            unreachable(source, &rule, earlier, findings);
            said.rules.insert(at);
        } else if conditions.is_empty() {
            everything = Some(at);
        }
        if everything.is_some() {
            continue;
        }
        let mut latest = None;
        for (number, condition) in conditions.iter().enumerate() {
            match seen.get(&content(condition)) {
                Some(earlier) => {
                    let message = format!("Rule {earlier} has this condition already.");
                    let said_of = remark(message, "Take one of the two out.");
                    findings.warning(INEFFECTIVE, source.document.place(&condition.path), said_of);
                    said.conditions.insert((at, number));
                    latest = latest.max(Some(*earlier));
                }
                None => {
                    seen.insert(content(condition), at);
                }
            }
        }
        if let Some(earlier) =
            latest.filter(|_| (0..conditions.len()).all(|number| said.conditions.contains(&(at, number))))
        {
            unreachable(source, &rule, earlier, findings);
            said.rules.insert(at);
        }
    }
    said
}

fn unreachable(source: &Sourced<VirtualService>, rule: &Spot<'_>, earlier: usize, findings: &mut Findings) {
    let said = remark(
        format!("No request reaches this rule: rule {earlier} takes every one that it matches."),
        "Move it up, or take it out.",
    );
    findings.warning(UNREACHABLE, source.document.place(&rule.path), said);
}

/// A condition without its name, which does not matter.
fn content(condition: &Spot<'_>) -> serde_yaml::Value {
    let mut value = condition.to_yaml();
    if let Some(fields) = value.as_mapping_mut() {
        fields.remove("name");
    }
    value
}
