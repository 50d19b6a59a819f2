//! What rules refer to: gateways, workloads by their labels, destinations.

use super::judge::Judge;
use super::names::{domain, is_label, wildcard_domain};
use super::spot::Spot;
use crate::config::document::Kind;

/// Whether a virtual service names the mesh among its gateways.
pub(super) fn names_mesh(spec: &Spot<'_>) -> bool {
    spec.at("gateways").items().any(|gateway| gateway.text() == "mesh")
}

/// Whether a virtual service is for gateways alone: it names some, and not the mesh.
pub(super) fn is_of_gateways(spec: &Spot<'_>) -> bool {
    spec.at("gateways").items().next().is_some() && !names_mesh(spec)
}

/// Names of gateways: `NAMESPACE/NAME`, or a name alone.
pub(super) fn gateways(judge: &mut Judge<'_>, gateways: &Spot<'_>) {
    for spot in gateways.items() {
        let text = spot.text();
        let Some((namespace, name)) = text.split_once('/') else {
            if let Err(reason) = domain(text) {
                let message = format!("`{text}` is no name of a gateway: {reason}.");
                judge.reject(&spot, message, "Write NAMESPACE/NAME, a name, or `mesh`.");
            } else if let Some((name, rest)) = text.split_once('.') {
                let namespace = rest.split('.').next().unwrap_or(rest);
                let message = format!("`{text}` names a gateway in the older way.");
                judge.warn(&spot, message, format!("Write `{namespace}/{name}`."));
            }
            // Istio looks at no name behind one that has no namespace.
            return;
        };
        for (part, what) in [(namespace, "namespace"), (name, "gateway name")] {
            if !is_label(part) {
                let message = format!("`{part}` is no {what} in `{text}`.");
                judge.reject(&spot, message, "Write NAMESPACE/NAME.");
            }
        }
    }
}

/// `exportTo`: namespaces, `.` for the document's own, `*` for all; and `~` for none, for services alone.
pub(super) fn export_to(judge: &mut Judge<'_>, list: &Spot<'_>) {
    let own = judge.document.namespace.clone();
    let of_service = judge.document.kind == Kind::ServiceEntry;
    let mut seen: Vec<&str> = Vec::new();
    for spot in list.items() {
        let text = spot.text();
        let meant = if text == "." { own.as_str() } else { text };
        if seen.contains(&meant) {
            judge.reject(&spot, format!("`{text}` is a duplicate entry in exportTo."), "Take one of the two out.");
        } else if text == "~" && !of_service {
            let message = "`~` (none) is not allowed in exportTo of Istio's configuration.";
            judge.reject(&spot, message, "Write `.` for this namespace alone.");
        } else if meant != "*" && meant != "~" && !is_label(meant) {
            let message = format!("`{text}` is no entry of exportTo: it is to be `.`, `*` or a DNS label.");
            judge.reject(&spot, message, "Write the name of a namespace.");
        } else {
            seen.push(meant);
        }
    }
    if list.items().nth(1).is_some() {
        for (sign, message) in [
            ("*", "There cannot be both public (`*`) and other values in exportTo."),
            ("~", "A service cannot be exported to no one (`~`) and to someone."),
        ] {
            if seen.contains(&sign) {
                judge.reject(list, message, "Keep one of them.");
            }
        }
    }
    if judge.document.kind == Kind::DestinationRule
        && Spot::root(judge.document).at("spec").at("workloadSelector").is_set()
    {
        for_own_workloads(judge, list, &seen);
    }
}

/// A rule for some workloads holds in its own namespace.
fn for_own_workloads(judge: &mut Judge<'_>, list: &Spot<'_>, seen: &[&str]) {
    let own = judge.document.namespace.as_str();
    let message = match seen {
        [] => return,
        seen if !seen.contains(&own) => {
            "A destination rule with a workload selector cannot have exportTo beyond its own namespace."
        }
        [_] => return,
        _ => "A destination rule with a workload selector cannot have multiple entries in exportTo.",
    };
    judge.reject(list, message, "Write `.`, or take it out.");
}

/// Labels as Kubernetes takes them.
pub(super) fn labels(judge: &mut Judge<'_>, labels: &Spot<'_>) {
    for (key, value) in labels.entries() {
        if !is_label_key(key) {
            judge.reject(&value, format!("`{key}` is no key of a label."), "Write PREFIX/NAME, or a name.");
        }
        if !is_label_value(value.text()) {
            let message = format!("`{}` is no value of a label.", value.text());
            judge.reject(&value, message, "Write letters, digits, `-`, `_` and `.` between two of the former.");
        }
    }
}

/// A value of a label, which may be empty; Kubernetes bounds its length as well.
pub(super) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_qualified(text)
}

/// A key of a label.
pub(super) fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let prefixed = prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(is_long_label));
    prefixed && name.len() <= 63 && is_qualified(name)
}

/// Istio bounds the whole prefix of a label's key, and none of its parts.
fn is_long_label(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

fn is_qualified(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Weighted destinations.
pub(super) fn destinations(judge: &mut Judge<'_>, list: &Spot<'_>) {
    let (mut sum, mut count) = (0_i64, 0);
    for item in list.items() {
        destination(judge, &item.at("destination"));
        let weight = item.at("weight");
        if weight.int() < 0 {
            judge.reject(&weight, format!("The weight {} is below 0.", weight.int()), "Write 0 or more.");
        }
        sum += weight.int();
        count += 1;
    }
    // Istio adds the weights up in 32 bits.
    if count > 1 && sum & i64::from(u32::MAX) == 0 {
        judge.miss(list, "The total destination weight is 0.", "Give one destination a weight at least.");
    }
}

/// One destination.
pub(super) fn destination(judge: &mut Judge<'_>, destination: &Spot<'_>) {
    if !destination.is_set() {
        return;
    }
    let (host, subset, port) = (destination.at("host"), destination.at("subset"), destination.at("port"));
    let text = host.text();
    let reason =
        if text == "*" { Some("a destination is not every host".to_owned()) } else { wildcard_domain(text).err() };
    if let Some(reason) = reason {
        judge.miss(&host, format!("`{text}` is no destination host: {reason}."), "Name a service.");
    }
    if !subset.text().is_empty() {
        subset_name(judge, &subset);
    }
    if port.is_set() {
        judge.port(&port.at("number"));
    }
}

/// The name of a subset: a DNS label.
pub(super) fn subset_name(judge: &mut Judge<'_>, spot: &Spot<'_>) {
    if !is_label(spot.text()) {
        let message = format!("The subset name `{}` is invalid: it is to be one DNS label.", spot.text());
        judge.reject(spot, message, "Write letters, digits and `-`.");
    }
}
