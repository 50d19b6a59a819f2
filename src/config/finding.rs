//! The codes of findings, and the place where problems gather.

use super::problem::{Place, Problem, Severity};
use super::schema::{Field, Support};
use super::unexecuted::Row;

/// A code and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The code, as [`Problem::code`] carries it.
    pub code: &'static str,
    /// What findings of this code say.
    pub meaning: &'static str,
}

macro_rules! code {
    ($name:ident, $code:literal) => {
        pub(super) const $name: &str = $code;
    };
    ($name:ident, $code:literal, hidden) => {
        const $name: &str = $code;
    };
}

/// Codes that are `hidden` are given here alone.
macro_rules! codes {
    ($($name:ident = $code:literal, $meaning:literal $(, $hidden:ident)?;)+) => {
        $(code!($name, $code $(, $hidden)?);)+
        /// Every code that a finding about a document can carry.
        pub const CODES: &[Code] = &[$(Code { code: $code, meaning: $meaning }),+];
    };
}

codes! {
    DEPRECATED = "IST0002", "a field that Istio has replaced by another";
    MISSING = "IST0101", "a reference to a host, port, subset, gateway, pod or secret that does not exist";
    SCHEMA = "IST0106", "a field or value that Istio's API server or webhook rejects";
    HOST_TWICE = "IST0109", "VirtualServices of the mesh that share a host";
    PORT_NEEDED = "IST0112", "a destination without a port, of a service that has several";
    PORT_NAME = "IST0118", "a Service's port whose name does not say what it speaks";
    UNVERIFIED = "IST0128", "TLS to endpoints without `caCertificates`";
    UNVERIFIED_PORT = "IST0129", "TLS to endpoints of one port without `caCertificates`";
    UNREACHABLE = "IST0130", "a rule that no request reaches";
    INEFFECTIVE = "IST0131", "a condition that repeats or overlaps an earlier one";
    NOT_IN_GATEWAY = "IST0132", "a VirtualService none of whose hosts its Gateway serves";
    SCHEMA_WARNING = "IST0133", "a field or value that Istio's webhook takes with a warning";
    ADDRESSES_NEEDED = "IST0134", "a ServiceEntry without addresses that has a port of TCP or of no protocol";
    CERTIFICATE_TWICE = "IST0138", "a certificate that several Gateways of the same proxies show";
    SUBSET_PASSED_BY = "IST0140", "a subset that requests through a gateway pass by";
    GATEWAYS_CONFLICT = "IST0145", "Gateways of the same proxies that share a port and a host";
    UNAUTHENTICATED = "IST0149", "a condition on a claim of a JWT, where no RequestAuthentication is for the Gateway's pods";
    EXTERNAL_PORT_NAME = "IST0150", "a port's name that an ExternalName Service should not have";
    PORT_NOT_IN_SERVICE = "IST0162", "a Gateway's port that no Service of its pods has";
    INTERNAL_GATEWAY = "IST0165", "a VirtualService bound to a Gateway that Istio made for itself";
    SUBSET_EMPTY = "IST0173", "a subset that selects no pod";
    RULE_WITHOUT_SERVICE = "IST0174", "a DestinationRule whose host is no service";
    PROTOCOLS_CONFLICT = "IST0177", "ServiceEntries that give one port of a host different protocols";
    UNREADABLE = "OVS001", "a text that is not YAML, not UTF-8, or over a limit";
    NOTHING = "OVS002", "no documents, so that every setting is its default and no host is served";
    PASSED_OVER = "OVS003", "a document of a kind that is not read";
    IDENTITY = "OVS004", "a document whose apiVersion, kind or metadata.name is missing or wrong";
    TWICE = "OVS005", "two documents of one kind, namespace and name, or two services of one host";
    INERT = "OVS101", "something of Istio's that is not executed yet, and does not change where a request goes", hidden;
    DIVERTING = "OVS102", "something of Istio's that is not executed yet, and changes where a request goes or what it is protected by", hidden;
    OWN_SCHEMA = "OVS106", "a field or value that Settings, PoolPolicy or RoutePolicy does not have";
    SETTINGS_TWICE = "OVS201", "a second Settings document";
    POLICY_TWICE = "OVS202", "two PoolPolicies for one pool";
    POLICY_MISSING = "OVS203", "a PoolPolicy that names a host, subset or port that does not exist";
    SPILL = "OVS204", "a spill order that names one pool twice, or the pool itself";
    LOCAL_OFF = "OVS205", "a PoolPolicy that allows the local model, which is off";
    NO_EFFECT = "OVS206", "a document, rule or condition that applies to nothing or takes no effect";
    ROUTE_POLICY_TWICE = "OVS207", "two RoutePolicies for one rule, or two for one VirtualService";
    ROUTE_POLICY_MISSING = "OVS208", "a RoutePolicy that names a VirtualService or rule that does not exist";
    TOO_MUCH = "OVS209", "more endpoints, ports, pools, or places in hash tables, than a router should bear";
    MODEL_VERSION = "OVS220", "a ModelVersion that the local model cannot follow";
    IDENTITY_REFUSED = "OVS221", "a version of the local model that is in force, and that a route does not accept";
    PROVIDER = "OVS222", "an execution provider of the local model that cannot be used where this is read";
    CERTIFICATES = "OVS301", "a file of certificates or keys that is missing, wrong or out of date";
    RESTART = "OVS401", "a changed setting that takes effect at the next start alone";
}

/// The error that a file or folder cannot be read at all.
pub fn unreadable(file: String, message: String) -> Problem {
    let place = Place { file, ..Place::default() };
    let cure = "Name an existing folder or file of YAML documents that this user may read.".to_owned();
    Problem { code: UNREADABLE, severity: Severity::Error, place, message, cure, tolerated: false }
}

/// The warning that a file which TLS settings at `place` name cannot be used as it is.
pub fn unusable_certificates(place: Place, message: String, cure: String) -> Problem {
    Problem { code: CERTIFICATES, severity: Severity::Warning, place, message, cure, tolerated: false }
}

/// The warning that an execution provider which the settings name at `place` cannot be used, and why.
pub fn unusable_provider(place: Place, message: String) -> Problem {
    let cure =
        "Install its libraries and an ONNX Runtime that has it, or leave it out: the next one, or the CPU, computes.";
    Problem { code: PROVIDER, severity: Severity::Warning, place, message, cure: cure.to_owned(), tolerated: false }
}

/// The warning that a version of the local model has no folder.
pub fn missing_version(message: String) -> Problem {
    let place = Place { path: "spec.version".to_owned(), ..Place::default() };
    let cure = "Put it there, or name a version that is there: until then what is in force stays.";
    Problem {
        code: MODEL_VERSION,
        severity: Severity::Warning,
        place,
        message,
        cure: cure.to_owned(),
        tolerated: false,
    }
}

/// Whether a problem keeps a configuration from being used.
pub(super) fn bars(problem: &Problem) -> bool {
    problem.severity == Severity::Error && !problem.tolerated
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
        self.problems.push(Problem { code, severity, place, message, cure, tolerated: false });
    }

    /// An error of istioctl's about documents that Istio serves: they are served here as well.
    pub(super) fn tolerated(&mut self, code: &'static str, place: Place, remark: Remark) {
        let Remark { message, cure } = remark;
        self.problems.push(Problem { code, severity: Severity::Error, place, message, cure, tolerated: true });
    }

    /// Reports something that is not executed, as its row says.
    pub(super) fn not_executed(&mut self, row: &Row, place: Place, remark: Remark) {
        self.unsupported(row.support, place, remark);
    }

    /// Reports a field that is not executed, as its table says.
    pub(super) fn field_not_executed(&mut self, field: &Field, place: Place, remark: Remark) {
        self.unsupported(field.support, place, remark);
    }

    fn unsupported(&mut self, support: Support, place: Place, remark: Remark) {
        match support {
            Support::Executed => {}
            Support::Inert => self.warning(INERT, place, remark),
            Support::Diverting => self.error(DIVERTING, place, remark),
        }
    }

    /// Makes warnings of the errors that something is not executed.
    pub(super) fn soften_not_executed(&mut self) {
        for problem in self.problems.iter_mut().filter(|problem| problem.code == DIVERTING) {
            problem.severity = Severity::Warning;
        }
    }

    pub(super) fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// Whether no document is wrong in itself, whatever they say of each other, and whatever of it is not executed.
    pub(super) fn documents_stand(&self) -> bool {
        let stands = |problem: &Problem| !bars(problem) || [DIVERTING, MISSING].contains(&problem.code);
        self.problems.iter().all(stands)
    }

    /// The problems by file, line and column, each once.
    pub(super) fn into_sorted(mut self) -> Vec<Problem> {
        self.problems.sort_by(|a, b| a.place.cmp(&b.place));
        self.problems.dedup();
        self.problems
    }
}
