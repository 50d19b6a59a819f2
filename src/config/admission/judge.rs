//! Where the rules of the webhook say what they found.

use super::spot::Spot;
use crate::config::document::Document;
use crate::config::finding::{Findings, SCHEMA_WARNING, remark};
use crate::config::path::Path;
use crate::domain::parse_nanoseconds;

/// In nanoseconds.
const MILLISECOND: i64 = 1_000_000;

/// One document under judgement.
pub(super) struct Judge<'a> {
    pub(super) document: &'a Document,
    /// Where the schema has found something wrong.
    faults: &'a [Path],
    findings: &'a mut Findings,
    admits: bool,
}

impl<'a> Judge<'a> {
    pub(super) fn new(document: &'a Document, faults: &'a [Path], findings: &'a mut Findings) -> Self {
        Self { document, faults, findings, admits: faults.is_empty() }
    }

    /// Whether nothing has been rejected.
    pub(super) fn admits(&self) -> bool {
        self.admits
    }

    /// Rejects what stands at `spot`, unless the schema has found something wrong there already.
    pub(super) fn reject(&mut self, spot: &Spot<'_>, message: impl Into<String>, cure: impl Into<String>) {
        self.admits = false;
        if self.faults.iter().all(|fault| !fault.touches(&spot.path)) {
            self.findings.error(self.document.schema_code(), self.document.place(&spot.path), remark(message, cure));
        }
    }

    /// Rejects that something is not there, or empty, unless the schema has found something wrong beside it: a misspelt
    /// name is not there either.
    pub(super) fn miss(&mut self, spot: &Spot<'_>, message: impl Into<String>, cure: impl Into<String>) {
        let there = self.document.depth(&spot.path);
        // What something is missing for, as its endpoints for a resolution, stands where the missing thing would.
        let there = if spot.is_filled() { there.saturating_sub(1) } else { there };
        if !self.faults.iter().any(|fault| fault.is_beside(&spot.path, there)) {
            self.reject(spot, message, cure);
        }
    }

    /// Says of something that Istio takes it with a warning.
    pub(super) fn warn(&mut self, spot: &Spot<'_>, message: impl Into<String>, cure: impl Into<String>) {
        self.findings.warning(SCHEMA_WARNING, self.document.place(&spot.path), remark(message, cure));
    }

    /// Rejects a list or map of more than so many.
    pub(super) fn at_most(&mut self, spot: &Spot<'_>, most: usize) {
        let count = spot.items().count() + spot.entries().count();
        if count > most {
            let message = format!("There are too many items here: {count}, of at most {most}.");
            self.reject(spot, message, "Take some out.");
        }
    }

    /// Rejects a text of more than so many characters.
    pub(super) fn no_longer(&mut self, spot: &Spot<'_>, most: usize) {
        let length = spot.text().chars().count();
        if length > most {
            self.reject(spot, format!("This is too long: {length} characters, of at most {most}."), "Shorten it.");
        }
    }

    /// Rejects a port that is out of range.
    pub(super) fn port(&mut self, spot: &Spot<'_>) {
        if !(1..=65_535).contains(&spot.int()) {
            let message = format!("The port number {} is not in the range 1 to 65535.", spot.int());
            self.reject(spot, message, "Write a number from 1 to 65535.");
        }
    }

    /// The nanoseconds of a duration, which is to be whole milliseconds, and one at least; `None` where none is set or
    /// it is none.
    pub(super) fn duration(&mut self, spot: &Spot<'_>) -> Option<i64> {
        let nanos = spot.is_set().then(|| parse_nanoseconds(spot.text()).ok()).flatten()?;
        if nanos < MILLISECOND {
            let message = format!("The duration `{}` must be greater than 1ms.", spot.text());
            self.reject(spot, message, "Write at least 1ms, or leave it out.");
        } else if nanos % MILLISECOND != 0 {
            let message =
                format!("The duration `{}` is not of whole milliseconds, the only ones supported.", spot.text());
            self.reject(spot, message, "Write it without a fraction of a millisecond.");
        }
        Some(nanos)
    }

    /// As [`Self::duration`], where less than a millisecond, either way, stands for none at all.
    pub(super) fn duration_or_none(&mut self, spot: &Spot<'_>) {
        let nanos = parse_nanoseconds(spot.text()).unwrap_or_default();
        if nanos.abs() >= MILLISECOND {
            self.duration(spot);
        }
    }

    /// Rejects a `Percent` that is out of range, or so small a part that it is below `least`.
    pub(super) fn percentage(&mut self, spot: &Spot<'_>, least: f64) {
        let value = spot.at("value");
        let number = value.number();
        if !(0.0..=100.0).contains(&number) || (number > 0.0 && number < least) {
            let message = format!("The percentage {number} is neither 0 nor in the range {least} to 100.");
            self.reject(&value, message, "Write such a number.");
        }
    }
}
