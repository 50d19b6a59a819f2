//! `TrafficPolicy`, of a rule, a subset or a port.

use super::judge::Judge;
use super::names::{domain, is_ip};
use super::spot::Spot;
use super::{client_tls, load_balancer};

/// What a policy may say; that of a port only the first four.
const SECTIONS: [&str; 8] = [
    "outlierDetection",
    "connectionPool",
    "loadBalancer",
    "tls",
    "portLevelSettings",
    "tunnel",
    "proxyProtocol",
    "retryBudget",
];

pub(super) fn judge(judge: &mut Judge<'_>, policy: &Spot<'_>) {
    if !policy.is_set() {
        return;
    }
    let ports = policy.at("portLevelSettings");
    let says = |field: &str| match field {
        "portLevelSettings" => ports.items().next().is_some(),
        field => policy.at(field).is_set(),
    };
    if !SECTIONS.iter().any(|field| says(field)) {
        let cure = format!("Add one of {}, or take it out.", SECTIONS.join(", "));
        judge.miss(policy, "A traffic policy must have at least one field.", cure);
        return;
    }
    if policy.at("tunnel").is_set() && policy.at("proxyProtocol").is_set() {
        let message = "`tunnel` and `proxyProtocol` must not be set together.";
        judge.reject(&policy.at("tunnel"), message, "Keep one of them.");
        return;
    }
    sections(judge, policy);
    judge.at_most(&ports, 4096);
    for port in ports.items() {
        if !port.at("port").is_set() {
            judge.miss(&port, "These settings of a port must have a valid `port`.", "Add `port: {number: ...}`.");
        }
        if SECTIONS[..4].iter().all(|field| !port.at(field).is_set()) {
            let cure = format!("Add one of {}, or take it out.", SECTIONS[..4].join(", "));
            judge.miss(&port, "The traffic policy of a port must have at least one field.", cure);
        }
        sections(judge, &port);
    }
    tunnel(judge, &policy.at("tunnel"));
}

fn sections(judge: &mut Judge<'_>, policy: &Spot<'_>) {
    let outlier = policy.at("outlierDetection");
    outlier_detection(judge, &outlier);
    connection_pool(judge, &policy.at("connectionPool"));
    load_balancer::judge(judge, &policy.at("loadBalancer"), &outlier);
    client_tls::judge(judge, &policy.at("tls"));
}

fn outlier_detection(judge: &mut Judge<'_>, outlier: &Spot<'_>) {
    judge.duration(&outlier.at("baseEjectionTime"));
    judge.duration(&outlier.at("interval"));
    let errors = outlier.at("consecutiveErrors");
    if errors.int() != 0 {
        let cure = "Write `consecutiveGatewayErrors` or `consecutive5xxErrors`.";
        judge.warn(&errors, "`consecutiveErrors` is deprecated.", cure);
    }
    let local = outlier.at("consecutiveLocalOriginFailures");
    if local.int() > 0 && !outlier.at("splitExternalLocalOriginErrors").is_true() {
        let message = "Consecutive local origin failures are specified, but local origin errors are not split from \
                       external ones.";
        judge.reject(&local, message, "Add `splitExternalLocalOriginErrors: true`, or take this out.");
    }
    for field in ["maxEjectionPercent", "minHealthPercent"] {
        let percent = outlier.at(field);
        if !(0..=100).contains(&percent.int()) {
            let message = format!("The percentage {} is not in the range 0 to 100.", percent.int());
            judge.reject(&percent, message, "Write a number from 0 to 100.");
        }
    }
}

fn connection_pool(judge: &mut Judge<'_>, pool: &Spot<'_>) {
    let (http, tcp) = (pool.at("http"), pool.at("tcp"));
    if pool.is_set() && !http.is_set() && !tcp.is_set() {
        judge.miss(pool, "A connection pool must have at least one field.", "Add `http` or `tcp`, or take it out.");
    }
    let counts = [
        "http1MaxPendingRequests",
        "http2MaxRequests",
        "maxRequestsPerConnection",
        "maxRetries",
        "maxConcurrentStreams",
    ];
    let counts = counts.iter().map(|field| http.at(field)).chain([tcp.at("maxConnections")]);
    for count in counts.filter(|count| count.int() < 0) {
        judge.reject(&count, format!("The number {} must be non-negative.", count.int()), "Write 0 or more.");
    }
    if http.at("h2UpgradePolicy").text() == "UPGRADE" && http.at("useClientProtocol").is_true() {
        let message = "`useClientProtocol` must not be true when `h2UpgradePolicy` is UPGRADE.";
        judge.reject(&http.at("useClientProtocol"), message, "Take one of the two out.");
    }
    judge.duration(&http.at("idleTimeout"));
    judge.duration(&tcp.at("connectTimeout"));
    judge.duration(&tcp.at("maxConnectionDuration"));
    let keepalive = tcp.at("tcpKeepalive");
    judge.duration(&keepalive.at("time"));
    judge.duration(&keepalive.at("interval"));
    // Zero, and what rounds to it, turns this one off.
    judge.duration_or_none(&tcp.at("idleTimeout"));
}

fn tunnel(judge: &mut Judge<'_>, tunnel: &Spot<'_>) {
    if !tunnel.is_set() {
        return;
    }
    let (protocol, host, port) = (tunnel.at("protocol"), tunnel.at("targetHost"), tunnel.at("targetPort"));
    if !matches!(protocol.text(), "" | "CONNECT" | "POST") {
        let message = format!("The tunnel protocol must be CONNECT or POST, not `{}`.", protocol.text());
        judge.reject(&protocol, message, "Write `CONNECT`.");
    }
    if let Err(reason) = domain(host.text())
        && !is_ip(host.text())
    {
        let message = format!("The tunnel target host `{}` is no domain name or IP address: {reason}.", host.text());
        judge.miss(&host, message, "Name the host to connect to.");
    }
    judge.port(&port);
}
