//! One certificate in several gateways of the same proxies (IST0138): a client that reuses a connection to another host of
//! the certificate gets 404.

use std::collections::BTreeMap;

use super::intact;
use crate::config::finding::{CERTIFICATE_TWICE, Findings, remark};
use crate::config::path::Path;
use crate::config::written::{Gateway, GatewayTls, Sourced};

/// The secret, or the files of certificate and key.
type Certificate<'a> = (&'a str, &'a str, &'a str);

/// Reports each server whose certificate another gateway of its proxies shows.
pub(super) fn report(gateways: &[Sourced<Gateway>], findings: &mut Findings) {
    let mut showing: BTreeMap<Certificate<'_>, Vec<&Sourced<Gateway>>> = BTreeMap::new();
    for gateway in intact(gateways) {
        for certificate in gateway.spec.servers.iter().filter_map(|server| certificate(server.tls.as_ref()?)) {
            showing.entry(certificate).or_default().push(gateway);
        }
    }
    for gateway in intact(gateways) {
        for (at, server) in gateway.spec.servers.iter().enumerate() {
            let shown = server.tls.as_ref().and_then(certificate).and_then(|certificate| showing.get(&certificate));
            let selector = &gateway.spec.selector;
            let other = shown.into_iter().flatten().find(|other| {
                !std::ptr::eq(**other, gateway)
                    && selector.iter().all(|(key, value)| other.spec.selector.get(key) == Some(value))
            });
            if let Some(other) = other {
                let said = remark(
                    format!("The Gateway `{}` shows the same certificate.", other.document.full_name()),
                    "Serve the certificate's hosts by one Gateway: clients that reuse a connection may get 404.",
                );
                let place = gateway.document.place(&Path::spec().key("servers").index(at).key("tls"));
                findings.warning(CERTIFICATE_TWICE, place, said);
            }
        }
    }
}

fn certificate(tls: &GatewayTls) -> Option<Certificate<'_>> {
    let GatewayTls { credential_name, server_certificate, private_key, .. } = tls;
    let is_named = !credential_name.is_empty() || !server_certificate.is_empty();
    is_named.then_some((credential_name, server_certificate, private_key))
}
