//! `DestinationRule` documents into subsets and policies, merged by host as Istio merges them.

use std::collections::BTreeMap;

use super::{Catalog, Policy, Rule, SubsetRule, meanings, policy};
use crate::config::by_host::ByHost;
use crate::config::checked::Workload;
use crate::config::finding::{Findings, remark};
use crate::config::path::Path;
use crate::config::secrets::Folders;
use crate::config::visibility::is_visible;
use crate::config::written::{DestinationRule, Sourced, TrafficPolicy, WorkloadSelector};
use crate::domain::HostPattern;

/// The rules that the workload `viewer` sees, by namespace.
pub(super) fn build(
    written: &[Sourced<DestinationRule>],
    catalog: &Catalog,
    viewer: &Workload,
    findings: &mut Findings,
) -> BTreeMap<String, ByHost<Rule>> {
    let mut rules: BTreeMap<String, ByHost<Rule>> = BTreeMap::new();
    for source in written {
        let Some(pattern) = pattern(source, catalog, findings) else { continue };
        let path = Path::spec().key("trafficPolicy");
        let policy = read(source, &source.spec.traffic_policy, &path, (&catalog.folders, findings));
        let subsets = subsets(source, catalog, findings);
        if !applies(source, viewer) {
            continue;
        }
        let of_namespace = rules.entry(source.document.namespace.clone()).or_default();
        let rule = of_namespace.get_or_insert_with(&pattern, Rule::default);
        rule.policy = rule.policy.take().or(policy);
        for subset in subsets {
            if rule.subsets.iter().all(|known| known.name != subset.name) {
                rule.subsets.push(subset);
            }
        }
    }
    rules
}

/// Whether a rule is the viewer's to obey: seen from its namespace and, where it selects workloads, selecting it.
fn applies(source: &Sourced<DestinationRule>, viewer: &Workload) -> bool {
    let (document, spec) = (&source.document, &source.spec);
    let selected = |selector: &WorkloadSelector| {
        document.namespace == viewer.namespace
            && selector.match_labels.iter().all(|(key, value)| viewer.labels.get(key) == Some(value))
    };
    is_visible(&spec.export_to, &document.namespace, &viewer.namespace)
        && spec.workload_selector.as_ref().is_none_or(selected)
}

fn pattern(source: &Sourced<DestinationRule>, catalog: &Catalog, findings: &mut Findings) -> Option<HostPattern> {
    let (document, text) = (&source.document, source.spec.host.as_str());
    if text.is_empty() && !source.intact {
        return None;
    }
    let path = Path::spec().key("host");
    let parsed = match HostPattern::parse(text) {
        Ok(pattern) => pattern,
        Err(error) => {
            let said = remark(format!("`{text}` is no host: {error}."), "Write a DNS name, or `*.` and a domain.");
            source.refuse(&path, said, findings);
            return None;
        }
    };
    let pattern = match &parsed {
        HostPattern::Exact(host) => {
            let known = catalog.find(text, &document.namespace).map(|(_, host)| host);
            let meant = known.or_else(|| meanings(text, &document.namespace).into_iter().next());
            HostPattern::Exact(meant.unwrap_or_else(|| host.clone()))
        }
        HostPattern::Suffix(_) | HostPattern::Any => parsed,
    };
    Some(pattern)
}

/// The policy at `path`; `None` where there is none.
fn read(
    source: &Sourced<DestinationRule>,
    written: &TrafficPolicy,
    path: &Path,
    (folders, findings): (&Folders, &mut Findings),
) -> Option<Policy> {
    let Sourced { document, intact, admitted, .. } = source;
    let mut reader = policy::Reader { document, intact: *intact, admitted: *admitted, folders, findings };
    source.document.has(path).then(|| reader.policy(written, path))
}

fn subsets(source: &Sourced<DestinationRule>, catalog: &Catalog, findings: &mut Findings) -> Vec<SubsetRule> {
    let mut subsets: Vec<SubsetRule> = Vec::new();
    for (at, written) in source.spec.subsets.iter().enumerate() {
        let path = Path::spec().key("subsets").index(at);
        if written.name.is_empty() && !source.intact {
            continue;
        }
        if subsets.iter().any(|known| known.name == written.name) || written.name.is_empty() {
            let said = remark(
                format!("The subset name `{}` is empty or stands twice.", written.name),
                "Give each subset a name of its own.",
            );
            source.refuse(&path.key("name"), said, findings);
            continue;
        }
        let policy = read(source, &written.traffic_policy, &path.key("trafficPolicy"), (&catalog.folders, findings));
        let subset = SubsetRule { name: written.name.clone(), labels: written.labels.clone(), policy };
        subsets.push(subset);
    }
    subsets
}

impl SubsetRule {
    /// Whether an endpoint of these labels belongs to the subset.
    pub(in crate::config) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}
