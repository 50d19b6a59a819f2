//! Ports of TCP, or of no protocol, that only an address tells from others (IST0134).

use crate::config::admission::Spot;
use crate::config::finding::{ADDRESSES_NEEDED, Findings, remark};
use crate::config::written::{ServiceEntry, Sourced};

/// Reports those of one entry that has no addresses, of its own or given to it by Istio.
pub(super) fn report(source: &Sourced<ServiceEntry>, findings: &mut Findings) {
    let root = Spot::root(&source.document);
    let spec = root.at("spec");
    if spec.at("addresses").is_set() || root.at("status").at("addresses").items().next().is_some() {
        return;
    }
    for port in spec.at("ports").items() {
        let protocol = port.at("protocol").text();
        if protocol.is_empty() || protocol.eq_ignore_ascii_case("TCP") {
            let said = remark(
                "Istio tells a port of TCP, or of no protocol, from others by the service's addresses, and there are none.",
                "Add `addresses`, or write the port's `protocol`.",
            );
            findings.warning(ADDRESSES_NEEDED, source.document.place(&port.path), said);
        }
    }
}
