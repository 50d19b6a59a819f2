//! `DestinationRule`: its host, subsets and policies.

use std::collections::BTreeSet;

use super::judge::Judge;
use super::names::wildcard_domain;
use super::references::{export_to, labels, subset_name};
use super::spot::Spot;
use super::traffic_policy;
use crate::config::document::Kind;

pub(super) fn judge(judge: &mut Judge<'_>, spec: &Spot<'_>) {
    let host = spec.at("host");
    if let Err(reason) = wildcard_domain(host.text()) {
        let message = format!("`{}` is no host: {reason}.", host.text());
        judge.miss(&host, message, "Write a domain name, or `*.` and one.");
    }
    traffic_policy::judge(judge, &spec.at("trafficPolicy"));
    let mut names = BTreeSet::new();
    for subset in spec.at("subsets").items() {
        let name = subset.at("name");
        if !names.insert(name.text()) {
            let message = format!("There are duplicate subset names: `{}`.", name.text());
            judge.reject(&name, message, "Give each subset a name of its own.");
        }
        subset_name(judge, &name);
        labels(judge, &subset.at("labels"));
        traffic_policy::judge(judge, &subset.at("trafficPolicy"));
    }
    export_to(judge, &spec.at("exportTo"));
    let selector = spec.at("workloadSelector");
    if selector.is_set() {
        self::selector(judge, &selector, &selector.at("matchLabels"));
    }
}

/// What the API server takes of a selector's labels.
const MAX_LABELS_OF_RULE: usize = 4096;
const MAX_LABELS_OF_SERVICE: usize = 256;

/// The labels of the workloads that a document is for.
pub(super) fn selector(judge: &mut Judge<'_>, selector: &Spot<'_>, labels: &Spot<'_>) {
    let mut empty = true;
    let of_service = judge.document.kind == Kind::ServiceEntry;
    judge.at_most(labels, if of_service { MAX_LABELS_OF_SERVICE } else { MAX_LABELS_OF_RULE });
    for (key, value) in labels.entries() {
        empty = false;
        judge.no_longer(&value, 63);
        if key.is_empty() {
            judge.reject(&value, "An empty key is not supported in a selector.", "Name the label.");
        }
        if key.contains('*') || value.text().contains('*') {
            let message = format!("A wildcard is not supported in a selector: `{key}={}`.", value.text());
            judge.reject(&value, message, "Write the label's whole key and value.");
        }
    }
    if empty {
        let message = "The workload selector has no labels, so that it is for every workload of the namespace.";
        judge.warn(selector, message, "Add labels, or take it out.");
    }
}
