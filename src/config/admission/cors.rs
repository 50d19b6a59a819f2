//! `CorsPolicy`.

use super::header::is_header;
use super::judge::Judge;
use super::spot::Spot;
use super::string_match::{self, EmptyPrefix};

const METHODS: [&str; 10] = ["*", "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

pub(super) fn judge(judge: &mut Judge<'_>, policy: &Spot<'_>) {
    for origin in policy.at("allowOrigins").items() {
        if ["exact", "prefix", "regex"].iter().all(|kind| origin.at(kind).text().is_empty()) {
            let message = "An empty match is not a valid match type for CORS allow origins.";
            judge.miss(&origin, message, "Write `exact`, `prefix` or `regex`.");
        } else {
            string_match::judge(judge, &origin, EmptyPrefix::Taken);
        }
    }
    for method in policy.at("allowMethods").items().filter(|method| !METHODS.contains(&method.text())) {
        let message = format!("`{}` is not a supported HTTP method.", method.text());
        judge.reject(&method, message, format!("Write one of {}.", METHODS.join(", ")));
    }
    for name in policy.at("allowHeaders").items().chain(policy.at("exposeHeaders").items()) {
        if name.text().is_empty() {
            judge.reject(&name, "A header name cannot be empty.", "Take it out.");
        } else if name.text() != "*" && !is_header(name.text()) {
            let message = format!("`{}` is not a valid header name.", name.text());
            judge.reject(&name, message, "Write letters, digits and `-`, or `*` for all.");
        }
    }
    let max_age = policy.at("maxAge");
    if judge.duration(&max_age).is_some_and(|nanos| nanos % 1_000_000_000 != 0) {
        let message = "`maxAge` is accurate only to whole seconds.";
        judge.reject(&max_age, message, "Write it without a fraction of a second.");
    }
}
