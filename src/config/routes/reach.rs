//! Rules and conditions that no request reaches, because earlier ones take every request of theirs.

use crate::config::finding::{Findings, INEFFECTIVE, UNREACHABLE, remark};
use crate::config::path::Path;
use crate::config::written::{HttpMatchRequest, HttpRoute, Sourced, StringMatch, VirtualService};

/// How many earlier conditions one condition is held against: more would cost their square.
const MAX_COMPARED: usize = 512;

/// Reports them for one document.
pub(super) fn report(source: &Sourced<VirtualService>, findings: &mut Findings) {
    let mut taken: Vec<(usize, &HttpMatchRequest)> = Vec::new();
    let mut everything: Option<usize> = None;
    for (at, rule) in source.spec.http.iter().enumerate() {
        let path = Path::spec().key("http").index(at);
        if let Some(earlier) = everything {
            unreachable(source, earlier, &path, findings);
            continue;
        }
        let covered = |request: &HttpMatchRequest| {
            taken.iter().take(MAX_COMPARED).find(|(_, earlier)| covers(earlier, request)).map(|(earlier, _)| *earlier)
        };
        let covered: Vec<Option<usize>> = rule.matches.iter().map(covered).collect();
        match covered.iter().flatten().max() {
            Some(earlier) if covered.iter().all(Option::is_some) => unreachable(source, *earlier, &path, findings),
            _ => ineffective(source, &covered, &path, findings),
        }
        if takes_everything(rule) {
            everything = Some(at);
        }
        taken.extend(rule.matches.iter().map(|request| (at, request)));
    }
}

fn unreachable(source: &Sourced<VirtualService>, earlier: usize, path: &Path, findings: &mut Findings) {
    let said = remark(
        format!("No request reaches this rule: http[{earlier}] takes every one that it matches."),
        "Move it up, or take it out.",
    );
    findings.warning(UNREACHABLE, source.document.place(path), said);
}

fn ineffective(source: &Sourced<VirtualService>, covered: &[Option<usize>], path: &Path, findings: &mut Findings) {
    for (at, earlier) in covered.iter().enumerate() {
        if let Some(earlier) = earlier {
            let said = remark(
                format!("This condition cannot take effect: http[{earlier}] takes every one that it matches."),
                "Move the rule up, or take the condition out.",
            );
            findings.warning(INEFFECTIVE, source.document.place(&path.key("match").index(at)), said);
        }
    }
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
    let HttpMatchRequest { scheme, method, authority, headers, without_headers, query_params, port, .. } = request;
    (scheme, method, authority, headers, without_headers, query_params, port)
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
