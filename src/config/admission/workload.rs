//! `WorkloadEntry`, as an endpoint of a `ServiceEntry`.

use super::judge::Judge;
use super::names::{domain, is_ip, is_label};
use super::references::labels;
use super::spot::Spot;

const UNIX: &str = "unix://";
/// What the API server takes of the name of an endpoint's port, in characters.
const MAX_PORT_NAME: usize = 62;

/// Whether an endpoint may be named, or needs an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    Addresses,
    Names,
}

/// One endpoint of a service with `ports` of these names.
pub(super) fn judge(judge: &mut Judge<'_>, endpoint: &Spot<'_>, naming: Naming, ports: &[&str]) {
    let (address, own_ports) = (endpoint.at("address"), endpoint.at("ports"));
    let text = address.text();
    let socket = text.strip_prefix(UNIX);
    // Where neither is there, that has been said.
    let said = !address.is_set() && !endpoint.at("network").is_set();
    match (naming, socket) {
        _ if text.is_empty() && naming == Naming::Addresses => {
            if endpoint.at("network").text().is_empty() {
                if !said {
                    judge.reject(&address, "An address is required.", "Write it.");
                }
                return;
            }
            let message = "The address is unset, so that the endpoint is its network's gateway.";
            judge.warn(endpoint, message, "Add `address` if it is not meant so.");
        }
        (Naming::Addresses, Some(path)) => self::socket(judge, endpoint, path, ports),
        (Naming::Addresses, None) if !is_ip(text) => {
            let message = format!("The endpoint address `{text}` is not a valid IP address.");
            judge.reject(&address, message, "Write its address, or `resolution: DNS`.");
        }
        (Naming::Names, _) if !said && !is_ip(text) && domain(text).is_err() => {
            let message = format!("The endpoint address `{text}` is not a valid FQDN or an IP address.");
            judge.miss(&address, message, "Write a domain name or an address.");
        }
        _ => {}
    }
    for (name, port) in own_ports.entries() {
        // A port whose name is wrong may be the one that is meant.
        if !ports.contains(&name) && !ports.contains(&"") {
            let message = format!("The endpoint port `{name}` is not defined by the service entry.");
            judge.miss(&port, message, "Use the name of one of its `ports`.");
        }
        if !is_label(name) || name.len() > MAX_PORT_NAME {
            let message = format!("The port name `{name}` is invalid: it is to be one DNS label.");
            judge.reject(&port, message, "Write letters, digits and `-`.");
        }
        judge.port(&port);
    }
    labels(judge, &endpoint.at("labels"));
}

/// What the API server asks of an endpoint, whatever the resolution.
pub(super) fn limits(judge: &mut Judge<'_>, endpoint: &Spot<'_>) {
    for (field, most) in [("address", 256), ("locality", 2048), ("network", 2048), ("serviceAccount", 253)] {
        judge.no_longer(&endpoint.at(field), most);
    }
    judge.at_most(&endpoint.at("labels"), 256);
    judge.at_most(&endpoint.at("ports"), 128);
    if !endpoint.at("address").is_set() && !endpoint.at("network").is_set() {
        judge.miss(&endpoint.at("address"), "An address is required.", "Add `address`.");
    }
}

fn socket(judge: &mut Judge<'_>, endpoint: &Spot<'_>, path: &str, ports: &[&str]) {
    let address = endpoint.at("address");
    if !path.starts_with(['/', '@']) || path.ends_with('/') {
        let message = format!("`{path}` is not an absolute path to a socket.");
        judge.reject(&address, message, "Write `unix:///PATH`, or `unix://@NAME` for an abstract socket.");
    }
    if endpoint.at("ports").is_set() {
        judge.reject(&endpoint.at("ports"), "A Unix endpoint must not include ports.", "Take them out.");
    }
    if ports.len() != 1 {
        let message = "Exactly one service port is required for Unix endpoints.";
        judge.reject(&address, message, "Write a ServiceEntry for each port.");
    }
}
