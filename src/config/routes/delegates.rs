//! Delegation: the rules of virtual services without hosts, put in the place of the rules that delegate to them.
//!
//! What is merged and what conflicts is Istio's (`mergeHTTPRoute` and `hasConflict`): a delegate's rule keeps what it says
//! and takes the rest from the rule that delegates, and each of its conditions must lie within one of that rule's.

use std::collections::BTreeMap;

use super::{Alternative, Delegate, Rule};
use crate::config::checked::RouteMatch;
use crate::config::document::Document;
use crate::config::viewpoint::Callers;
use crate::config::visibility::is_visible;
use crate::config::written::{Sourced, VirtualService};
use crate::domain::StringMatch;

/// The virtual services that others may delegate to, by namespace and name, with their rules.
pub(super) type Delegates<'a> = BTreeMap<(&'a str, &'a str), (&'a VirtualService, &'a [Rule])>;

/// The virtual services without hosts.
pub(super) fn delegates<'a>(documents: &'a [Sourced<VirtualService>], rules: &'a [Vec<Rule>]) -> Delegates<'a> {
    let without_hosts = documents.iter().zip(rules).filter(|(source, _)| source.spec.hosts.is_empty());
    let named = without_hosts.map(|(Sourced { document, spec, .. }, rules)| {
        ((document.namespace.as_str(), document.name.as_str()), (spec, rules.as_slice()))
    });
    named.collect()
}

/// The rules of a virtual service with those of its delegates in their places. A rule whose delegate is missing, or not
/// exported to its namespace, takes no request.
pub(super) fn expand(document: &Document, rules: &[Rule], delegates: &Delegates<'_>) -> Vec<Rule> {
    let expanded = rules.iter().flat_map(|rule| match &rule.delegate {
        None => vec![rule.clone()],
        Some(to) => match find(document, to, delegates) {
            Some(theirs) => theirs.iter().filter_map(|theirs| merge(rule, theirs)).collect(),
            None => Vec::new(),
        },
    });
    expanded.collect()
}

fn find<'a>(document: &Document, to: &Delegate, delegates: &Delegates<'a>) -> Option<&'a [Rule]> {
    let namespace = if to.namespace.is_empty() { &document.namespace } else { &to.namespace };
    let (spec, rules) = delegates.get(&(namespace.as_str(), to.name.as_str()))?;
    is_visible(&spec.export_to, namespace, &document.namespace).then_some(*rules)
}

/// The rule that a delegate's rule becomes; `None` where no request can meet the conditions of both.
fn merge(root: &Rule, delegate: &Rule) -> Option<Rule> {
    if delegate.delegate.is_some() {
        return None;
    }
    let mut rule = delegate.clone();
    rule.alternatives = merge_alternatives(&root.alternatives, &delegate.alternatives)?;
    rule.mirroring = delegate.mirroring.or(&root.mirroring);
    let (route, above) = (&mut rule.route, &root.route);
    let own = delegate.route.name.rsplit('/').next().unwrap_or_default();
    route.name = format!("{}-{own}", above.name);
    if route.rewrite.is_empty() {
        route.rewrite.clone_from(&above.rewrite);
    }
    if route.headers.is_empty() {
        route.headers.clone_from(&above.headers);
    }
    // As in Istio, an answer of the root's stands before the destinations of its delegate.
    route.answer = route.answer.take().or_else(|| above.answer.clone());
    if route.answer.is_some() {
        route.split.clear();
    }
    route.timeout = route.timeout.or(above.timeout);
    route.fault = route.fault.take().or_else(|| above.fault.clone());
    route.cors = route.cors.take().or_else(|| above.cors.clone());
    route.policy = route.policy.take().or_else(|| above.policy.clone());
    route.retries = route.retries.take().or_else(|| above.retries.clone());
    Some(rule)
}

fn merge_alternatives(root: &[Alternative], delegate: &[Alternative]) -> Option<Vec<Alternative>> {
    if root.is_empty() || delegate.is_empty() {
        return Some(if root.is_empty() { delegate } else { root }.to_vec());
    }
    let mut merged = Vec::new();
    for leaf in delegate {
        let before = merged.len();
        let compatible = root.iter().filter(|above| !conflict(above, leaf));
        merged.extend(compatible.map(|above| combine(above, leaf)));
        // One condition outside of what the root lets through makes the whole rule void.
        if merged.len() == before {
            return None;
        }
    }
    Some(merged)
}

fn combine(root: &Alternative, leaf: &Alternative) -> Alternative {
    let (above, below) = (&root.conditions, &leaf.conditions);
    let name = match (&above.name, &below.name) {
        (Some(above), Some(below)) => Some(format!("{above}-{below}")),
        (above, below) => below.clone().or_else(|| above.clone()),
    };
    Alternative {
        conditions: RouteMatch {
            name,
            uri: below.uri.clone().or_else(|| above.uri.clone()),
            ignore_uri_case: below.ignore_uri_case,
            scheme: below.scheme.clone().or_else(|| above.scheme.clone()),
            method: below.method.clone().or_else(|| above.method.clone()),
            authority: below.authority.clone().or_else(|| above.authority.clone()),
            port: below.port.or(above.port),
            headers: join(&above.headers, &below.headers),
            without_headers: join(&above.without_headers, &below.without_headers),
            // A delegate is not bound to a gateway, so that Istio's webhook lets it ask for none.
            claims: above.claims.clone(),
            without_claims: above.without_claims.clone(),
            query_params: join(&above.query_params, &below.query_params),
        },
        callers: merge_callers(&root.callers, &leaf.callers),
    }
}

fn merge_callers(root: &Callers, leaf: &Callers) -> Callers {
    let labels = root.labels.iter().chain(&leaf.labels).map(|(key, value)| (key.clone(), value.clone()));
    Callers {
        gateways: if leaf.gateways.is_empty() { root.gateways.clone() } else { leaf.gateways.clone() },
        labels: labels.collect(),
        namespace: if leaf.namespace.is_empty() { root.namespace.clone() } else { leaf.namespace.clone() },
    }
}

/// What the root asks for, but where the delegate asks for the same by its own.
fn join<K: Clone + PartialEq>(root: &[(K, StringMatch)], leaf: &[(K, StringMatch)]) -> Vec<(K, StringMatch)> {
    let kept = root.iter().filter(|(key, _)| leaf.iter().all(|(own, _)| own != key));
    kept.chain(leaf).cloned().collect()
}

fn conflict(root: &Alternative, leaf: &Alternative) -> bool {
    conditions_conflict(&root.conditions, &leaf.conditions) || callers_conflict(&root.callers, &leaf.callers)
}

/// Whether the delegate is for callers that the root is not certain to be for. A namespace that the root asks for, the
/// delegate must ask for too.
fn callers_conflict(root: &Callers, leaf: &Callers) -> bool {
    let other_label = |(key, value): (&String, &String)| root.labels.get(key).is_some_and(|above| above != value);
    (!root.namespace.is_empty() && leaf.namespace != root.namespace)
        || leaf.labels.iter().any(other_label)
        || (!root.gateways.is_empty() && !leaf.gateways.is_subset(&root.gateways))
}

fn conditions_conflict(root: &RouteMatch, leaf: &RouteMatch) -> bool {
    let lines = [
        (&root.uri, &leaf.uri),
        (&root.scheme, &leaf.scheme),
        (&root.method, &leaf.method),
        (&root.authority, &leaf.authority),
    ];
    lines.iter().any(|(root, leaf)| disagree(root.as_ref(), leaf.as_ref()))
        || any_disagree(&root.headers, &leaf.headers)
        || any_disagree(&root.without_headers, &leaf.without_headers)
        || any_disagree(&root.query_params, &leaf.query_params)
        || root.ignore_uri_case != leaf.ignore_uri_case
        || root.port.zip(leaf.port).is_some_and(|(root, leaf)| root != leaf)
}

fn any_disagree<K: PartialEq>(root: &[(K, StringMatch)], leaf: &[(K, StringMatch)]) -> bool {
    leaf.iter().any(|(key, pattern)| {
        let above = root.iter().find(|(own, _)| own == key).map(|(_, above)| above);
        disagree(above, Some(pattern))
    })
}

/// Whether `leaf` is not certain to lie within `root`; expressions are never compared.
fn disagree(root: Option<&StringMatch>, leaf: Option<&StringMatch>) -> bool {
    match (root, leaf) {
        (None, _) | (_, None) => false,
        // An empty text counts as none, and lies within nothing.
        (Some(StringMatch::Exact(root)), Some(StringMatch::Exact(leaf))) => root.is_empty() || root != leaf,
        (Some(StringMatch::Prefix(root)), Some(StringMatch::Exact(leaf) | StringMatch::Prefix(leaf))) => {
            root.is_empty() || !leaf.starts_with(&**root)
        }
        _ => true,
    }
}
