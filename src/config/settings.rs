//! The `Settings` document and what overrides it, into settings that are in range.

mod scaling;
mod tracing;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

pub use tracing::collector_url;

use super::Overrides;
use super::batching::{self, batching};
use super::catalog::with_topology;
use super::checked::{Dns, Limits, LocalModel, ModelReadiness, Startup, Workload};
use super::finding::{Findings, OWN_SCHEMA, SETTINGS_TWICE, remark};
use super::model_versions;
use super::models;
use super::path::Path;
use super::problem::Place;
use super::viewpoint::{Role, Viewpoint};
use super::written::{self, ModelFiles, Settings, Sourced, Written};
use crate::domain::{Http2Limits, Locality, parse_duration};

/// Where traffic is accepted unless told otherwise.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);
/// Where the admin API is served unless told otherwise: Envoy's own port.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 15000);
/// What a workload is called that has no name.
const NAME: &str = "overspill";
const BACKLOG: u32 = 1024;
const KEEPALIVE: Duration = Duration::from_mins(5);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HEADER_BYTES: u32 = 65_536;
/// Kubernetes ends a process 60 s after asking it to (`terminationGracePeriodSeconds` of the manifests); 5 s are margin.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(55);
const MAX_BODY_BYTES: u64 = 10_485_760;
const MAX_RATE_LIMIT_KEYS: u32 = 65_536;
const MAX_CONNECTIONS: u32 = 65_536;
/// As many as Envoy takes (`max_headers_count`).
const MAX_HEADERS: u32 = 100;
const MAX_RETRY_BUFFER_BYTES: u64 = 64 << 20;
const MAX_CONNECTION_AGE: Duration = Duration::from_hours(1);
const HTTP2_LIMITS: Http2Limits = Http2Limits {
    // Envoy's recommendation for an edge proxy.
    max_concurrent_streams: 100,
    max_resets_per_second: 500,
    max_control_frames_per_second: 200,
    max_empty_frames_per_second: 100,
    max_continuation_frames: 8,
};
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_mins(5);
/// The port of DNS (RFC 1035, section 4.2).
const DNS_PORT: u16 = 53;
const DNS_TIMEOUT: Duration = Duration::from_secs(10);
const DNS_START_TIMEOUT: Duration = Duration::from_secs(5);
const MODEL_FILE: &str = "model.onnx";
const MODEL_THREADS: u32 = 1;
const MODEL_BATCH: u32 = 8;
const MODEL_QUEUE: u32 = 32;

/// Settles every setting: an override wins over the document, which wins over the default.
pub(super) fn check(
    documents: &[Sourced<Settings>],
    overrides: &Overrides,
    findings: &mut Findings,
) -> (Limits, Startup) {
    for second in documents.iter().skip(1) {
        let said = remark("There is a Settings document already.", "Keep one, with every setting in it.");
        findings.error(SETTINGS_TWICE, second.document.place(&Path::root()), said);
    }
    let unset = Settings::default();
    let source = documents.first();
    let spec = source.map_or(&unset, |source| &source.spec);
    let mut address = |text: &Option<String>, field: &str| {
        let text = text.as_deref()?;
        let parsed = text.parse::<SocketAddr>().ok();
        if let (None, Some(source)) = (parsed, source) {
            let said = remark(
                format!("`{text}` is no address and port."),
                "Write an IP address and a port, as in `0.0.0.0:8080` or `[::]:8080`.",
            );
            findings.error(OWN_SCHEMA, source.document.place(&Path::spec().key(field)), said);
        }
        parsed
    };
    let (listen, admin) = (address(&spec.listen, "listen"), address(&spec.admin, "admin"));
    let mut startup = startup(spec, overrides, (listen, admin), dns(spec, source, findings));
    if let Some(source) = source {
        check_gateway(source, findings);
        models::check(source, findings);
        batching::check(source, findings);
    }
    if let Some(source) = source {
        startup.scaling = scaling::check(source, startup.admin.port(), findings);
    }
    startup.tracing.otlp = tracing::otlp(source, overrides, findings);
    if startup.listen == Some(startup.admin) && startup.admin.port() != 0 {
        let place = source.map(|source| source.document.place(&Path::spec().key("admin"))).unwrap_or_default();
        let message = format!("Traffic and the admin API would share {}.", startup.admin);
        findings.error(OWN_SCHEMA, place, remark(message, "Give the admin API a port of its own."));
    }
    (limits(spec), startup)
}

fn limits(spec: &Settings) -> Limits {
    Limits {
        max_body_bytes: spec.limits.max_body_bytes.unwrap_or(MAX_BODY_BYTES),
        max_rate_limit_keys: spec.limits.max_rate_limit_keys.unwrap_or(MAX_RATE_LIMIT_KEYS),
        max_connections: NonZeroU32::new(spec.limits.max_connections.unwrap_or(MAX_CONNECTIONS)),
        max_headers: spec.limits.max_headers.unwrap_or(MAX_HEADERS),
        max_retry_buffer_bytes: spec.limits.max_retry_buffer_bytes.unwrap_or(MAX_RETRY_BUFFER_BYTES),
        http2: http2_limits(&spec.limits.http2),
        request_timeout: duration(spec.limits.request_timeout.as_deref(), REQUEST_TIMEOUT),
        stream_idle_timeout: duration(spec.limits.stream_idle_timeout.as_deref(), STREAM_IDLE_TIMEOUT),
        trust_forwarded_proto: spec.limits.trust_forwarded_proto,
        trace_sampling: tracing::sampling(spec),
    }
}

fn http2_limits(written: &written::Http2Limits) -> Http2Limits {
    let default = HTTP2_LIMITS;
    Http2Limits {
        max_concurrent_streams: written.max_concurrent_streams.unwrap_or(default.max_concurrent_streams),
        max_resets_per_second: written.max_resets_per_second.unwrap_or(default.max_resets_per_second),
        max_control_frames_per_second: written
            .max_control_frames_per_second
            .unwrap_or(default.max_control_frames_per_second),
        max_empty_frames_per_second: written.max_empty_frames_per_second.unwrap_or(default.max_empty_frames_per_second),
        max_continuation_frames: written.max_continuation_frames.unwrap_or(default.max_continuation_frames),
    }
}

fn startup(
    spec: &Settings,
    overrides: &Overrides,
    written: (Option<SocketAddr>, Option<SocketAddr>),
    dns: Dns,
) -> Startup {
    let text = |written: &Option<String>, default: &str| written.clone().unwrap_or_else(|| default.to_owned());
    Startup {
        listen: overrides.listen.or(written.0).or(spec.gateway.is_none().then_some(LISTEN)),
        listeners: Vec::new(),
        admin: overrides.admin.or(written.1).unwrap_or(ADMIN),
        workers: spec.workers.and_then(NonZeroU32::new),
        backlog: spec.backlog.unwrap_or(BACKLOG),
        keepalive: duration(spec.keepalive.as_deref(), KEEPALIVE),
        max_connection_age: Some(duration(spec.max_connection_age.as_deref(), MAX_CONNECTION_AGE))
            .filter(|age| !age.is_zero()),
        header_timeout: duration(spec.header_timeout.as_deref(), HEADER_TIMEOUT),
        max_header_bytes: spec.max_header_bytes.unwrap_or(MAX_HEADER_BYTES),
        drain_timeout: duration(spec.drain.timeout.as_deref(), DRAIN_TIMEOUT),
        drain_delay: overrides.drain_delay.unwrap_or(duration(spec.drain.delay.as_deref(), Duration::ZERO)),
        access_log: overrides.access_log.or(spec.access_log).unwrap_or(true),
        log: overrides.log.clone().unwrap_or_else(|| text(&spec.log, "info")),
        tracing: tracing::none(overrides, spec, spec.workload.name.as_deref().unwrap_or(NAME)),
        workload: Workload {
            name: text(&spec.workload.name, NAME),
            namespace: text(&spec.workload.namespace, "default"),
            labels: with_topology(&spec.workload.labels, &Locality::parse(&spec.workload.locality), ""),
            locality: Locality::parse(&spec.workload.locality),
        },
        dns,
        scaling: scaling::none(),
    }
}

fn dns(spec: &Settings, source: Option<&Sourced<Settings>>, findings: &mut Findings) -> Dns {
    let mut servers = Vec::new();
    for (at, text) in spec.dns.servers.iter().enumerate() {
        let parsed = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, DNS_PORT)));
        match (parsed, source) {
            (Ok(server), _) => servers.push(server),
            (Err(_), Some(source)) if source.intact => {
                let said = remark(
                    format!("`{text}` is no address of a DNS server."),
                    "Write an IP address, and a port if it is not 53, as in `10.0.0.10` or `127.0.0.1:5353`.",
                );
                let path = Path::spec().key("dns").key("servers").index(at);
                findings.error(OWN_SCHEMA, source.document.place(&path), said);
            }
            (Err(_), _) => {}
        }
    }
    Dns {
        servers,
        timeout: duration(spec.dns.timeout.as_deref(), DNS_TIMEOUT),
        start_timeout: duration(spec.dns.start_timeout.as_deref(), DNS_START_TIMEOUT),
    }
}

/// The local model; `None` leaves the local tier off.
pub(super) fn local_model(written: &Written, overrides: &Overrides, findings: &mut Findings) -> Option<LocalModel> {
    let unset = ModelFiles::default();
    let settings = written.settings.first().and_then(|source| source.spec.local_model.as_ref());
    let folder = overrides.model.clone().or_else(|| settings.map(|model| PathBuf::from(&model.folder)))?;
    let model = settings.unwrap_or(&unset);
    let count =
        |written: Option<u32>, default: u32| NonZeroU32::new(written.unwrap_or(default)).unwrap_or(NonZeroU32::MIN);
    Some(LocalModel {
        file: model.file.clone().unwrap_or_else(|| MODEL_FILE.to_owned()),
        library: overrides.library.clone().or_else(|| model.library.as_ref().map(PathBuf::from)),
        rollout: model_versions::rollout(written, model, findings),
        readiness: if model.readiness.as_deref() == Some("Ignore") {
            ModelReadiness::Ignore
        } else {
            ModelReadiness::Wait
        },
        batching: batching(model),
        cores: model.cores.clone(),
        threads: count(model.threads, MODEL_THREADS),
        max_batch: count(model.max_batch, MODEL_BATCH),
        queue: count(model.queue, MODEL_QUEUE),
        encoding: models::encoding(&model.encoding),
        execution_providers: model.execution_providers.clone(),
        models: models::beside(&model.models, &folder),
        folder,
    })
}

/// Where the local model's execution providers stand; nowhere, where there are none.
pub(super) fn providers_place(documents: &[Sourced<Settings>]) -> Place {
    let path = Path::spec().key("localModel").key("executionProviders");
    documents.first().map(|source| source.document.place(&path)).unwrap_or_default()
}

/// Reports what of `gateway` is no address or port.
fn check_gateway(source: &Sourced<Settings>, findings: &mut Findings) {
    let (document, path) = (&source.document, Path::spec().key("gateway"));
    let gateway = source.spec.gateway.as_ref();
    if let Some(text) =
        gateway.and_then(|gateway| gateway.address.as_ref()).filter(|text| text.parse::<IpAddr>().is_err())
    {
        let said = remark(format!("`{text}` is no IP address."), "Write one without a port, as in `0.0.0.0` or `::`.");
        findings.error(OWN_SCHEMA, document.place(&path.key("address")), said);
    }
    let ports = gateway.iter().flat_map(|gateway| gateway.ports.keys());
    for port in ports.filter(|port| port.parse::<NonZeroU16>().is_err()) {
        let said = remark(format!("`{port}` is no port."), "Write the number of a Gateway's port, in quotes.");
        findings.error(OWN_SCHEMA, document.place_of_key(&path.key("ports").key(port)), said);
    }
}

/// Where the gateway's ports are bound: the address, and the ports that are bound to another number.
pub(super) fn gateway_binding(documents: &[Sourced<Settings>], startup: &Startup) -> (IpAddr, BTreeMap<u16, u16>) {
    let written = documents.first().and_then(|source| source.spec.gateway.as_ref());
    let address = written.and_then(|gateway| gateway.address.as_ref()).and_then(|address| address.parse().ok());
    let ports = written.iter().flat_map(|gateway| &gateway.ports);
    let ports = ports.filter_map(|(port, bound)| Some((port.parse().ok()?, *bound)));
    let own = startup.listen.unwrap_or(LISTEN).ip();
    (address.unwrap_or(own), ports.collect())
}

/// The proxy that the documents are read for: the one asked for, else the one that the settings make of this router.
pub(super) fn viewpoint(documents: &[Sourced<Settings>], overrides: &Overrides, startup: &Startup) -> Viewpoint {
    let mut workload = startup.workload.clone();
    let asked = overrides.viewpoint.as_ref();
    if let Some(namespace) = asked.and_then(|asked| asked.namespace.as_ref()) {
        workload.namespace.clone_from(namespace);
    }
    if let Some(labels) = asked.and_then(|asked| asked.gateway.as_ref()) {
        workload.labels.clone_from(labels);
        return Viewpoint { workload, role: Role::Gateway { mesh: false } };
    }
    let is_gateway = documents.first().is_some_and(|source| source.spec.gateway.is_some());
    let role = if is_gateway {
        Role::Gateway { mesh: startup.listen.is_some() }
    } else {
        Role::Sidecar(asked.and_then(|asked| asked.port))
    };
    Viewpoint { workload, role }
}

/// The duration that the schema walk has let through, else the default.
pub(super) fn duration(text: Option<&str>, default: Duration) -> Duration {
    text.and_then(|text| parse_duration(text).ok()).unwrap_or(default)
}
