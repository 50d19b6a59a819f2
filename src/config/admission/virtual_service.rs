//! `VirtualService`: hosts, gateways, and which rules there must be.

use super::header::is_claim;
use super::http_route::{self, Standing};
use super::judge::Judge;
use super::names::{automatic_sni, is_ip, overlap, wildcard_domain};
use super::references::{export_to, gateways, is_of_gateways};
use super::spot::Spot;
use super::streams;

pub(super) fn judge(judge: &mut Judge<'_>, spec: &Spot<'_>) {
    let standing = if spec.at("hosts").items().next().is_some() { Standing::Root } else { Standing::Delegate };
    if standing == Standing::Delegate {
        delegate(judge, spec);
    }
    gateways(judge, &spec.at("gateways"));
    if !is_of_gateways(spec) {
        no_claims(judge, spec);
    }
    hosts(judge, spec);
    if ["http", "tcp", "tls"].iter().all(|field| spec.at(field).items().next().is_none()) {
        let message = "One of `http`, `tcp` and `tls` must be provided in a virtual service.";
        judge.miss(spec, message, "Add `http` with one rule at least.");
    }
    for route in spec.at("http").items() {
        http_route::judge(judge, &route, standing);
    }
    streams::judge(judge, spec);
    export_to(judge, &spec.at("exportTo"));
}

/// What has no hosts takes part by delegation alone.
fn delegate(judge: &mut Judge<'_>, spec: &Spot<'_>) {
    for (field, what) in [("gateways", "gateways"), ("tls", "TLS route"), ("tcp", "TCP route")] {
        let spot = spec.at(field);
        if spot.items().next().is_some() {
            let message = format!("A virtual service without hosts is a delegate, and must have no {what} specified.");
            judge.miss(&spot, message, "Add `hosts`, or take it out.");
        }
    }
}

/// Routing by the claims of a token is for gateways.
fn no_claims(judge: &mut Judge<'_>, spec: &Spot<'_>) {
    for request in spec.at("http").items().flat_map(|route| route.at("match").items().collect::<Vec<_>>()) {
        for field in ["headers", "withoutHeaders"] {
            for (name, value) in request.at(field).entries().filter(|(name, _)| is_claim(name)) {
                let message = format!("JWT claim based routing (`{name}`) is only supported for gateways.");
                judge.reject(&value, message, "Name the gateways that it is for, without `mesh`.");
            }
        }
    }
}

fn hosts(judge: &mut Judge<'_>, spec: &Spot<'_>) {
    let (of_gateways, hosts) = (is_of_gateways(spec), spec.at("hosts"));
    let has_sni = spec
        .at("tls")
        .items()
        .any(|route| route.at("match").items().any(|condition| condition.at("sniHosts").items().next().is_some()));
    let mut valid = true;
    for spot in hosts.items() {
        let text = spot.text();
        let automatic = automatic_sni(text).filter(|_| of_gateways && has_sni);
        match automatic.unwrap_or_else(|| wildcard_domain(text)) {
            Err(reason) if !is_ip(text) => {
                valid = false;
                judge.reject(&spot, format!("`{text}` is no host: {reason}."), "Write a domain name, or `*.` and one.");
            }
            Ok(()) if text == "*" && !of_gateways => {
                valid = false;
                let message = "The wildcard host `*` is not allowed for virtual services bound to the mesh gateway.";
                judge.reject(&spot, message, "Name the hosts meant, or the gateways that it is for.");
            }
            _ => {}
        }
    }
    let all: Vec<Spot<'_>> = hosts.items().collect();
    for (at, later) in all.iter().enumerate().filter(|_| valid) {
        if let Some(earlier) = all[..at].iter().find(|earlier| overlap(earlier.text(), later.text())) {
            let message = format!(
                "There are duplicate hosts in the virtual service: `{}` and `{}`.",
                earlier.text(),
                later.text()
            );
            judge.reject(later, message, "Keep the wider one, or name hosts that do not overlap.");
        }
    }
}
