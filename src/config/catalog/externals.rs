//! Kubernetes services of type `ExternalName`, which Istio takes for aliases (`ENABLE_EXTERNAL_NAME_ALIAS`, its default).
//!
//! An alias is called by its own names and is the service of the host that it stands for, if a document declares that:
//! requests and destinations that name the one mean the other. It has no endpoints, no rules and no virtual host of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::{Catalog, Service, Target};
use crate::config::finding::{Remark, remark};
use crate::domain::Host;

/// Tells each service which aliases stand for it, through other aliases too.
pub(super) fn join(services: &mut BTreeMap<Host, Vec<Service>>) {
    let of = |service: &Service| Some((service.host.clone(), service.called.alias_of.clone()?));
    let stands_for: BTreeMap<Host, Host> = services.values().flatten().filter_map(of).collect();
    for alias in stands_for.keys() {
        let Some(meant) = meant(alias, &stands_for) else { continue };
        for service in services.get_mut(meant).into_iter().flatten() {
            service.called.aliases.push(alias.clone());
        }
    }
}

/// What an alias stands for in the end; nothing where aliases stand for each other.
fn meant<'a>(alias: &'a Host, stands_for: &'a BTreeMap<Host, Host>) -> Option<&'a Host> {
    let (mut host, mut seen) = (alias, BTreeSet::new());
    while let Some(next) = stands_for.get(host) {
        if !seen.insert(host) {
            return None;
        }
        host = next;
    }
    Some(host)
}

/// The port that a destination names of the service behind an alias: Istio asks the alias where none is written.
pub(super) fn port(alias: &Service, target: Target<'_>) -> Option<u16> {
    let only = if let [only] = alias.ports.as_slice() { Some(only.number) } else { None };
    target.port.or(only).or(target.sent_to)
}

/// What is wrong with a destination that names `alias`.
pub(super) fn missing(alias: &Service, external: &Host) -> Remark {
    remark(
        format!("`{}` stands for `{external}`, which is no service: its requests are refused.", alias.host),
        format!("Add a ServiceEntry for `{external}`."),
    )
}

impl Catalog {
    /// The service that an alias for `external` means to a destination; another alias is none.
    pub(super) fn concrete(&self, external: &Host, namespace: &str) -> Option<&Service> {
        self.seen(external, namespace).filter(|service| service.called.alias_of.is_none())
    }
}
