//! `metadata`: what Kubernetes asks of names, labels and annotations, and Istio of the latter.
//!
//! A namespace is not judged: it is one that exists, or nothing can be applied to it.

use super::judge::Judge;
use super::references::{is_label_key, is_label_value};
use super::spot::Spot;

/// What Kubernetes takes of all annotations of an object together, in bytes.
const MAX_ANNOTATIONS: usize = 256 << 10;
/// Annotations that are not for users of these kinds: `AuthorizationPolicy`'s, and Istio's own.
const RESERVED: [&str; 4] = [
    "istio.io/dry-run",
    "internal.istio.io/webhook-always-reject",
    "internal.istio.io/parent-namespace",
    "internal.istio.io/parents",
];

pub(super) fn judge(judge: &mut Judge<'_>, metadata: &Spot<'_>) {
    let name = metadata.at("name");
    let lower = |text: &str| !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let parts = |text: &str| text.split('.').all(|part| !part.is_empty() && is_name_part(part));
    if !lower(name.text()) || name.text().len() > 253 || !parts(name.text()) {
        let message = format!("`{}` is no name of an object: it is to be a lowercase RFC 1123 subdomain.", name.text());
        judge.reject(&name, message, "Write at most 253 lowercase letters, digits, `-` and `.`.");
    }
    for (key, value) in metadata.at("labels").entries() {
        key_is_qualified(judge, key, &value);
        if !is_label_value(value.text()) || value.text().len() > 63 {
            let message = format!("`{}` is no value of a label.", value.text());
            judge.reject(&value, message, "Write at most 63 letters, digits, `-`, `_` and `.`.");
        }
    }
    annotations(judge, &metadata.at("annotations"));
}

fn annotations(judge: &mut Judge<'_>, annotations: &Spot<'_>) {
    let mut size = 0;
    for (key, value) in annotations.entries() {
        size += key.len() + value.text().len();
        key_is_qualified(judge, &key.to_ascii_lowercase(), &value);
        if RESERVED.contains(&key) {
            let message = format!("The annotation `{key}` is not supported here.");
            judge.reject(&value, message, "Take it out.");
        }
    }
    if size > MAX_ANNOTATIONS {
        let message = format!("The annotations have {size} bytes, of at most {MAX_ANNOTATIONS}.");
        judge.reject(annotations, message, "Shorten them.");
    }
}

fn key_is_qualified(judge: &mut Judge<'_>, key: &str, value: &Spot<'_>) {
    let prefix = key.rsplit_once('/').map_or("", |(prefix, _)| prefix);
    if !is_label_key(key) || prefix.bytes().any(|byte| byte.is_ascii_uppercase()) {
        judge.reject(
            value,
            format!("`{key}` is no key here."),
            "Write PREFIX/NAME, or a name of at most 63 characters.",
        );
    }
}

/// A part of a name between dots, of whatever length.
fn is_name_part(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}
