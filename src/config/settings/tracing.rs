//! `Settings.tracing`, and what the environment says of it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::duration;
use crate::config::Overrides;
use crate::config::checked::{Address, Otlp, OtlpProtocol, Tracing};
use crate::config::finding::{Findings, OWN_SCHEMA, remark};
use crate::config::path::Path;
use crate::config::written::{self, Settings, Sourced};
use crate::domain::{Alpn, Authorities, ClientTls, Host, HostCheck, Percentage, Sni};

/// As Istio traces where `meshConfig.defaultConfig.tracing.sampling` is not set.
const SAMPLING_PERCENTAGE: f64 = 1.0;
/// The default of `OTEL_EXPORTER_OTLP_TIMEOUT`.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Where OTLP over HTTP takes spans, below a collector's base URL.
const TRACES: &str = "/v1/traces";
/// Where OTLP over gRPC does.
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// What holds where nothing is written: no tracing, of requests of a router of this `name`.
pub(super) fn none(overrides: &Overrides, spec: &Settings, name: &str) -> Tracing {
    let written = overrides.service_name.clone().or_else(|| spec.tracing.service_name.clone());
    Tracing { otlp: None, service_name: written.unwrap_or_else(|| name.to_owned()) }
}

/// The share of the requests that are traced where whoever sent them has not decided that.
pub(super) fn sampling(spec: &Settings) -> Percentage {
    let written = spec.tracing.sampling_percentage.unwrap_or(SAMPLING_PERCENTAGE);
    // What is under the least share that there is comes to none.
    Percentage::new(written).unwrap_or_default()
}

/// The collector: what the flag or the environment names wins over the document.
pub(super) fn otlp(source: Option<&Sourced<Settings>>, overrides: &Overrides, findings: &mut Findings) -> Option<Otlp> {
    let unset = written::Otlp::default();
    let path = Path::spec().key("tracing").key("otlp");
    let document = source.and_then(|source| source.spec.tracing.otlp.as_ref());
    let written = document.unwrap_or(&unset);
    let text = overrides.otlp_endpoint.as_ref().or(document.map(|written| &written.endpoint))?;
    let place = source.map(|source| source.document.place(&path)).unwrap_or_default();
    let mut wrong = |path: &Path, message: String, cure: &str| {
        if let Some(source) = source.filter(|source| source.intact) {
            findings.error(OWN_SCHEMA, source.document.place(path), remark(message, cure));
        }
    };
    let headers = headers(written, |name, value| {
        wrong(
            &path.key("headers").key(name),
            format!("`{name}: {value}` is no header field."),
            "Write a name and a value.",
        );
    });
    let protocol = match written.protocol.as_deref() {
        Some("grpc") => OtlpProtocol::Grpc,
        _ => OtlpProtocol::HttpProtobuf,
    };
    let Ok(endpoint) = Endpoint::parse(text) else {
        wrong(&path.key("endpoint"), format!("`{text}` is no URL of a collector."), Endpoint::CURE);
        return None;
    };
    let authorities =
        written.ca_certificates.as_ref().map_or(Authorities::System, |file| Authorities::Bundle(PathBuf::from(file)));
    let tls = endpoint.is_secure.then(|| ClientTls {
        key_pair: None,
        authorities,
        revocations: None,
        sni: Sni::OfRequest(HostCheck::Request),
        subject_alt_names: Vec::new(),
        alpn: Alpn::Http,
    });
    let path = match protocol {
        OtlpProtocol::HttpProtobuf => endpoint.path,
        OtlpProtocol::Grpc => PathAndQuery::from_static(EXPORT),
    };
    let timeout = duration(written.timeout.as_deref(), TIMEOUT);
    Some(Otlp {
        protocol,
        address: endpoint.address,
        authority: endpoint.authority,
        path,
        headers,
        timeout,
        tls,
        place,
    })
}

fn headers(written: &written::Otlp, mut wrong: impl FnMut(&str, &str)) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &written.headers {
        match HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok()) {
            Some((name, value)) => drop(headers.insert(name, value)),
            None => wrong(name, value),
        }
    }
    headers
}

/// The parts of a collector's URL.
struct Endpoint {
    is_secure: bool,
    authority: String,
    address: Address,
    path: PathAndQuery,
}

/// Whether `text` is the URL of a collector.
///
/// # Errors
/// What to write instead.
pub fn collector_url(text: &str) -> Result<(), &'static str> {
    Endpoint::parse(text).map(drop).map_err(|()| Endpoint::CURE)
}

impl Endpoint {
    const CURE: &str = "Write its base URL, as in `http://otel-collector.observability.svc.cluster.local:4318`.";

    /// Reads a base URL as OpenTelemetry's exporters do (`OTEL_EXPORTER_OTLP_ENDPOINT`): `/v1/traces` comes behind its path,
    /// unless it is written there already.
    fn parse(text: &str) -> Result<Self, ()> {
        let uri: Uri = text.parse().map_err(drop)?;
        let is_secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(())?;
        if uri.query().is_some() {
            return Err(());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = match (authority.port_u16(), authority.port()) {
            (Some(0), _) | (None, Some(_)) => return Err(()),
            (Some(port), _) => port,
            (None, None) => {
                if is_secure {
                    443
                } else {
                    80
                }
            }
        };
        let address = match host.parse::<IpAddr>() {
            Ok(ip) => Address::Socket(SocketAddr::new(ip, port)),
            Err(_) => Address::Name(Host::parse(host).map_err(drop)?, port),
        };
        let base = uri.path().trim_end_matches('/');
        let path = if base.ends_with(TRACES) { base.to_owned() } else { format!("{base}{TRACES}") };
        Ok(Self { is_secure, authority: authority.to_string(), address, path: path.parse().map_err(drop)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_read_as_opentelemetry_reads_it() {
        for (text, expected) in [
            ("http://collector:4318", Some(("collector:4318", "/v1/traces", false))),
            ("http://collector:4318/", Some(("collector:4318", "/v1/traces", false))),
            ("https://collector.example/otlp", Some(("collector.example:443", "/otlp/v1/traces", true))),
            ("http://10.0.0.7/v1/traces", Some(("10.0.0.7:80", "/v1/traces", false))),
            ("http://[::1]:4318", Some(("[::1]:4318", "/v1/traces", false))),
            ("collector:4318", None),
            ("grpc://collector:4317", None),
            ("http://user:secret@collector:4318", None),
            ("http://collector:4318/?a=b", None),
            ("http://collector:0", None),
            ("http://", None),
            ("", None),
        ] {
            let read = Endpoint::parse(text).ok();
            let read = read.map(|read| (read.address.to_string(), read.path.to_string(), read.is_secure));
            let expected = expected.map(|(address, path, secure)| (address.to_owned(), path.to_owned(), secure));
            assert_eq!(read, expected, "{text}");
        }
    }
}
