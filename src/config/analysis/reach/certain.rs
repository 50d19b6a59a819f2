//! Rules and conditions that certainly get no request, of which Istio's analysis says nothing: an earlier rule takes all of
//! theirs.

use super::{MAX_COMPARED, Said};
use crate::config::finding::{Findings, NO_EFFECT, remark};
use crate::config::path::Path;
use crate::config::written::{HttpMatchRequest, HttpRoute, Sourced, StringMatch, VirtualService};

/// Reports those of which nothing has been `said`.
pub(super) fn report(source: &Sourced<VirtualService>, said: &Said, findings: &mut Findings) {
    let mut taken: Vec<(usize, &HttpMatchRequest)> = Vec::new();
    let mut everything: Option<usize> = None;
    for (at, rule) in source.spec.http.iter().enumerate() {
        let path = Path::spec().key("http").index(at);
        let covered = |request: &HttpMatchRequest| {
            taken.iter().take(MAX_COMPARED).find(|(_, earlier)| covers(earlier, request)).map(|(earlier, _)| *earlier)
        };
        let covered: Vec<Option<usize>> = rule.matches.iter().map(covered).collect();
        let all = covered.iter().flatten().max().filter(|_| covered.iter().all(Option::is_some));
        let is_news = |number: usize| !said.conditions.contains(&(at, number));
        match everything.or(all.copied()) {
            _ if said.rules.contains(&at) => {}
            Some(earlier) if (0..covered.len()).all(is_news) => no_request(source, "rule", earlier, &path, findings),
            _ => {
                let one = |(number, earlier): (usize, &Option<usize>)| earlier.map(|earlier| (number, earlier));
                for (number, earlier) in
                    covered.iter().enumerate().filter_map(one).filter(|(number, _)| is_news(*number))
                {
                    no_request(source, "condition", earlier, &path.key("match").index(number), findings);
                }
            }
        }
        if everything.is_none() && takes_everything(rule) {
            everything = Some(at);
        }
        taken.extend(rule.matches.iter().map(|request| (at, request)));
    }
}

fn no_request(source: &Sourced<VirtualService>, what: &str, earlier: usize, path: &Path, findings: &mut Findings) {
    let said = remark(
        format!("No request reaches this {what}: rule {earlier} takes every one that it matches."),
        "Move it up, or take it out.",
    );
    findings.warning(NO_EFFECT, source.document.place(path), said);
}

fn takes_everything(rule: &HttpRoute) -> bool {
    rule.matches.is_empty() || rule.matches.iter().any(|request| covers(request, &HttpMatchRequest::default()))
}

/// Whether every request that `later` lets through, `earlier` lets through as well; only what is certain counts.
fn covers(earlier: &HttpMatchRequest, later: &HttpMatchRequest) -> bool {
    let unconditional = HttpMatchRequest::default();
    (beside_uri(earlier) == beside_uri(&unconditional) || beside_uri(earlier) == beside_uri(later))
        && uri_covers(earlier, later)
}

/// Every condition but the path's.
fn beside_uri(request: &HttpMatchRequest) -> impl PartialEq + '_ {
    let HttpMatchRequest { scheme, method, authority, headers, without_headers, query_params, .. } = request;
    let HttpMatchRequest { port, gateways, source_labels, source_namespace, .. } = request;
    (
        (scheme, method, authority, headers, without_headers, query_params),
        (port, gateways, source_labels, source_namespace),
    )
}

fn uri_covers(earlier: &HttpMatchRequest, later: &HttpMatchRequest) -> bool {
    let plain = |uri: &StringMatch| uri.exact.clone().or_else(|| uri.prefix.clone());
    match (&earlier.uri, &later.uri) {
        (None, _) => true,
        // Every path begins with `/`, save that of `OPTIONS *`.
        (Some(StringMatch { prefix: Some(prefix), .. }), None) => prefix.is_empty() || prefix == "/",
        (Some(uri), None) => *uri == StringMatch::default(),
        (Some(first), Some(second)) if earlier.ignore_uri_case == later.ignore_uri_case => {
            first == second
                || first.prefix.as_ref().zip(plain(second)).is_some_and(|(prefix, second)| second.starts_with(prefix))
        }
        (Some(_), Some(_)) => false,
    }
}
