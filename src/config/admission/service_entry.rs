//! `ServiceEntry`: hosts, addresses, ports and resolution.

use std::collections::BTreeSet;

use super::destination_rule::selector;
use super::judge::Judge;
use super::names::{domain, is_label, is_subnet, wildcard_domain};
use super::protocol::Protocol;
use super::references::export_to;
use super::spot::Spot;
use super::workload::{self, Naming};

pub(super) fn judge(judge: &mut Judge<'_>, spec: &Spot<'_>) {
    let resolution = spec.at("resolution").text();
    let workloads = spec.at("workloadSelector");
    if workloads.is_set() {
        selector(judge, &workloads, &workloads.at("labels"));
        if spec.at("endpoints").is_set() {
            let message = "Only one of `workloadSelector` and `endpoints` is allowed.";
            judge.reject(&workloads, message, "Keep one of them.");
        }
        if matches!(resolution, "" | "NONE") {
            let message = "`workloadSelector` should not be set when the resolution is NONE.";
            judge.warn(&workloads, message, "Write `resolution: STATIC`.");
        }
    }
    limits(judge, spec);
    hosts(judge, &spec.at("hosts"));
    addresses(judge, spec, resolution);
    ports(judge, spec, resolution);
    endpoints(judge, spec, resolution);
    several_hosts(judge, spec, resolution);
    export_to(judge, &spec.at("exportTo"));
}

/// What the API server bounds.
fn limits(judge: &mut Judge<'_>, spec: &Spot<'_>) {
    for (field, most) in [("addresses", 256), ("endpoints", 4096), ("hosts", 256), ("ports", 256)] {
        judge.at_most(&spec.at(field), most);
    }
    for address in spec.at("addresses").items() {
        judge.no_longer(&address, 64);
    }
    for port in spec.at("ports").items() {
        judge.no_longer(&port.at("name"), 256);
        judge.no_longer(&port.at("protocol"), 256);
    }
    for endpoint in spec.at("endpoints").items() {
        workload::limits(judge, &endpoint);
    }
}

fn hosts(judge: &mut Judge<'_>, hosts: &Spot<'_>) {
    if hosts.items().next().is_none() {
        judge.miss(hosts, "A service entry must have at least one host.", "Add one.");
    }
    for spot in hosts.items() {
        let text = spot.text();
        if text == "*" {
            judge.reject(&spot, "The host `*` is invalid: a hostname cannot be the wildcard.", "Name the host.");
            continue;
        }
        if let Err(reason) = wildcard_domain(text) {
            judge.reject(&spot, format!("`{text}` is no host: {reason}."), "Write a domain name, or `*.` and one.");
        }
        if text.contains('*') && !text.starts_with("*.") {
            judge.warn(
                &spot,
                format!("The partial wildcard `{text}` is not allowed everywhere."),
                "Write `*.` and a domain.",
            );
        }
    }
}

fn addresses(judge: &mut Judge<'_>, spec: &Spot<'_>, resolution: &str) {
    let named = !matches!(resolution, "" | "NONE" | "STATIC");
    for spot in spec.at("addresses").items() {
        let text = spot.text();
        if !is_subnet(text) {
            let message = format!("`{text}` is neither a valid IP address nor a valid CIDR block.");
            judge.reject(&spot, message, "Write one, as `10.0.0.1` or `10.0.0.0/8`.");
        }
        if named && text.contains('/') {
            let message = "CIDR addresses are allowed only for the resolutions NONE and STATIC.";
            judge.reject(&spot, message, "Write an address, or another resolution.");
        }
    }
}

fn ports(judge: &mut Judge<'_>, spec: &Spot<'_>, resolution: &str) {
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    let addressed = spec.at("addresses").items().next().is_some();
    for port in spec.at("ports").items() {
        let (name, number, protocol) = (port.at("name"), port.at("number"), port.at("protocol"));
        if !names.insert(name.text()) {
            let message = format!("The port name `{}` is a duplicate: it is defined already.", name.text());
            judge.reject(&name, message, "Give each port its own.");
        }
        if !numbers.insert(number.int()) {
            let message = format!("The port number {} cannot be duplicated: it is defined already.", number.int());
            judge.reject(&number, message, "Give each port its own.");
        }
        if !is_label(name.text()) {
            let message = format!("The port name `{}` is invalid: it is to be one DNS label.", name.text());
            judge.miss(&name, message, "Write letters, digits and `-`.");
        }
        judge.port(&number);
        if port.at("targetPort").is_set() {
            judge.port(&port.at("targetPort"));
        }
        if !protocol.text().is_empty() && Protocol::parse(protocol.text()).is_none() {
            let message = format!("The protocol `{}` is unsupported.", protocol.text());
            judge.reject(&protocol, message, "Write HTTP, HTTP2, GRPC, HTTPS, TLS or TCP.");
        }
        // Elsewhere Istio allocates addresses itself.
        if !addressed && matches!(resolution, "" | "NONE") && matches!(protocol.text(), "" | "TCP") {
            let message = "Addresses are required for a port of TCP, or of no protocol, where none are allocated.";
            judge.warn(&port, message, "Add `addresses`, or a protocol.");
        }
    }
}

fn endpoints(judge: &mut Judge<'_>, spec: &Spot<'_>, resolution: &str) {
    let endpoints = spec.at("endpoints");
    let naming = match resolution {
        "" | "NONE" => {
            if endpoints.is_set() {
                let message = "No endpoints should be provided for the resolution NONE.";
                judge.miss(&endpoints, message, "Write `resolution: STATIC` or `DNS`, or take them out.");
            }
            return;
        }
        "STATIC" => Naming::Addresses,
        "DNS" | "DNS_ROUND_ROBIN" => Naming::Names,
        _ => return,
    };
    if resolution == "DNS_ROUND_ROBIN" && endpoints.items().nth(1).is_some() {
        let message = "There must be no more than one endpoint for the resolution DNS_ROUND_ROBIN.";
        judge.reject(&endpoints, message, "Keep one, or write `resolution: DNS`.");
    }
    if naming == Naming::Names && endpoints.items().next().is_none() {
        for host in spec.at("hosts").items().filter(|host| domain(host.text()).is_err()) {
            let message = format!("Hosts must be FQDN if no endpoints are provided for the resolution {resolution}.");
            judge.reject(&host, message, "Write a name without a wildcard, or add `endpoints`.");
        }
    }
    let ports: Vec<&str> = spec.at("ports").items().map(|port| port.at("name").text()).collect();
    for endpoint in endpoints.items() {
        workload::judge(judge, &endpoint, naming, &ports);
    }
    let tcp = |port: Spot<'_>| Protocol::parse(port.at("protocol").text()).is_some_and(Protocol::is_tcp);
    let several = spec.at("hosts").items().nth(1).is_some();
    if naming == Naming::Names
        && several
        && spec.at("addresses").items().next().is_some()
        && spec.at("ports").items().any(tcp)
    {
        let message = "A service can not have more than one host with an address and a port of TCP.";
        judge.warn(&spec.at("hosts"), message, "Write one ServiceEntry for each host.");
    }
}

/// Connections without HTTP or TLS do not say which host they are for.
fn several_hosts(judge: &mut Judge<'_>, spec: &Spot<'_>, resolution: &str) {
    if matches!(resolution, "" | "NONE") || spec.at("hosts").items().nth(1).is_none() {
        return;
    }
    let named = |protocol: Protocol| protocol.is_http() || protocol.is_tls();
    let nameless =
        spec.at("ports").items().find(|port| !Protocol::parse(port.at("protocol").text()).is_some_and(named));
    if let Some(port) = nameless {
        let message = "Multiple hosts are provided with a port that is neither HTTP nor TLS.";
        judge.reject(&port, message, "Write one ServiceEntry for each host.");
    }
}
