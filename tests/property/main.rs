//! Live traffic and `overspill explain` agree: random requests go through both, and what comes of them is the same.
//!
//! `PROPERTY_SEEDS=7,8 cargo test --test property` draws other requests than the fixed ones.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod compare;
mod generate;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use compare::differences;
use generate::Ask;
use harness::{Answer, Client, Folder, Router, Setup, Upstream, Wire};
use overspill::config::{Overrides, SourceFile, load};
use serde_json::Value;

const DOCUMENTS: &str = include_str!("documents.yaml");

/// Requests drawn from each seed.
const REQUESTS: usize = 300;

/// The endpoints of the documents: the port that stands for each, what it speaks and what it calls itself.
const ENDPOINTS: [(u16, Wire, &str); 5] = [
    (10001, Wire::H1, "alpha.shop.svc.cluster.local"),
    (10002, Wire::H1, "beta.shop.svc.cluster.local/v1"),
    (10003, Wire::H1, "beta.shop.svc.cluster.local/v2"),
    (10004, Wire::H2, "gamma.shop.svc.cluster.local"),
    (10005, Wire::H1, "api.outside.example"),
];

fn seeds() -> Vec<u64> {
    match std::env::var("PROPERTY_SEEDS") {
        Ok(seeds) => seeds.split(',').map(|seed| seed.trim().parse().expect("a seed is a number")).collect(),
        Err(_) => (1..=4).collect(),
    }
}

/// What `overspill explain` says of each request, in their order.
fn explained(folder: &Folder, requests: &str) -> Vec<Value> {
    // Not YAML, so no document.
    folder.write("requests.jsonl", requests);
    let file = folder.path().join("requests.jsonl");
    let mut command = Command::new(env!("CARGO_BIN_EXE_overspill"));
    command.args(["explain", "--output", "json", "--config"]).arg(folder.path()).arg("--requests").arg(file);
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON answer a line")).collect()
}

/// The rules that some request can reach.
fn reachable() -> BTreeSet<String> {
    let files = [SourceFile { name: "documents.yaml".to_owned(), bytes: DOCUMENTS.into() }];
    let checked = load(&files, &Overrides::default()).checked.expect("documents without errors");
    let names = checked.virtual_hosts.into_iter().flat_map(|host| host.routes).map(|route| route.name);
    names.filter(|name| !name.ends_with("/never")).collect()
}

#[test]
fn live_traffic_does_what_explain_says() {
    let upstreams = ENDPOINTS.map(|(port, wire, name)| (port, Upstream::start(wire, Answer::Echo(name.to_owned()))));
    let documents = upstreams.iter().fold(DOCUMENTS.to_owned(), |text, (port, upstream)| {
        text.replace(&format!(": {port}}}"), &format!(": {}}}", upstream.address.port()))
    });
    let folder = Folder::with(&documents);
    let router = Router::with(&Setup { config: folder.path(), variables: &[] });
    let draw = |seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..REQUESTS).map(move |_| (seed, Ask::draw(&mut random, router.traffic.port()))).collect::<Vec<_>>()
    };
    let asks: Vec<(u64, Ask)> = seeds().into_iter().flat_map(draw).collect();
    let lines: Vec<String> = asks.iter().map(|(_, ask)| ask.as_json().to_string()).collect();
    let lines = lines.join("\n");
    let answers = explained(&folder, &lines);
    assert_eq!(answers.len(), asks.len(), "one answer a request");

    let mut clients = [Wire::H1, Wire::H2].map(|wire| Client::connect(router.traffic, wire));
    let mut disagreements = Vec::new();
    for ((seed, ask), answer) in asks.iter().zip(&answers) {
        for client in &mut clients {
            let reply = ask.send(client);
            let found = differences(answer, &reply);
            if !found.is_empty() {
                disagreements.push(format!("seed {seed}: {}\n  {}", ask.as_json(), found.join("\n  ")));
            }
        }
    }
    let count = disagreements.len();
    disagreements.truncate(5);
    assert!(count == 0, "{count} requests are not served as explained, such as:\n{}", disagreements.join("\n"));

    let permission = |answer: &Value| answer["status"] == 200 && answer["response_headers"] != serde_json::json!({});
    assert!(answers.iter().any(permission) || seeds().len() < 4, "no preflight drawn is answered");
    let reached = answers.iter().filter_map(|answer| answer["route"].as_str().map(str::to_owned)).collect();
    let missed: Vec<_> = reachable().difference(&reached).cloned().collect();
    assert!(missed.is_empty() || seeds().len() < 4, "no request drawn reaches {missed:?}");
}

#[test]
fn the_documents_are_without_fault() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/property/documents.yaml");
    let output = Command::new(env!("CARGO_BIN_EXE_overspill")).arg("check").arg(path).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
