//! Gateways of the same proxies that serve one host on one port (IST0145): which of them does is chance.

use std::collections::{BTreeMap, BTreeSet};

use super::intact;
use crate::config::finding::{Findings, GATEWAYS_CONFLICT, remark};
use crate::config::path::Path;
use crate::config::written::{Gateway, GatewayServer, Sourced, Written};

/// What makes two servers one: port, address and host, each as written.
type Served<'a> = (u32, &'a str, &'a str);

/// Reports each server whose host another gateway of the same proxies serves as well.
pub(super) fn report(written: &Written, findings: &mut Findings) {
    let mut serving: BTreeMap<Served<'_>, Vec<&Sourced<Gateway>>> = BTreeMap::new();
    for gateway in intact(&written.gateways) {
        let served: BTreeSet<Served<'_>> = gateway.spec.servers.iter().flat_map(served).collect();
        for one in served {
            serving.entry(one).or_default().push(gateway);
        }
    }
    for gateway in intact(&written.gateways) {
        for (at, server) in gateway.spec.servers.iter().enumerate() {
            let others = served(server).flat_map(|one| serving.get(&one).into_iter().flatten());
            let others = others.filter(|other| !std::ptr::eq(**other, gateway));
            let others = others.filter(|other| same_proxies(gateway, other, written));
            let others: BTreeSet<String> = others.map(|other| format!("`{}`", other.document.full_name())).collect();
            if others.is_empty() {
                continue;
            }
            let said = remark(
                format!(
                    "The same proxies serve a host of these on port {} for the Gateway {} as well.",
                    server.port.number,
                    others.into_iter().collect::<Vec<_>>().join(", ")
                ),
                "Keep the host in one of them.",
            );
            let place = gateway.document.place(&Path::spec().key("servers").index(at).key("hosts"));
            findings.tolerated(GATEWAYS_CONFLICT, place, said);
        }
    }
}

fn served(server: &GatewayServer) -> impl Iterator<Item = Served<'_>> {
    server.hosts.iter().map(|host| (server.port.number, server.bind.as_str(), host.as_str()))
}

/// Whether the selectors of both are one, or one of them is part of the other and a pod meets both.
fn same_proxies(one: &Sourced<Gateway>, other: &Sourced<Gateway>, written: &Written) -> bool {
    let (one, other) = (&one.spec.selector, &other.spec.selector);
    let part = |less: &BTreeMap<String, String>, more: &BTreeMap<String, String>| {
        less.iter().all(|(key, value)| more.get(key) == Some(value))
    };
    let wider = if part(one, other) {
        other
    } else if part(other, one) {
        one
    } else {
        return false;
    };
    one == other || written.pods.iter().any(|pod| part(wider, &pod.spec.metadata.labels))
}
