//! Attributes by OpenTelemetry's semantic conventions for HTTP, and the few of our own.

use std::net::SocketAddr;

use http::{Method, Version};

use crate::domain::{Reason, Tier};
use crate::telemetry::otlp::{KeyValue, Value, attribute};

/// Parameters of a query whose values are secrets by name, as the conventions for `url.query` and `url.full` list them.
const SECRET: [&str; 4] = ["AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"];

/// The attributes of one span.
#[derive(Default)]
pub(super) struct Attributes(pub(super) Vec<KeyValue>);

impl Attributes {
    pub(super) fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.push(attribute(key, value));
    }

    pub(super) fn put_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// A method outside RFC 9110 and RFC 5789 may be anything, and names no series.
    pub(super) fn method(&mut self, method: &Method) {
        let known = known(method);
        self.put("http.request.method", known);
        if known != method.as_str() {
            self.put("http.request.method_original", method.as_str());
        }
    }

    /// The host that was asked for, and its port where one is written.
    pub(super) fn server(&mut self, authority: &str) {
        let (host, port) = host_and_port(authority);
        if !host.is_empty() {
            self.put("server.address", host);
            self.put_some("server.port", port);
        }
    }

    pub(super) fn peer(&mut self, peer: SocketAddr) {
        self.put("network.peer.address", peer.ip().to_canonical().to_string());
        self.put("network.peer.port", i64::from(peer.port()));
    }

    pub(super) fn protocol(&mut self, version: Version) {
        let version = match version {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            _ => "1.1",
        };
        self.put("network.protocol.name", "http");
        self.put("network.protocol.version", version);
    }

    /// What the status of the span is for: the reason where there is one, else the HTTP status.
    pub(super) fn error(&mut self, reason: Option<Reason>, status: Option<u16>) {
        let status = || status.map(|status| status.to_string());
        self.put_some("error.type", reason.map(|reason| reason.code().to_owned()).or_else(status));
    }

    pub(super) fn status(&mut self, status: Option<u16>) {
        self.put_some("http.response.status_code", status.map(i64::from));
    }

    /// Who served it.
    pub(super) fn place(&mut self, pool: Option<&str>, tier: Option<Tier>) {
        self.put_some("overspill.pool", pool);
        self.put_some("overspill.tier", tier.map(Tier::as_str));
    }

    pub(super) fn reason(&mut self, reason: Option<Reason>) {
        self.put_some("overspill.reason", reason.map(Reason::code));
    }
}

/// The name of a method that has one in the conventions.
pub(super) fn known(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH") => known,
        _ => "_OTHER",
    }
}

fn host_and_port(authority: &str) -> (&str, Option<i64>) {
    let port = authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    match port {
        Some((host, port)) => (host, Some(i64::from(port))),
        None => (authority, None),
    }
}

/// A path and query without secrets, as `(path, query)`.
pub(super) fn without_secrets(path: &str) -> (&str, Option<String>) {
    let Some((path, query)) = path.split_once('?') else { return (path, None) };
    let shown = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if SECRET.contains(&name) => format!("{name}=REDACTED"),
        _ => parameter.to_owned(),
    };
    (path, Some(query.split('&').map(shown).collect::<Vec<_>>().join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_a_query_are_not_told() {
        for (path, expected) in [
            ("/a", ("/a", None)),
            ("/a?", ("/a", Some(""))),
            ("/a?b=c&sig=x=y&d", ("/a", Some("b=c&sig=REDACTED&d"))),
            ("/a?Signature=1&AWSAccessKeyId=2", ("/a", Some("Signature=REDACTED&AWSAccessKeyId=REDACTED"))),
        ] {
            let (path, query) = without_secrets(path);
            assert_eq!((path, query.as_deref()), expected);
        }
    }

    #[test]
    fn a_host_is_told_apart_from_its_port() {
        for (authority, expected) in [
            ("a.b", ("a.b", None)),
            ("a.b:81", ("a.b", Some(81))),
            ("[::1]:81", ("[::1]", Some(81))),
            ("[::1]", ("[::1]", None)),
        ] {
            assert_eq!(host_and_port(authority), expected);
        }
    }
}
