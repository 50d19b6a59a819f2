//! Where the rules of the webhook say what they found.

use super::spot::Spot;
use crate::config::document::Document;
use crate::config::finding::{Findings, remark};
use crate::config::path::Path;

/// One document under judgement.
pub(super) struct Judge<'a> {
    pub(super) document: &'a Document,
    /// Where the schema has found something wrong.
    faults: &'a [Path],
    findings: &'a mut Findings,
}

impl<'a> Judge<'a> {
    pub(super) fn new(document: &'a Document, faults: &'a [Path], findings: &'a mut Findings) -> Self {
        Self { document, faults, findings }
    }

    /// Rejects what stands at `spot`, unless the schema has found something wrong there already.
    pub(super) fn reject(&mut self, spot: &Spot<'_>, message: impl Into<String>, cure: impl Into<String>) {
        if self.faults.iter().all(|fault| !fault.touches(&spot.path)) {
            self.findings.error(self.document.schema_code(), self.document.place(&spot.path), remark(message, cure));
        }
    }

    /// Rejects that something is not there, unless the schema has found anything wrong: a misspelt name is not there
    /// either.
    pub(super) fn miss(&mut self, spot: &Spot<'_>, message: impl Into<String>, cure: impl Into<String>) {
        if self.faults.is_empty() {
            self.reject(spot, message, cure);
        }
    }

    /// Says of something that Istio takes it with a warning.
    pub(super) fn warn(&mut self, spot: &Spot<'_>, message: impl Into<String>, cure: impl Into<String>) {
        self.findings.warning(self.document.schema_code(), self.document.place(&spot.path), remark(message, cure));
    }

    /// Rejects a port that is out of range.
    pub(super) fn port(&mut self, spot: &Spot<'_>) {
        if !(1..=65_535).contains(&spot.int()) {
            let message = format!("The port number {} is not in the range 1 to 65535.", spot.int());
            self.reject(spot, message, "Write a number from 1 to 65535.");
        }
    }
}
