//! `Settings.scaling`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::duration;
use crate::config::checked::{Address, Autoscaling, MetricsApi, TlsServer};
use crate::config::finding::{Findings, OWN_SCHEMA, remark};
use crate::config::path::Path;
use crate::config::problem::Place;
use crate::config::written::{self, Settings, Sourced};
use crate::domain::{Authorities, ClientCertificates, Host, HostPattern, KeyPair, ServerTls, TlsVersion};

/// Far more than an answer from memory takes, and less than an autoscaler would notice.
const PEER_TIMEOUT: Duration = Duration::from_millis(500);

/// What holds where nothing is written.
pub(super) fn none() -> Autoscaling {
    Autoscaling { external_scaler: None, metrics_api: None, peers: Vec::new(), peer_timeout: PEER_TIMEOUT }
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
    let mut address = |path: &Path, text: &str, cure: &str| {
        let address = text.parse::<SocketAddr>().ok();
        if address.is_none() {
            wrong(path, format!("`{text}` is no address and port."), cure);
        }
        address
    };
    let external_scaler = written.external_scaler.as_deref().and_then(|text| {
        address(&path.key("externalScaler"), text, "Write an IP address and a port, as in `0.0.0.0:9090`.")
    });
    let metrics_api = written.metrics_api.as_ref().and_then(|api| {
        let path = path.key("metricsApi");
        let cure = "Write an IP address and a port, as in `0.0.0.0:6443`.";
        let address = address(&path.key("address"), &api.address, cure)?;
        Some(metrics_api(api, address, source.document.place(&path)))
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
    let peer_timeout = duration(written.peer_timeout.as_deref(), PEER_TIMEOUT);
    Autoscaling { external_scaler, metrics_api, peers, peer_timeout }
}

/// The API of `written`, whose server stands at `place`.
fn metrics_api(written: &written::MetricsApi, address: SocketAddr, place: Place) -> MetricsApi {
    let key_pair = KeyPair::Files { certificate: (&written.certificate).into(), key: (&written.private_key).into() };
    let tls = ServerTls {
        key_pairs: vec![key_pair],
        clients: ClientCertificates::Judged(Authorities::Bundle((&written.client_ca).into())),
        revocations: None,
        subject_alt_names: Vec::new(),
        min_version: TlsVersion::V1_2,
        max_version: TlsVersion::V1_3,
        cipher_suites: Vec::new(),
    };
    MetricsApi {
        address,
        server: TlsServer { hosts: vec![HostPattern::Any], tls, place },
        allowed_names: written.allowed_names.iter().map(|name| name.as_str().into()).collect(),
    }
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
