//! Ports of Kubernetes' services whose names do not say what they speak (IST0118, of an `ExternalName` IST0150).

use crate::config::admission::{Protocol, Spot};
use crate::config::finding::{EXTERNAL_PORT_NAME, Findings, PORT_NAME, remark};
use crate::config::written::{Sourced, kubernetes};

/// Namespaces of Kubernetes itself, which Istio leaves alone.
const OF_SYSTEM: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];
/// Ports of protocols in which the server speaks first; Istio takes them for TCP unless told otherwise.
const SERVER_FIRST: [i64; 4] = [25, 53, 3306, 27_017];
/// Who manages the services that Istio makes for gateways.
const OF_GATEWAYS: [&str; 3] =
    ["istio.io-gateway-controller", "istio.io-mesh-controller", "istio.io-eastwest-controller"];
/// What `appProtocol` may be besides the protocols that names begin with.
const OF_KUBERNETES: [&str; 3] = ["kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"];

/// Reports those of one service.
pub(super) fn report(source: &Sourced<kubernetes::Service>, findings: &mut Findings) {
    let root = Spot::root(&source.document);
    let labels = root.at("metadata").at("labels");
    let is_istios = labels.at("istio").is_set()
        || labels.at("release").text() == "istio"
        || OF_GATEWAYS.contains(&labels.at("gateway.istio.io/managed").text());
    if is_istios || OF_SYSTEM.contains(&source.document.namespace.as_str()) {
        return;
    }
    let spec = root.at("spec");
    let is_external = spec.at("type").text() == "ExternalName";
    for port in spec.at("ports").items() {
        let (field, spot) = saying(&port);
        let (code, said) = if is_external && (!says_protocol(&port) || port.at("name").text() == "tcp") {
            let said = remark(
                "Istio may not forward what comes on this port of an ExternalName service.",
                "Begin its name with the protocol, as `http` or `tcp-api`; `tcp` alone will not do.",
            );
            (EXTERNAL_PORT_NAME, said)
        } else if !is_external && !says_protocol(&port) {
            let subject = match spot.text() {
                "" => "The port has no name to say".to_owned(),
                text => format!("The port's {field} `{text}` does not say"),
            };
            let said = remark(
                format!("{subject} what it speaks: Istio looks at what is sent."),
                "Begin the name with the protocol, as `http-api`, or set `appProtocol` to it.",
            );
            (PORT_NAME, said)
        } else {
            continue;
        };
        findings.warning(code, source.document.place(&spot.path), said);
    }
}

/// The field by which a port says what it speaks, and its place.
fn saying<'a>(port: &Spot<'a>) -> (&'static str, Spot<'a>) {
    let application = port.at("appProtocol");
    if application.is_set() { ("appProtocol", application) } else { ("name", port.at("name")) }
}

/// Whether Istio knows from the port what it speaks.
fn says_protocol(port: &Spot<'_>) -> bool {
    let (field, spot) = saying(port);
    let first = spot.text().split('-').next().unwrap_or_default();
    port.at("protocol").text() == "UDP"
        || (field == "appProtocol" && OF_KUBERNETES.contains(&spot.text()))
        || Protocol::parse(first).is_some()
        || SERVER_FIRST.contains(&port.at("port").int())
}
