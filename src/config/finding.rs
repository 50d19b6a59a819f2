//! The codes of findings, and the place where problems gather.

use super::problem::{Place, Problem, Severity};

/// A code and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The code, as [`Problem::code`] carries it.
    pub code: &'static str,
    /// What findings of this code say.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $meaning:literal;)+) => {
        $(pub(super) const $name: &str = $code;)+
        /// Every code that a finding about a document can carry.
        pub const CODES: &[Code] = &[$(Code { code: $code, meaning: $meaning }),+];
    };
}

codes! {
    MISSING = "IST0101", "a reference to a host, subset or port that does not exist";
    SCHEMA = "IST0106", "a field or value that Istio's API server or webhook rejects";
    HOST_TWICE = "IST0109", "two VirtualServices for one host";
    PORT_NEEDED = "IST0112", "a destination without a port, of a service that has several";
    UNREACHABLE = "IST0130", "a rule that no request reaches";
    INEFFECTIVE = "IST0131", "a condition that cannot take effect";
    UNREADABLE = "OVS001", "a text that is not YAML, not UTF-8, or over a limit";
    NOTHING = "OVS002", "no documents, so that every setting is its default and no host is served";
    PASSED_OVER = "OVS003", "a document of a kind that is not read";
    IDENTITY = "OVS004", "a document whose apiVersion, kind or metadata.name is missing or wrong";
    TWICE = "OVS005", "two documents of one kind, namespace and name, or two services of one host";
    INERT = "OVS101", "something of Istio's that is not executed yet, and does not change where a request goes";
    DIVERTING = "OVS102", "something of Istio's that is not executed yet, and changes where a request goes or what it is protected by";
    OWN_SCHEMA = "OVS106", "a field or value that Settings or PoolPolicy does not have";
    SETTINGS_TWICE = "OVS201", "a second Settings document";
    POLICY_TWICE = "OVS202", "two PoolPolicies for one pool";
    POLICY_MISSING = "OVS203", "a PoolPolicy that names a host, subset or port that does not exist";
    SPILL = "OVS204", "a spill order that names one pool twice, or the pool itself";
    LOCAL_OFF = "OVS205", "a PoolPolicy that allows the local model, which is off";
    NO_EFFECT = "OVS206", "a document or subset that applies to nothing";
    CERTIFICATES = "OVS301", "a file of certificates or keys that is missing, wrong or out of date";
    RESTART = "OVS401", "a changed setting that takes effect at the next start alone";
}

/// The error that a file or folder cannot be read at all.
pub fn unreadable(file: String, message: String) -> Problem {
    let place = Place { file, ..Place::default() };
    let cure = "Name an existing folder or file of YAML documents that this user may read.".to_owned();
    Problem { code: UNREADABLE, severity: Severity::Error, place, message, cure }
}

/// The warning that a file which TLS settings at `place` name cannot be used as it is.
pub fn unusable_certificates(place: Place, message: String, cure: String) -> Problem {
    Problem { code: CERTIFICATES, severity: Severity::Warning, place, message, cure }
}

/// Problems, in the order found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: Vec<Problem>,
}

/// What is wrong and what to do about it.
pub(super) struct Remark {
    pub(super) message: String,
    pub(super) cure: String,
}

/// A [`Remark`] from anything that reads as text.
pub(super) fn remark(message: impl Into<String>, cure: impl Into<String>) -> Remark {
    Remark { message: message.into(), cure: cure.into() }
}

impl Findings {
    pub(super) fn error(&mut self, code: &'static str, place: Place, remark: Remark) {
        self.add(Severity::Error, code, place, remark);
    }

    pub(super) fn warning(&mut self, code: &'static str, place: Place, remark: Remark) {
        self.add(Severity::Warning, code, place, remark);
    }

    pub(super) fn add(&mut self, severity: Severity, code: &'static str, place: Place, remark: Remark) {
        let Remark { message, cure } = remark;
        self.problems.push(Problem { code, severity, place, message, cure });
    }

    /// Makes warnings of the errors of this code.
    pub(super) fn soften(&mut self, code: &'static str) {
        for problem in self.problems.iter_mut().filter(|problem| problem.code == code) {
            problem.severity = Severity::Warning;
        }
    }

    pub(super) fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// Whether no document is wrong in itself, whatever they say of each other, and whatever of it is not executed.
    pub(super) fn documents_stand(&self) -> bool {
        let between = |code: &str| [MISSING, HOST_TWICE, PORT_NEEDED, DIVERTING].contains(&code);
        self.problems.iter().all(|problem| problem.severity != Severity::Error || between(problem.code))
    }

    /// The problems by file, line and column, each once.
    pub(super) fn into_sorted(mut self) -> Vec<Problem> {
        self.problems.sort_by(|a, b| a.place.cmp(&b.place));
        self.problems.dedup();
        self.problems
    }
}
