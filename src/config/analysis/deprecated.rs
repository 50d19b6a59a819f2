//! Fields that Istio has replaced by others (IST0002).

use crate::config::admission::Spot;
use crate::config::finding::{DEPRECATED, Findings, remark};
use crate::config::written::{Sourced, VirtualService};

/// Reports each delay whose share is a whole percent.
pub(super) fn report(source: &Sourced<VirtualService>, findings: &mut Findings) {
    for rule in Spot::root(&source.document).at("spec").at("http").items() {
        let percent = rule.at("fault").at("delay").at("percent");
        if percent.int() > 0 {
            let said = remark("`percent` is deprecated.", "Write `percentage: {value: ...}`.");
            findings.warning(DEPRECATED, source.document.place(&percent.path), said);
        }
    }
}
