//! KEDA's external scaler, asked by a client that is generated from KEDA's own proto.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

use super::harness::{Answer, Lines, Router, Upstream, Wire, log_field};
use super::{KEY, POOL, begin, documents};

const SETTINGS: &str = "scaling: {externalScaler: '127.0.0.1:0'}";

/// The generated client, as a process.
struct Keda {
    child: Child,
    input: ChildStdin,
    output: Lines,
    calls: u64,
}

impl Keda {
    /// One that asks `router`; `None` where Python or its gRPC tools are missing.
    fn of(router: &Router) -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let python = || Command::new(root.join(".venv/bin/python"));
        let found = python().args(["-c", "import grpc_tools"]).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("CI").is_none(), "grpcio-tools is installed by `make test-tools`");
            #[allow(clippy::print_stderr, reason = "a test that is left out says so")]
            {
                eprintln!("skipped: needs grpcio-tools in .venv (`make test-tools`)");
            }
            return None;
        }
        let mut child = python()
            .arg(root.join("tests/scaling/keda_client.py"))
            .arg(scaler(router).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let input = child.stdin.take().expect("stdin is piped");
        let output = Lines::of(child.stdout.take().expect("stdout is piped"));
        Some(Self { child, input, output, calls: 0 })
    }

    /// Begins a call, which is known by a number.
    fn begin(&mut self, method: &str, request: &Value) -> u64 {
        writeln!(self.input, "{}", json!({ "method": method, "request": request })).expect("the client reads");
        self.calls += 1;
        self.calls - 1
    }

    /// The first line about a call that `holds`.
    fn wait_for(&self, call: u64, holds: impl Fn(&Value) -> bool) -> Value {
        let found = self.output.find(0, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["call"] == call && holds(&line)).then_some(line)
        });
        found.expect("the client ended without such a line")
    }

    /// The message and the warning of a call that has one answer.
    fn ask(&mut self, method: &str, request: &Value) -> (Value, Value) {
        let call = self.begin(method, request);
        let end = self.wait_for(call, |line| !line["status"].is_null());
        assert_eq!(end["status"], "OK", "{method} never fails");
        let answer = self.wait_for(call, |line| !line["message"].is_null());
        (answer["message"].clone(), answer["metadata"]["overspill-warning"].clone())
    }
}

impl Drop for Keda {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn scaler(router: &Router) -> SocketAddr {
    let line = router.wait_for_log(0, |line| log_field(line, "message") == "listening for KEDA as an external scaler");
    log_field(&line, "address").as_str().and_then(|text| text.parse().ok()).expect("the log says where")
}

fn object(metadata: &Value) -> Value {
    json!({ "name": "gpu", "namespace": "inference", "scalerMetadata": metadata })
}

#[test]
fn demand_on_an_idle_pool_is_pushed_while_the_request_waits() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let router = Router::start(&documents(SETTINGS, &[gpu.address], "scaling: {minReplicas: 0, targetConcurrency: 4}"));
    let Some(mut keda) = Keda::of(&router) else { return };
    let asked = object(&json!({ "pool": POOL }));
    let stream = keda.begin("StreamIsActive", &asked);
    let first = keda.wait_for(stream, |line| !line["message"].is_null());
    assert_eq!(first["message"]["result"], false);
    assert_eq!(keda.ask("IsActive", &asked).0["result"], false);

    let mut client = begin(router.traffic);
    let exchange = gpu.next();
    keda.wait_for(stream, |line| line["message"]["result"] == true);
    assert_eq!(keda.ask("IsActive", &asked).0["result"], true);
    exchange.answer(200, "late");
    assert_eq!(client.read_reply().head.status, 200);
}

#[test]
fn metrics_and_their_targets_are_floats_and_agree() {
    let gpu = Upstream::start(Wire::H1, Answer::Held);
    let policy = "scaling: {minReplicas: 0, maxReplicas: 10, targetConcurrency: 2.5, targets: {requestsPerSecond: 30}}";
    let router = Router::start(&documents(SETTINGS, &[gpu.address], policy));
    let Some(mut keda) = Keda::of(&router) else { return };
    for (metric, target) in [("", 1.0), ("concurrency", 2.5), ("requests_per_second", 30.0), ("pending_requests", 50.0)]
    {
        let metadata =
            if metric.is_empty() { json!({ "pool": POOL }) } else { json!({ "pool": POOL, "metric": metric }) };
        let (spec, warning) = keda.ask("GetMetricSpec", &object(&metadata));
        let name = if metric.is_empty() { "desired_replicas" } else { metric };
        let whole = if metric == "concurrency" { 3.0 } else { target };
        let expected = json!([{ "metricName": name, "targetSize": format!("{whole}"), "targetSizeFloat": target }]);
        assert_eq!((&spec["metricSpecs"], warning), (&expected, Value::Null));
        let streamed = keda.begin("StreamMetricSpec", &object(&metadata));
        assert_eq!(keda.wait_for(streamed, |line| !line["message"].is_null())["message"], spec);
    }
    let written = object(&json!({ "pool": POOL, "metric": "concurrency", "targetValue": "7.5" }));
    assert_eq!(keda.ask("GetMetricSpec", &written).0["metricSpecs"][0]["targetSizeFloat"], 7.5);

    let clients: Vec<_> = (0..5).map(|_| begin(router.traffic)).collect();
    let exchanges: Vec<_> = clients.iter().map(|_| gpu.next()).collect();
    let metric = json!({ "scaledObjectRef": object(&json!({ "pool": POOL })), "metricName": "desired_replicas" });
    let pending = json!({ "scaledObjectRef": object(&json!({ "pool": POOL })), "metricName": "pending_requests" });
    router.wait_until("five requests need two replicas", |_| {
        keda.ask("GetMetrics", &metric).0["metricValues"][0]["metricValueFloat"]
            .as_f64()
            .is_some_and(|value| value > 1.9)
    });
    let (answer, _) = keda.ask("GetMetrics", &metric);
    let value = &answer["metricValues"][0];
    assert_eq!(value["metricName"], "desired_replicas");
    let whole: f64 = value["metricValue"].as_str().and_then(|text| text.parse().ok()).expect("a whole number");
    assert!(value["metricValueFloat"].as_f64() <= Some(whole) && whole >= 2.0, "{value}");
    assert_eq!(keda.ask("GetMetrics", &pending).0["metricValues"][0]["metricValueFloat"], 5.0);
    for exchange in exchanges {
        exchange.answer(200, "");
    }
}

#[test]
fn what_is_unknown_is_inactive_and_zero_and_said_to_be_so() {
    let gpu = Upstream::start(Wire::H1, Answer::Echo("gpu".to_owned()));
    let router = Router::start(&documents(SETTINGS, &[gpu.address], "tier: gpu"));
    let Some(mut keda) = Keda::of(&router) else { return };
    let asked = object(&json!({ "pool": "nowhere.example:80" }));
    let said = |warning: &Value| warning.as_str().is_some_and(|text| text.contains("nowhere.example:80"));
    let (active, warning) = keda.ask("IsActive", &asked);
    assert!(active["result"] == false && said(&warning), "{warning}");
    let (spec, warning) = keda.ask("GetMetricSpec", &asked);
    assert!(spec["metricSpecs"][0]["targetSizeFloat"] == 1.0 && said(&warning), "{spec} {warning}");
    let (value, warning) =
        keda.ask("GetMetrics", &json!({ "scaledObjectRef": asked, "metricName": "desired_replicas" }));
    assert!(value["metricValues"][0]["metricValueFloat"] == 0.0 && said(&warning), "{value} {warning}");
    let stream = keda.begin("StreamIsActive", &asked);
    assert_eq!(keda.wait_for(stream, |line| !line["message"].is_null())["message"]["result"], false);
    router.wait_for_log(0, |line| {
        log_field(line, "warning").as_str().is_some_and(|text| text.contains("nowhere.example:80"))
    });
    // However long a name is, and whatever it is written in, there is an answer, and it says who took part.
    for name in ["x".repeat(100_000), "ü".repeat(5000), "a\nb".to_owned(), String::new()] {
        let call = keda.begin("IsActive", &object(&json!({ "pool": name })));
        let answer = keda.wait_for(call, |line| !line["message"].is_null() || !line["status"].is_null());
        assert_eq!(answer["message"]["result"], false, "{answer}");
        assert_eq!(answer["metadata"]["overspill-routers"], "answered=1, asked=1");
        assert!(
            answer["metadata"]["overspill-warning"].as_str().is_some_and(|said| said.is_ascii() && said.len() < 1200)
        );
    }
    for wrong in [json!({ "pool": POOL, "metric": "cpu" }), json!({ "pool": POOL, "targetValue": "-1" })] {
        let (spec, warning) = keda.ask("GetMetricSpec", &object(&wrong));
        assert!(spec["metricSpecs"][0]["targetSizeFloat"] == 1.0 && warning.is_string(), "{wrong}: {spec} {warning}");
    }
}

#[test]
fn a_request_that_is_held_for_a_pool_at_zero_wakes_the_autoscaler() {
    let router = Router::start(&documents(SETTINGS, &[], "scaling: {minReplicas: 0}, holdAtZero: {}"));
    let Some(mut keda) = Keda::of(&router) else { return };
    let stream = keda.begin("StreamIsActive", &object(&json!({ "pool": KEY })));
    assert_eq!(keda.wait_for(stream, |line| !line["message"].is_null())["message"]["result"], false);
    let mut client = begin(router.traffic);
    keda.wait_for(stream, |line| line["message"]["result"] == true);
    let gpu = Upstream::start(Wire::H1, Answer::Echo("gpu".to_owned()));
    let scaled = documents(SETTINGS, &[gpu.address], "scaling: {minReplicas: 0}, holdAtZero: {}");
    router.folder().replace("documents.yaml", &scaled);
    assert_eq!(client.read_reply().head.status, 200);
}
