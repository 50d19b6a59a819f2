//! A Prometheus server as a child process.

#![allow(dead_code, reason = "each test binary asks it for a part of what it can say")]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::harness::{Lines, get};

/// What a server scrapes, and what it evaluates.
pub(super) struct Scrape<'a> {
    pub(super) target: SocketAddr,
    pub(super) job: &'a str,
    pub(super) rules: Option<&'a Path>,
}

/// A server that scrapes one router twice a second. Killed on drop.
pub(super) struct Prometheus {
    child: Child,
    /// Where it answers.
    pub(super) address: SocketAddr,
    _log: Lines,
    _folder: TempDir,
}

impl Prometheus {
    pub(super) fn start(program: &Path, scrape: &Scrape<'_>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let config = folder.path().join("prometheus.yaml");
        let Scrape { target, job, rules } = scrape;
        let rules: Vec<String> = rules.iter().map(|file| file.display().to_string()).collect();
        let text = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nrule_files: {rules:?}\n\
             scrape_configs: [{{job_name: {job}, static_configs: [{{targets: [\"{target}\"]}}]}}]\n"
        );
        fs::write(&config, text).expect("a file in a temporary folder is writable");
        let mut child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("prometheus starts");
        let log = Lines::of(child.stderr.take().expect("stderr is piped"));
        let Some(address) = log.find(0, listening) else {
            panic!("prometheus ended before it listened:\n{}", log.all().join("\n"));
        };
        Self { child, address, _log: log, _folder: folder }
    }

    /// The value of an expression that has one sample now; `None` where it has none.
    pub(super) fn query(&self, expression: &str) -> Option<f64> {
        self.result(expression)[0]["value"][1].as_str()?.parse().ok()
    }

    /// How many samples an expression has now.
    pub(super) fn samples(&self, expression: &str) -> usize {
        self.result(expression).as_array().map_or(0, Vec::len)
    }

    /// Every rule, with how its last evaluation went.
    pub(super) fn rules(&self) -> Vec<Value> {
        let groups = get(self.address, "/api/v1/rules").json()["data"]["groups"].clone();
        let groups = groups.as_array().into_iter().flatten();
        groups.flat_map(|group| group["rules"].as_array().into_iter().flatten().cloned()).collect()
    }

    fn result(&self, expression: &str) -> Value {
        let reply = get(self.address, &format!("/api/v1/query?query={}", percent_encoded(expression)));
        // It answers 503 while it replays its empty log.
        if reply.head.status == 503 {
            return Value::Null;
        }
        assert_eq!(reply.head.status, 200, "{}", reply.text());
        reply.json()["data"]["result"].clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The address in the line that says where it listens: `msg="Listening on" address=127.0.0.1:43215`.
fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("Listening on")?;
    let (_, address) = rest.split_once("address=")?;
    address.split_whitespace().next()?.trim_matches('"').parse().ok()
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}
