//! Each reason that a request can end with is the same in `Proxy-Status`, access log, metric label and span.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::collector::{Collector, ERROR, UNSET, hex, is, status, told};
use super::harness::series::{IN_FLIGHT, QUEUED, REQUESTS};
use super::harness::{
    AccessLine, Answer, Client, Connection, DnsServer, Exchange, Load, Lookup, RawUpstream, Reply, Router, Service,
    Upstream, Wire, closed_port, policy, virtual_service,
};

/// The rule of each host: its fields in flow style.
const HOSTS: [(&str, &str); 12] = [
    ("empty.example", ""),
    ("queued.example", ""),
    ("waited.example", ""),
    ("down.example", ""),
    ("slow.example", ""),
    ("mute.example", ""),
    ("plain.example", ""),
    ("reset.example", "retries: {attempts: 0}, "),
    ("garbage.example", "retries: {attempts: 0}, "),
    ("late.example", "timeout: 100ms, "),
    ("still.example", ""),
    ("held.example", ""),
];

/// Every endpoint that the cases need.
struct Endpoints {
    held: Upstream,
    slow: Upstream,
    mute: RawUpstream,
    reset: RawUpstream,
    garbage: RawUpstream,
    down: SocketAddr,
}

impl Endpoints {
    fn start(down: SocketAddr) -> Self {
        let time = Duration::from_millis(50);
        Self {
            held: Upstream::start(Wire::H1, Answer::Held),
            slow: Upstream::start(Wire::H1, Answer::Timed { quick: time, slow: time }),
            mute: RawUpstream::start(|mut visitor, _| visitor.read_to_end()),
            reset: RawUpstream::start(|mut visitor, _| {
                visitor.head();
                visitor.close();
            }),
            garbage: RawUpstream::start(|mut visitor, _| {
                visitor.head();
                visitor.write("this is not HTTP\r\n\r\n");
                visitor.close();
            }),
            down,
        }
    }

    fn of(&self, host: &str) -> Vec<SocketAddr> {
        match host {
            "empty.example" => Vec::new(),
            "down.example" => vec![self.down],
            "slow.example" => vec![self.slow.address],
            "mute.example" | "late.example" | "still.example" => vec![self.mute.address],
            "reset.example" => vec![self.reset.address],
            "garbage.example" => vec![self.garbage.address],
            _ => vec![self.held.address],
        }
    }

    fn documents(&self) -> String {
        let mut documents = String::new();
        for (host, fields) in HOSTS {
            let rule = format!("  - {{name: all, {fields}route: [{{destination: {{host: {host}}}}}]}}");
            documents += &virtual_service(&host.replace(".example", ".app"), &rule);
            documents += &Service { host, wire: Wire::H1, endpoints: &self.of(host) }.document();
        }
        for (host, traffic) in [
            ("mute.example", "{connectionPool: {tcp: {connectTimeout: 100ms}}, tls: {mode: SIMPLE}}"),
            ("plain.example", "{tls: {mode: SIMPLE}}"),
        ] {
            write!(
                documents,
                "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {}}}\n\
                 spec: {{host: {host}, trafficPolicy: {traffic}}}\n",
                host.replace('.', "-")
            )
            .expect("a string takes all text");
        }
        documents
            + &policy("queued.example", "slotsPerEndpoint: 1, queue: {maxPending: 1, timeout: 1m}")
            + &policy("waited.example", "slotsPerEndpoint: 1, queue: {maxPending: 1, timeout: 50ms}")
            + &policy("slow.example", "slotsPerEndpoint: 2, queue: {maxPending: 1000, timeout: 250ms, order: Fifo}")
            + &virtual_service("limited.app", "  - {name: all, route: [{destination: {host: held.example}}]}")
            + "---\napiVersion: overspill.dev/v1\nkind: RoutePolicy\nmetadata: {name: app, namespace: default}\n\
               spec: {virtualService: limited-app, rateLimits: [{requests: 1, unit: HOUR}]}\n"
            + &virtual_service(
                "aborted.app",
                "  - {name: all, fault: {abort: {httpStatus: 503, percentage: {value: 100}}}, \
                 route: [{destination: {host: held.example}}]}",
            )
    }
}

/// Hosts that are looked up when they are asked for, on `port`.
fn wildcard(host: &str, port: u16) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {}}}\nspec:\n  \
         hosts: [\"*.{host}\"]\n  resolution: NONE\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]\n",
        host.replace('.', "-")
    )
}

fn head(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

fn ask(router: &Router, request: &str) -> Reply {
    let mut connection = Connection::open(router.traffic);
    connection.try_send(request.as_bytes());
    connection.read_reply()
}

fn begin(router: &Router, host: &str) -> Connection {
    let mut connection = Connection::open(router.traffic);
    connection.send(head(host));
    connection
}

/// What each request that is refused alone was answered, by the reason that it is refused for.
fn refused_alone(router: &Router) -> BTreeMap<&'static str, Reply> {
    let large = format!("GET / HTTP/1.1\r\nhost: held.app\r\nx-a: {}\r\n\r\n", "x".repeat(70_000));
    let long = format!("GET /{} HTTP/1.1\r\nhost: held.app\r\n\r\n", "x".repeat(70_000));
    let requests = [
        ("route_not_found", head("absent.app")),
        ("no_endpoint", head("empty.app")),
        ("name_not_resolved", head("absent.many.example")),
        ("loop_detected", head("here.loop.example")),
        ("connect_failed", head("down.app")),
        ("connect_timeout", head("mute.app")),
        ("upstream_tls_failed", head("plain.app")),
        ("upstream_reset", head("reset.app")),
        ("upstream_protocol_error", head("garbage.app")),
        ("request_timeout", head("late.app")),
        ("fault_injected", head("aborted.app")),
        ("malformed_request", "GET / HTTP/1.1\r\n\r\n".to_owned()),
        ("head_too_large", large),
        ("target_too_long", long),
        ("head_timeout", "GET / HTTP/1.1\r\nhost: held.app\r\n".to_owned()),
        ("body_timeout", "POST / HTTP/1.1\r\nhost: still.app\r\ncontent-length: 5\r\n\r\n".to_owned()),
        ("body_too_large", "POST / HTTP/1.1\r\nhost: held.app\r\ncontent-length: 9\r\n\r\n".to_owned()),
    ];
    requests.into_iter().map(|(reason, request)| (reason, ask(router, &request))).collect()
}

/// Requests that others stand in the way of. What is held stays so.
fn refused_for_others(
    router: &Router,
    held: &Upstream,
) -> (BTreeMap<&'static str, Reply>, Vec<(Connection, Exchange)>) {
    let mut replies = BTreeMap::new();
    let mut stuck = Vec::new();
    for host in ["waited.app", "queued.app"] {
        stuck.push((begin(router, host), held.next()));
    }
    replies.insert("queue_timeout", ask(router, &head("waited.app")));
    let waiting = begin(router, "queued.app");
    router.wait_for("one waits", |metrics| metrics.count(QUEUED, &[]) == 1);
    replies.insert("queue_full", ask(router, &head("queued.app")));
    // Its client goes away while it waits.
    drop(waiting);
    router.wait_for_access(|line| line.field("reason") == "client_disconnected");

    let mut limited = begin(router, "limited.app");
    held.next().answer(200, "");
    assert_eq!(limited.read_reply().head.status, 200);
    replies.insert("rate_limited", ask(router, &head("limited.app")));
    (replies, stuck)
}

/// Holds each line of the access log against the span of its request; how many there are of each reason.
fn held_together(access: &[AccessLine], spans: &[Span]) -> BTreeMap<String, u64> {
    let of_requests: BTreeMap<String, &Span> = spans
        .iter()
        .filter(|span| is(span, SpanKind::Server))
        .map(|span| (told(span, "guid:x-request-id"), span))
        .collect();
    assert_eq!(of_requests.len(), access.len(), "each request has a line and a span");
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for line in access {
        let span = of_requests[&line.field("request_id")];
        let reason = line.field("reason");
        assert_eq!(told(span, "overspill.reason"), reason, "{line:?}");
        assert_eq!(told(span, "http.response.status_code"), line.field("response_code"), "{line:?}");
        assert_eq!(told(span, "response_flags"), line.field("response_flags"), "{line:?}");
        assert_eq!(hex(&span.trace_id), line.field("trace_id"));
        let (code, message) = status(span);
        let failed = line.field("response_code").starts_with('5') || reason == "stream_idle_timeout";
        assert_eq!(code, if failed { ERROR } else { UNSET }, "{line:?}");
        assert_eq!(told(span, "error.type"), if failed { &*reason } else { "" }, "{line:?}");
        assert_eq!(message.starts_with(&format!("{reason}: ")), failed, "{message}");
        *seen.entry(reason).or_default() += 1;
    }
    seen
}

#[test]
fn each_reason_is_the_same_everywhere() {
    let (collector, dns) = (Collector::start(), DnsServer::start());
    let (_socket, down) = closed_port();
    let endpoints = Endpoints::start(down);
    dns.tell("here.loop.example", Lookup::Found(vec![Ipv4Addr::LOCALHOST.into()], 3600));
    let settings = collector.settings(&format!(
        "dns: {{servers: [\"{}\"]}}, headerTimeout: 300ms, drain: {{timeout: 100ms}}, \
         limits: {{maxBodyBytes: 8, streamIdleTimeout: 300ms}}",
        dns.address
    ));
    let documents = endpoints.documents() + &wildcard("many.example", 1) + &settings;
    let router = Router::start(&(documents.clone() + &wildcard("loop.example", 1)));
    router.folder().replace("documents.yaml", &(documents + &wildcard("loop.example", router.traffic.port())));
    router.wait_until("it knows its own port", |router| router.generation() == 2);

    let mut replies = refused_alone(&router);
    let (others, stuck) = refused_for_others(&router, &endpoints.held);
    replies.extend(others);
    let mut still = Client::connect(router.traffic, Wire::H1);
    let mut broken = still.to("held.app").start_empty("GET", "/", &[]);
    let mut half = endpoints.held.next();
    half.begin(200, &[]);
    assert!(half.send("half"));
    assert_eq!(broken.head().status, 200);
    assert!(broken.rest().is_err(), "an answer that stands still is broken off");
    let load = Load { address: router.traffic, connections: 32, requests: 12, host: "slow.app", path: "/" };
    assert!(load.run().lost.is_empty());

    for (reason, reply) in &replies {
        let told = reply.head.value("proxy-status");
        assert!(
            told.starts_with("overspill; error=") && told.contains(&format!("details=\"{reason}: ")),
            "{reason}: {told}"
        );
    }
    router.wait_for("nothing but what is held is left", |metrics| metrics.count(IN_FLIGHT, &[]) == 2);
    let metrics = router.metrics();
    router.signal("TERM");
    let mut spans = Vec::new();
    while !spans.iter().any(|span| told(span, "overspill.reason") == "drain_timeout") {
        let batch = collector.next();
        spans.extend(batch.spans);
        batch.exchange.answer(200, "");
    }
    let exit = router.wait_for_end();
    drop(stuck);

    let seen = held_together(&exit.access, &spans);
    let expected = replies.keys().copied().chain([
        "",
        "wait_too_long",
        "stream_idle_timeout",
        "client_disconnected",
        "drain_timeout",
    ]);
    assert_eq!(seen.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected.collect());
    for (reason, count) in seen.iter().filter(|(reason, _)| *reason != "drain_timeout") {
        assert_eq!(metrics.count(REQUESTS, &[("reason", reason)]), *count, "{reason}");
    }
}
