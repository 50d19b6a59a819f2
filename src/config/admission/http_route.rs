//! `HTTPRoute`: what a rule may do, and what it may not do at the same time.

use super::header::{self, is_authority};
use super::judge::Judge;
use super::references::{destination, destinations};
use super::spot::Spot;
use super::{cors, fault, http_answer, http_match, retries, string_match};

/// Whether a virtual service has hosts of its own, or is another's delegate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Root,
    Delegate,
}

/// One rule.
pub(super) fn judge(judge: &mut Judge<'_>, route: &Spot<'_>, standing: Standing) {
    conflicts(judge, route, standing);
    for request in route.at("match").items() {
        http_match::judge(judge, &request);
    }
    header::operations(judge, &route.at("headers"));
    cors::judge(judge, &route.at("corsPolicy"));
    fault::judge(judge, &route.at("fault"));
    mirrors(judge, route);
    http_answer::redirect(judge, route);
    http_answer::direct_response(judge, &route.at("directResponse"));
    retries::judge(judge, &route.at("retries"));
    rewrite(judge, &route.at("rewrite"));
    authority(judge, route);
    for destination in route.at("route").items() {
        header::operations(judge, &destination.at("headers"));
    }
    destinations(judge, &route.at("route"));
    judge.duration(&route.at("timeout"));
}

fn conflicts(judge: &mut Judge<'_>, route: &Spot<'_>, standing: Standing) {
    let has_route = route.at("route").items().next().is_some();
    let (delegate, redirect, direct) = (route.at("delegate"), route.at("redirect"), route.at("directResponse"));
    if delegate.is_set() && standing == Standing::Root {
        let others = [("redirect", redirect.is_set()), ("route", has_route)];
        for (field, _) in others.into_iter().filter(|(_, set)| *set) {
            let message = format!("A rule that delegates must not specify `{field}`.");
            judge.reject(&route.at(field), message, "Take one of the two out.");
        }
        return;
    }
    if delegate.is_set() {
        let message = "A virtual service without hosts is a delegate, and a delegate's rule cannot contain `delegate`.";
        judge.reject(&delegate, message, "Delegation is one level deep: write the rule out.");
    }
    let answer = [("redirect", &redirect), ("directResponse", &direct)].into_iter().find(|(_, spot)| spot.is_set());
    if let Some((name, _)) = answer {
        let others = [
            ("route", has_route),
            ("fault", route.at("fault").is_set()),
            ("rewrite", route.at("rewrite").is_set()),
            ("directResponse", name == "redirect" && direct.is_set()),
        ];
        for (field, _) in others.into_iter().filter(|(_, set)| *set) {
            let message = format!("An HTTP route cannot contain both `{field}` and `{name}`.");
            judge.reject(&route.at(field), message, "Take one of the two out.");
        }
    } else if !has_route {
        let message = "An HTTP route needs `route`, `redirect` or `directResponse`.";
        judge.miss(route, message, "Add `route` with a destination.");
    }
    let mirrors = route.at("mirrors");
    if route.at("mirror").is_set() && mirrors.items().next().is_some() {
        judge.reject(&mirrors, "An HTTP route cannot contain both `mirror` and `mirrors`.", "Move all into `mirrors`.");
    }
}

fn mirrors(judge: &mut Judge<'_>, route: &Spot<'_>) {
    destination(judge, &route.at("mirror"));
    for field in ["mirrorPercent", "mirror_percent"] {
        let percent = route.at(field);
        if !percent.is_set() {
            continue;
        }
        if percent.int() > 100 {
            let message = format!("`{field}` has a maximum value of 100; it is {}.", percent.int());
            judge.reject(&percent, message, "Write 0 to 100.");
        }
        judge.warn(&percent, format!("`{field}` is deprecated."), "Write `mirrorPercentage: {value: ...}`.");
    }
    judge.percentage(&route.at("mirrorPercentage"), 0.0);
    for mirror in route.at("mirrors").items() {
        destination(judge, &mirror.at("destination"));
        judge.percentage(&mirror.at("percentage"), 0.0);
    }
}

fn rewrite(judge: &mut Judge<'_>, rewrite: &Spot<'_>) {
    let (uri, regex) = (rewrite.at("uri"), rewrite.at("uriRegexRewrite"));
    if !rewrite.is_set() {
        return;
    }
    if !uri.text().is_empty() && regex.is_set() {
        judge.reject(rewrite, "A rewrite may only contain one of `uri` and `uriRegexRewrite`.", "Keep one of them.");
        return;
    }
    if uri.text().is_empty() && !regex.is_set() && rewrite.at("authority").text().is_empty() {
        let message = "A rewrite must specify at least one of `uri`, `uriRegexRewrite` and `authority`.";
        judge.miss(rewrite, message, "Set one of them, or take it out.");
    }
    if !regex.is_set() {
        return;
    }
    let pattern = regex.at("match");
    if pattern.text().is_empty() || regex.at("rewrite").text().is_empty() {
        judge.miss(&regex, "`uriRegexRewrite` requires both `match` and `rewrite`.", "Write the one that is missing.");
    } else {
        string_match::regex(judge, &pattern);
    }
}

/// The authority can be set in one place of a rule.
fn authority(judge: &mut Judge<'_>, route: &Spot<'_>) {
    let request = route.at("headers").at("request");
    let mut current = route.at("rewrite").at("authority").text();
    for field in ["set", "add"] {
        for (_, value) in request.at(field).entries().filter(|(name, _)| is_authority(name)) {
            if !current.is_empty() {
                let message = format!(
                    "The authority header cannot be set multiple times: it is `{current}` and `{}`.",
                    value.text()
                );
                judge.reject(&value, message, "Set it in one place.");
                return;
            }
            current = value.text();
        }
    }
}
