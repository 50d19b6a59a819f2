//! What is wrong with a document: where, why and what to do about it.

use std::fmt;

use serde::Serialize;

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The documents are wrong; the configuration is not used, unless Istio serves such documents all the same.
    Error,
    /// The configuration is used, and does something other than what it seems to say.
    Warning,
}

impl Severity {
    /// The severity in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Where a problem stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file, as it was named; `environment` or `flags` where it is neither file nor document.
    pub file: String,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// The column, from 1; 0 where the file as a whole is meant.
    pub column: usize,
    /// The path in the document, as `spec.http[0].route[1].weight`; empty for the document as a whole.
    pub path: String,
    /// The document, as `VirtualService namespace/name`; none where it is not known which.
    pub document: Option<String>,
}

/// One fault of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The code: `istioctl analyze`'s where it has one (`IST0106`), else one of ours (`OVS...`).
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it, in one sentence.
    pub cure: String,
    /// Whether Istio serves such documents all the same, so that even an error keeps no configuration from being used.
    #[serde(skip)]
    pub tolerated: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column, path, .. } = &self.place;
        write!(f, "{file}:{line}:{column}: {} {}: ", self.severity.as_str(), self.code)?;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{} {}", self.message, self.cure)
    }
}
