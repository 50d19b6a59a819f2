//! `VirtualService.tls` and `VirtualService.tcp`: routes of connections rather than requests.

use super::judge::Judge;
use super::names::{automatic_sni, is_covered, is_ip, is_subnet, wildcard_domain};
use super::references::{destinations, gateways, labels, names_mesh};
use super::spot::Spot;

pub(super) fn judge(judge: &mut Judge<'_>, spec: &Spot<'_>) {
    for route in spec.at("tls").items() {
        let matches = route.at("match");
        if matches.items().next().is_none() {
            judge.miss(&matches, "A TLS route must have at least one match condition.", "Add one with `sniHosts`.");
        }
        for condition in matches.items() {
            sni_hosts(judge, spec, &condition.at("sniHosts"));
            self::condition(judge, &condition);
        }
        destinations_needed(judge, &route, "TLS");
    }
    for route in spec.at("tcp").items() {
        for condition in route.at("match").items() {
            self::condition(judge, &condition);
        }
        destinations_needed(judge, &route, "TCP");
    }
}

fn destinations_needed(judge: &mut Judge<'_>, route: &Spot<'_>, what: &str) {
    let list = route.at("route");
    if list.items().next().is_none() {
        judge.miss(&list, format!("The {what} route is missing: nothing is sent anywhere."), "Add a destination.");
    }
    destinations(judge, &list);
}

fn sni_hosts(judge: &mut Judge<'_>, spec: &Spot<'_>, hosts: &Spot<'_>) {
    if hosts.items().next().is_none() {
        judge.miss(hosts, "A TLS match must have at least one SNI host.", "Add one to `sniHosts`.");
    }
    for spot in hosts.items() {
        let text = spot.text();
        let automatic = automatic_sni(text).filter(|_| !names_mesh(spec));
        match automatic.unwrap_or_else(|| wildcard_domain(text)) {
            Ok(()) => {
                let all: Vec<&str> = spec.at("hosts").items().map(|host| host.text()).collect();
                if !all.iter().any(|host| is_covered(text, host)) {
                    let message = format!(
                        "The SNI host `{text}` is not a compatible subset of any of the virtual service hosts [{}].",
                        all.join(", ")
                    );
                    judge.reject(&spot, message, "Add it to `hosts`, or take it out.");
                }
            }
            Err(_) if is_ip(text) => {
                let message = format!("`{text}` is an IP address, which most clients do not send as SNI.");
                judge.warn(&spot, message, "Name the host.");
            }
            Err(reason) => {
                judge.reject(&spot, format!("`{text}` is no SNI host: {reason}."), "Write a domain name.");
            }
        }
    }
}

fn condition(judge: &mut Judge<'_>, condition: &Spot<'_>) {
    for subnet in condition.at("destinationSubnets").items().filter(|subnet| !is_subnet(subnet.text())) {
        let message = format!("`{}` is neither an IP address nor a CIDR block.", subnet.text());
        judge.reject(&subnet, message, "Write one, as `10.0.0.1` or `10.0.0.0/8`.");
    }
    let port = condition.at("port");
    if port.int() != 0 {
        judge.port(&port);
    }
    labels(judge, &condition.at("sourceLabels"));
    gateways(judge, &condition.at("gateways"));
}
