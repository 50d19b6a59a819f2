//! `HTTPRedirect` and `HTTPDirectResponse`.

use super::judge::Judge;
use super::spot::Spot;

/// Istio's limits on the body of a direct response, in bytes: the most, and where it begins to warn.
const MAX_BODY: usize = 1 << 20;
const LARGE_BODY: usize = 100 << 10;

/// The redirect of a rule.
pub(super) fn redirect(judge: &mut Judge<'_>, route: &Spot<'_>) {
    let redirect = route.at("redirect");
    if !redirect.is_set() {
        return;
    }
    let given =
        ["uri", "prefixRewrite", "authority", "scheme"].iter().any(|field| !redirect.at(field).text().is_empty());
    if !given && !redirect.at("port").is_set() && !redirect.at("derivePort").is_set() {
        let message = "A redirect must specify `uri`, `prefixRewrite`, `authority`, `scheme` or `port`.";
        judge.miss(&redirect, message, "Set one of them.");
        return;
    }
    prefix_rewrite(judge, route, &redirect);
    let (code, scheme, port) = (redirect.at("redirectCode"), redirect.at("scheme"), redirect.at("port"));
    if code.int() != 0 && !(300..=399).contains(&code.int()) {
        let message = format!("{} is not a valid redirect code: it must be 3xx.", code.int());
        judge.reject(&code, message, "Write 301, 302, 303, 307 or 308.");
    }
    if !matches!(scheme.text(), "" | "http" | "https") {
        let message = format!("The redirect scheme `{}` is invalid.", scheme.text());
        judge.reject(&scheme, message, "Write `http` or `https`.");
    }
    if port.int() > 0 {
        judge.port(&port);
    }
}

/// A prefix is rewritten only where one is matched.
fn prefix_rewrite(judge: &mut Judge<'_>, route: &Spot<'_>, redirect: &Spot<'_>) {
    let prefix = redirect.at("prefixRewrite");
    if prefix.text().is_empty() {
        return;
    }
    if !redirect.at("uri").text().is_empty() {
        let message = "A redirect may only contain one of `uri` and `prefixRewrite`.";
        judge.reject(&prefix, message, "Keep one of them.");
        return;
    }
    let matches = route.at("match");
    let other = matches.items().map(|one| one.at("uri")).find(|uri| uri.is_set() && !uri.at("prefix").is_set());
    if let Some(uri) = other {
        let message = "A redirect with `prefixRewrite` needs its `match` to be by `prefix` wherever it names a `uri`.";
        judge.reject(&uri, message, "Match a `prefix`, or redirect with `uri`.");
    }
}

pub(super) fn direct_response(judge: &mut Judge<'_>, direct: &Spot<'_>) {
    if !direct.is_set() {
        return;
    }
    let body = direct.at("body");
    let encoded = body.at("bytes");
    let size = if encoded.is_set() { decoded(judge, &encoded) } else { body.at("string").text().len() };
    if size > MAX_BODY {
        let message = format!("The body of a direct response must be less than 1 MB; it has {size} bytes.");
        judge.reject(&body, message, "Serve it from a service.");
    } else if size > LARGE_BODY {
        let message = format!("The body has {size} bytes; every copy of the configuration holds it.");
        judge.warn(&body, message, "Serve it from a service.");
    }
    let status = direct.at("status");
    if !(200..=600).contains(&status.int()) {
        let message = format!("The HTTP status {} is not in the range 200 to 599.", status.int());
        judge.miss(&status, message, "Write such a status.");
    }
}

/// The number of bytes that a text in base64 (RFC 4648, section 4) stands for; the API server takes no empty one.
fn decoded(judge: &mut Judge<'_>, spot: &Spot<'_>) -> usize {
    let text = spot.text();
    let bare = text.trim_end_matches('=');
    let padding = text.len() - bare.len();
    let plain = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    if text.is_empty() || !plain || padding > 2 || !text.len().is_multiple_of(4) {
        judge.reject(spot, "This is not base64.", "Encode it, or write it as `string`.");
    }
    bare.len() * 3 / 4
}
