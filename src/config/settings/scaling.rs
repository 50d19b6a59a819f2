//! `Settings.scaling`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::duration;
use crate::config::checked::{Address, Autoscaling};
use crate::config::finding::{Findings, OWN_SCHEMA, remark};
use crate::config::path::Path;
use crate::config::written::{Settings, Sourced};
use crate::domain::Host;

/// Far more than an answer from memory takes, and less than an autoscaler would notice.
const PEER_TIMEOUT: Duration = Duration::from_millis(500);

/// What holds where nothing is written.
pub(super) fn none() -> Autoscaling {
    Autoscaling { external_scaler: None, peers: Vec::new(), peer_timeout: PEER_TIMEOUT }
}

/// What is written; a peer without a port has the admin API at `admin_port`, as this router has.
pub(super) fn check(source: &Sourced<Settings>, admin_port: u16, findings: &mut Findings) -> Autoscaling {
    let written = &source.spec.scaling;
    let path = Path::spec().key("scaling");
    let mut wrong = |path: &Path, message: String, cure: &str| {
        if source.intact {
            findings.error(OWN_SCHEMA, source.document.place(path), remark(message, cure));
        }
    };
    let external_scaler = written.external_scaler.as_deref().and_then(|text| {
        let address = text.parse::<SocketAddr>().ok();
        if address.is_none() {
            let cure = "Write an IP address and a port, as in `0.0.0.0:9090`.";
            wrong(&path.key("externalScaler"), format!("`{text}` is no address and port."), cure);
        }
        address
    });
    let mut peers = Vec::new();
    for (at, text) in written.peers.iter().enumerate() {
        if let Some(peer) = peer(text, admin_port) {
            peers.push(peer);
        } else {
            let cure = "Write the admin address of a router, or the name of a headless Service, as in \
                        `overspill-peers.inference.svc.cluster.local:15000`.";
            wrong(&path.key("peers").index(at), format!("`{text}` is no address or name of a peer."), cure);
        }
    }
    Autoscaling { external_scaler, peers, peer_timeout: duration(written.peer_timeout.as_deref(), PEER_TIMEOUT) }
}

fn peer(text: &str, admin_port: u16) -> Option<Address> {
    if let Ok(address) = text.parse() {
        return Some(Address::Socket(address));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Address::Socket(SocketAddr::new(address, admin_port)));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().ok().filter(|port| *port > 0)?),
        None => (text, admin_port),
    };
    Some(Address::Name(Host::parse(name).ok()?, port))
}
