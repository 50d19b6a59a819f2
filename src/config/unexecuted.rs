//! What Istio has and this router does not execute: the fields that the schema's tables mark, and values of executed fields.
//!
//! A finding of such a thing names its row here, so that no finding is missing from the table that users read. Whoever
//! executes one takes its row out, and the compiler shows where it is reported.

use super::problem::Severity;
use super::schema::{self, Support};

/// Something of Istio's that is not executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotExecuted {
    /// The kind that has it; several, where the same holds for all.
    pub kind: &'static str,
    /// Its path, as `spec.http[].retries`, where it first stands; empty for the kind as a whole.
    pub path: String,
    /// Which values are meant; empty for all.
    pub values: &'static str,
    /// How a document that has it is judged: an error where it would change where a request goes, or what protects it.
    pub severity: Severity,
}

/// A row of the table beside those of fields.
pub(super) struct Row {
    kind: &'static str,
    path: &'static str,
    values: &'static str,
    pub(super) support: Support,
}

macro_rules! rows {
    ($($name:ident = $support:ident, $kind:literal, $path:literal, $values:literal;)+) => {
        $(pub(super) static $name: Row =
            Row { kind: $kind, path: $path, values: $values, support: Support::$support };)+
        static ROWS: &[&Row] = &[$(&$name),+];
    };
}

rows! {
    CODE_OF_REDIRECT = Diverting, "VirtualService", "spec.http[].redirect.redirectCode",
        "other than 301, 302, 303, 307 and 308, which Envoy does not know either";
    CLAIMS = Inert, "VirtualService", "spec.http[].match[].headers",
        "claims of a token (`@request.auth.claims`): no request has any, so they never hold, and always in `withoutHeaders`";
    FORMATTERS = Inert, "VirtualService", "spec.http[].headers", "Envoy's variables (`%PROTOCOL%`): sent as written";
    HTTP3 = Inert, "VirtualService", "spec.http[].retries.retryOn",
        "http3-post-connect-failure, which never holds: HTTP/3 is not spoken";
    PORT_WITHOUT_HTTP = Diverting, "VirtualService", "spec.http[].route[].destination.port",
        "a port that nothing is routed to, as one of TCP";
    PORT_LEFT_OUT = Diverting, "VirtualService", "spec.http[].route[].destination.port",
        "left out in the mesh, where the service has several ports of HTTP";
    CREDENTIAL = Diverting, "DestinationRule", "spec.trafficPolicy.tls.credentialName",
        "without `secretsFolder` in the Settings, and what is no Kubernetes secret";
    LARGE_RING = Inert, "DestinationRule", "spec.trafficPolicy.loadBalancer.consistentHash.ringHash.minimumRingSize",
        "over 1048576: rings are no larger";
    PROTOCOL = Inert, "ServiceEntry", "spec.ports[].protocol",
        "TCP, UDP, MONGO, REDIS, MYSQL and HBONE: nothing is routed to the port";
    OPAQUE_PORT = Inert, "ServiceEntry", "spec.ports[].protocol",
        "HTTPS and TLS, where no DestinationRule secures connections to the port: nothing is routed to it";
    UNIX_SOCKET = Diverting, "ServiceEntry", "spec.endpoints[].address", "Unix sockets";
    STREAMS = Inert, "Gateway", "spec.servers[].port.protocol",
        "what is neither HTTP nor HTTPS that ends here: nothing is served on the port";
    SECRETS = Inert, "Gateway", "spec.servers[].tls.credentialName",
        "without `secretsFolder` in the Settings, and what is no Kubernetes secret: the server serves nothing";
    NO_FORM = Diverting, "VirtualService, DestinationRule, ServiceEntry", "",
        "values that Istio takes and HTTP or this router has no form for, as a header's name with a space";
    OTHER_KINDS = Inert, "Sidecar, EnvoyFilter, WorkloadEntry, WorkloadGroup, ProxyConfig", "", "";
}

/// Everything of Istio's that is checked and not executed, by kind and path.
pub fn not_executed() -> Vec<NotExecuted> {
    let severity = |support| if support == Support::Diverting { Severity::Error } else { Severity::Warning };
    let values = ROWS.iter().map(|row| (row.kind, row.path.to_owned(), row.values, row.support));
    let fields = schema::unexecuted_fields().into_iter().map(|(kind, path, support)| (kind, path, "", support));
    let all = fields.chain(values).map(|(kind, path, values, support)| NotExecuted {
        kind,
        path,
        values,
        severity: severity(support),
    });
    let mut rows: Vec<NotExecuted> = all.collect();
    let order = |row: &NotExecuted| schema::TABLES.iter().position(|(kind, _)| *kind == row.kind).unwrap_or(usize::MAX);
    rows.sort_by(|a, b| (order(a), &a.path).cmp(&(order(b), &b.path)));
    rows
}
