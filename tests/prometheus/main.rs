//! A real Prometheus server reads the router's metrics, and what it says agrees with what the client measured.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod server;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::series::{DURATION, REQUESTS};
use harness::{Answer, Load, Router, Service, Tally, Upstream, Wire, virtual_service};
use server::{Prometheus, Scrape};

/// One in ten requests takes the longer of these, so that p99 is well inside the slow ones and they well inside one
/// bucket of the histogram.
const QUICK: Duration = Duration::from_millis(12);
const SLOW: Duration = Duration::from_millis(120);

fn known_traffic() -> (Router, Upstream, Tally) {
    let upstream = Upstream::start(Wire::H1, Answer::Timed { quick: QUICK, slow: SLOW });
    let service = Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let rule = "  - {name: all, route: [{destination: {host: up.example}}]}";
    let router = Router::start(&(virtual_service("app.example", rule) + &service));
    let load = Load { address: router.traffic, connections: 4, requests: 250, host: "app.example", path: "/" };
    let tally = load.run();
    assert_eq!((tally.total(), tally.lost.len()), (1000, 0), "{:?}", tally.lost);
    (router, upstream, tally)
}

/// The edges around `seconds` in the router's own histogram: the bucket that holds it.
fn bucket(router: &Router, seconds: f64) -> (f64, f64) {
    let metrics = router.metrics();
    let buckets = format!("{DURATION}_bucket");
    let mut edges: Vec<f64> =
        metrics.label_values(&buckets, "le").into_iter().filter_map(|edge| edge.parse().ok()).collect();
    edges.sort_unstable_by(f64::total_cmp);
    edges.dedup();
    assert!(edges.contains(&0.5), "operators alert at exactly 0.5 s: {edges:?}");
    let above = edges.iter().position(|edge| *edge >= seconds).expect("the last edge is infinite");
    (if above == 0 { 0.0 } else { edges[above - 1] }, edges[above])
}

#[test]
fn prometheus_and_the_client_agree_on_p99() {
    let Some(program) = program("prometheus") else { return };
    let (router, _upstream, tally) = known_traffic();
    let scrape = Scrape { target: router.admin, job: "overspill", rules: None };
    let prometheus = Prometheus::start(&program, &scrape);
    let counted = format!("sum({REQUESTS}{{route=\"default/app-example/all\"}})");
    router.wait_until("Prometheus has scraped the last request", |_| prometheus.query(&counted) == Some(1000.0));
    let measured = tally.quantile(0.99).as_secs_f64();
    let (below, above) = bucket(&router, measured);
    // Every request is in the counters from zero, so the whole of them is the window, and no rate is needed.
    let p99 = format!("histogram_quantile(0.99, sum by (le) ({DURATION}_bucket))");
    // A scrape that a busy machine makes late leaves nothing to ask for until the next.
    let asked = |expression: &str| {
        let mut told = None;
        router.wait_until("Prometheus has an answer", |_| {
            told = prometheus.query(expression);
            told.is_some()
        });
        told
    };
    let told = asked(&p99).expect("it was waited for");
    assert!(
        (told - measured).abs() <= above - below,
        "Prometheus says {told} s and the client {measured} s, in the bucket from {below} to {above} s"
    );
    let istio = "sum(istio_requests_total{reporter=\"destination\",response_code=\"200\",\
                 destination_service=\"up.example\"})";
    assert_eq!(asked(istio), Some(1000.0));
    let counted = "sum(istio_request_duration_milliseconds_count{destination_service=\"up.example\"})";
    assert_eq!(asked(counted), Some(1000.0));
}

#[test]
fn promtool_finds_no_fault_in_the_metrics() {
    let Some(program) = program("promtool") else { return };
    let (router, _upstream, _tally) = known_traffic();
    let mut child = Command::new(program)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    // Istio's names are Istio's: milliseconds and all.
    let text = router.admin_get("/metrics").text();
    let own = text.lines().filter(|line| !line.contains("istio_")).fold(String::new(), |own, line| own + line + "\n");
    child.stdin.take().expect("stdin is piped").write_all(own.as_bytes()).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The path of a program that need not be there, except in CI.
fn program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is missing, and CI must run this test: install Prometheus");
        #[allow(clippy::print_stderr, reason = "a test that does not run says so")]
        {
            eprintln!("skipped: needs {name}");
        }
    }
    found
}
