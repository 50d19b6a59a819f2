//! `Gateway` documents: checked, and not executed yet.

use super::finding::{Findings, INERT, remark};
use super::path::Path;
use super::written::{Gateway, Sourced};

/// Reports each of them by name.
pub(super) fn report(gateways: &[Sourced<Gateway>], findings: &mut Findings) {
    for Sourced { document, .. } in gateways {
        let name = document.full_name();
        let said = remark(
            format!("The Gateway `{name}` is not executed yet: requests are served as if it were not there."),
            "Take it out, or leave it in knowing that it has no effect here.",
        );
        findings.warning(INERT, document.place(&Path::root().key("kind")), said);
    }
}
