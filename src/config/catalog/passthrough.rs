//! Istio's `outboundTrafficPolicy`: what becomes of requests to hosts that nothing declares.

use super::{Called, Content, Port, Service};
use crate::config::checked::Protocol;
use crate::config::path::Path;
use crate::config::viewpoint::Viewpoint;
use crate::config::written::Written;
use crate::domain::{Host, HostPattern, OriginalBy};

const HTTP: u16 = 80;

/// With `ALLOW_ANY`, the service of every host that is no other's, whose requests go where they say. Without it there is
/// none, so that a router is no open proxy.
pub(super) fn build(written: &Written, viewpoint: &Viewpoint) -> Option<Service> {
    let settings = written.settings.first()?;
    let policy = settings.spec.outbound_traffic_policy.as_ref()?;
    (policy.mode.as_deref() == Some("ALLOW_ANY")).then(|| Service {
        host: Host::of_many(&HostPattern::Any),
        namespace: settings.document.namespace.clone(),
        origin: settings.document.origin(&Path::spec().key("outboundTrafficPolicy")),
        external: true,
        export_to: Vec::new(),
        subject_alt_names: Vec::new(),
        ports: vec![Port {
            number: viewpoint.mesh_port().unwrap_or(HTTP),
            name: "http".to_owned(),
            target: viewpoint.mesh_port().unwrap_or(HTTP),
            protocol: Protocol::Http1,
            content: Content::Http,
        }],
        endpoints: Vec::new(),
        original: Some(OriginalBy::Address),
        addresses: Vec::new(),
        called: Called::default(),
    })
}
