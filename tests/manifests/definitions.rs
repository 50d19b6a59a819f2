//! The definitions of our own kinds refuse what `overspill check` refuses, as far as a schema and rules in CEL can: the API
//! server then says it to whoever applies a document, before any router reads it.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::files::root;
use super::tools::{all, overspill, tool};

const SERVICE: &str = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: gpu, namespace: agents}\n\
                       spec: {hosts: [gpu.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}\n---\n";

/// What a PoolPolicy may not say beside its host.
const WRONG_POLICIES: [&str; 29] = [
    "tier: tpu",
    "colour: red",
    "port: 70000",
    "slotsPerEndpoint: 0",
    "slotsPerEndpoint: many",
    "slotsPerEndpoint: 1.5",
    "slots: {mode: Adaptive, min: 5, max: 2}",
    "queue: {timeout: soon}",
    "queue: {maxPending: -1}",
    "queue: {order: Random}",
    "latencyObjective: 0s",
    "latencyDecay: 0ms",
    "localModel: Perhaps",
    "spillTo: gpu",
    "spillTo: [{}]",
    "holdAtZero: {maxRequests: 0}",
    "holdAtZero: {timeout: 0s}",
    "hedge: {}",
    "hedge: {delay: 1s, percentile: 95}",
    "hedge: {percentile: 100}",
    "healthCheck: {}",
    "healthCheck: {http: {path: /a}, grpc: {}}",
    "healthCheck: {http: {path: a}}",
    "healthCheck: {http: {path: /a, method: 'G ET'}}",
    "loadReports: {metrics: {path: a}}",
    "scaling: {minReplicas: 3, maxReplicas: 2}",
    "scaling: {preset: fast}",
    "scaling: {targets: {cpu: 0}}",
    "scaling: {scaleTargetRef: {name: My_Agent}}",
];

/// What Settings may not say.
const WRONG_SETTINGS: [&str; 9] = [
    "listen: nowhere",
    "admin: 127.0.0.1",
    "workers: 0",
    "drain: {timeout: x}",
    "maxHeaderBytes: 1",
    "scaling: {externalScaler: here}",
    "scaling: {peers: ['a b:1']}",
    "scaling: {metricsApi: {address: 0.0.0.0:1}}",
    "localModel: {queue: -1}",
];

/// What both take.
const RIGHT: [(&str, &str); 6] = [
    ("PoolPolicy", "host: gpu.example.com, healthCheck: {http: {path: /a, method: HEAD}, interval: 0.5s}"),
    (
        "PoolPolicy",
        "host: gpu.example.com, hedge: {percentile: 95}, latencyObjective: 10ms, slots: {mode: Adaptive, min: 2, max: 2}",
    ),
    ("PoolPolicy", "host: gpu.example.com, scaling: {minReplicas: 0, maxReplicas: 9, scaleTargetRef: {name: a.b-1}}"),
    ("PoolPolicy", "host: gpu.example.com, queue: {timeout: 1m30s}"),
    ("Settings", "listen: '[::]:8080', admin: 0.0.0.0:15000, drain: {timeout: 0s}"),
    ("Settings", "scaling: {externalScaler: '127.0.0.1:9090', peers: ['a.example.com:15000']}"),
];

fn document(kind: &str, spec: &str) -> String {
    format!(
        "apiVersion: overspill.dev/v1\nkind: {kind}\nmetadata: {{name: one, namespace: agents}}\nspec: {{{spec}}}\n"
    )
}

#[test]
fn definitions_and_check_refuse_the_same() {
    let Some(validator) = tool("kubernetes-validate") else { return };
    let policies = WRONG_POLICIES.iter().map(|spec| ("PoolPolicy", format!("host: gpu.example.com, {spec}"), false));
    let settings = WRONG_SETTINGS.iter().map(|spec| ("Settings", (*spec).to_owned(), false));
    let right = RIGHT.iter().map(|(kind, spec)| (*kind, (*spec).to_owned(), true));
    let cases: Vec<_> = policies.chain(settings).chain(right).collect();
    let folder = TempDir::new().expect("a temporary folder");
    let mut validate = Command::new(validator.with_file_name("python"));
    validate.current_dir(root()).args([
        "tests/manifests/validate.py",
        "--definitions",
        "manifests/crds/definitions.yaml",
    ]);
    for (at, (kind, spec, is_right)) in cases.iter().enumerate() {
        let document = document(kind, spec);
        let (alone, whole) = (folder.path().join(format!("{at}.yaml")), folder.path().join(format!("{at}-whole.yaml")));
        fs::write(&alone, &document).expect("a temporary folder is writable");
        fs::write(&whole, format!("{SERVICE}{document}")).expect("a temporary folder is writable");
        let output = overspill().arg("check").arg(&whole).output().expect("the program starts");
        assert_eq!(output.status.success(), *is_right, "check: {spec}: {}", all(&output));
        validate.arg(format!("case-{at}={}", alone.display()));
    }
    let output = validate.output().expect("python starts");
    let said = all(&output);
    for (at, (_, spec, is_right)) in cases.iter().enumerate() {
        let is_refused = said.lines().any(|line| line.starts_with(&format!("case-{at}: ")));
        assert_ne!(is_refused, *is_right, "the definitions: {spec}: {said}");
    }
}
