//! The counts that are kept, and how new ones compare with them.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How much more than what is kept is a failure.
pub(crate) const TOLERANCE: f64 = 0.03;

/// Instructions a request, by case.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    instructions_per_request: BTreeMap<String, u64>,
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn insert(&mut self, case: &str, instructions: u64) {
        self.instructions_per_request.insert(case.to_owned(), instructions);
    }

    /// Reads what is kept; nothing is kept where there is no file.
    pub(crate) fn read(file: &Path) -> io::Result<Self> {
        match fs::read(file) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::new()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn write(&self, file: &Path) -> io::Result<()> {
        fs::write(file, serde_json::to_string_pretty(self)? + "\n")
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (case, count) in &self.instructions_per_request {
            writeln!(out, "{count:>9}  {case}")?;
        }
        Ok(())
    }
}

/// What is to be said of `now` beside `kept`, and whether it is within the tolerance. Writing to memory cannot fail.
#[expect(clippy::cast_precision_loss, reason = "instructions of one request")]
pub(crate) fn compare(kept: &Counts, now: &Counts) -> (String, bool) {
    let (mut report, mut within) = (String::new(), true);
    for (case, count) in &now.instructions_per_request {
        let Some(before) = kept.instructions_per_request.get(case) else {
            within = false;
            let _ = writeln!(report, "{count:>9}  {case}: nothing is kept to compare it with");
            continue;
        };
        let change = *count as f64 / *before as f64 - 1.0;
        let verdict = match change {
            more if more > TOLERANCE => "too much",
            less if less < -TOLERANCE => "less: keep it",
            _ => "as before",
        };
        within &= change <= TOLERANCE;
        let _ = writeln!(report, "{count:>9}  {case}: {:+.1} % of {before}, {verdict}", change * 100.0);
    }
    if !within {
        let _ = write!(
            report,
            "A request costs more than {:.0} % above what is kept. Find out why; where it is meant, or another toolchain's, \
             keep the new counts: make bench-instructions UPDATE=1",
            TOLERANCE * 100.0
        );
    }
    (report, within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_tolerance_or_an_unknown_case_is_a_failure() {
        let counts = |count| {
            let mut counts = Counts::new();
            counts.insert("case", count);
            counts
        };
        for (now, within) in [(1029, true), (1031, false), (500, true)] {
            assert_eq!(compare(&counts(1000), &counts(now)).1, within, "{now}");
        }
        assert!(!compare(&Counts::new(), &counts(1)).1);
    }
}
