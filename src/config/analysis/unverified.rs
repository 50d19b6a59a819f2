//! TLS to endpoints whose certificates nothing is named to check by (IST0128, of a port IST0129).

use crate::config::admission::Spot;
use crate::config::finding::{Findings, UNVERIFIED, UNVERIFIED_PORT, remark};
use crate::config::written::{DestinationRule, Sourced};

/// Reports those of one rule; like istioctl, not those of its subsets.
pub(super) fn report(source: &Sourced<DestinationRule>, findings: &mut Findings) {
    let spec = Spot::root(&source.document).at("spec");
    let policy = spec.at("trafficPolicy");
    let whole = std::iter::once((UNVERIFIED, policy.at("tls")));
    let ports =
        policy.at("portLevelSettings").items().map(|port| (UNVERIFIED_PORT, port.at("tls"))).collect::<Vec<_>>();
    for (code, tls) in whole.chain(ports) {
        let mode = tls.at("mode");
        // A secret may hold the certificates of authorities; Istio reads secrets for chosen workloads alone.
        let by_secret = !tls.at("credentialName").text().is_empty() && spec.at("workloadSelector").is_set();
        let is_checked = !tls.at("caCertificates").text().is_empty() || by_secret;
        if matches!(mode.text(), "SIMPLE" | "MUTUAL") && !is_checked {
            let host = spec.at("host").text();
            let said = remark(
                format!(
                    "No `caCertificates` are set: the certificates of `{host}` are checked by the system's authorities, \
                     and by Istio perhaps not at all."
                ),
                "Name the file of the authorities that vouch for it.",
            );
            findings.warning(code, source.document.place(&mode.path), said);
        }
    }
}
