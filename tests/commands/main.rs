//! `check`, `explain` and how `run` begins, as their users meet them: output, exit codes, variables.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod advise;
mod call;

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use harness::{Answer, Connection, Folder, Router, Service, Setup, Upstream, Wire, virtual_service};
use serde_json::Value;

fn overspill(arguments: &[&str]) -> Output {
    let variables =
        ["CONFIG", "LISTEN", "ADMIN", "LOG", "MODEL", "MODEL_LIBRARY"].map(|name| format!("OVERSPILL_{name}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_overspill"));
    variables.iter().fold(command.args(arguments), |command, name| command.env_remove(name));
    command.output().expect("the program starts")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error} in {output:?}"))
}

fn good() -> String {
    let rules = r#"
  - {name: fast, match: [{headers: {x-latency-sensitive: {exact: "true"}}}], route: [{destination: {host: gpu.example}}]}
  - name: rest
    route: [{destination: {host: gpu.example}, weight: 70}, {destination: {host: cpu.example}, weight: 30}]"#;
    let endpoint = [([127, 0, 0, 1], 9).into()];
    let service = |host| Service { host, wire: Wire::H1, endpoints: &endpoint }.document();
    virtual_service("app.example", rules) + &service("gpu.example") + &service("cpu.example")
}

fn with_path<T>(documents: &str, look: impl FnOnce(&str) -> T) -> T {
    let folder = Folder::with(documents);
    look(folder.path().to_str().expect("a path in UTF-8"))
}

#[test]
fn check_exits_0_without_errors_1_with_errors_2_on_usage() {
    let good = with_path(&good(), |path| overspill(&["check", path]));
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    let faulty = with_path("kind: [", |path| overspill(&["check", path]));
    assert_eq!(faulty.status.code(), Some(1), "{faulty:?}");
    for usage in [&["check"][..], &["check", "--no-such-flag", "."], &["no-such-command"], &[]] {
        assert_eq!(overspill(usage).status.code(), Some(2), "{usage:?}");
    }
}

#[test]
fn check_standalone_judges_each_document_by_itself() {
    let lost = virtual_service("app.example", "  - route: [{destination: {host: nowhere.example}}]");
    let together = with_path(&lost, |path| overspill(&["check", path]));
    assert_eq!(together.status.code(), Some(1), "{together:?}");
    let by_itself = with_path(&lost, |path| overspill(&["check", "--standalone", "--output", "json", path]));
    assert_eq!(by_itself.status.code(), Some(0), "{by_itself:?}");
    assert_eq!(json(&by_itself)["errors"], 0);
    let refused = virtual_service("*", "  - route: [{destination: {host: a}}]");
    let refused = with_path(&refused, |path| overspill(&["check", "--standalone", "--output", "json", path]));
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let finding = &json(&refused)["findings"][0];
    assert_eq!((&finding["code"], &finding["path"]), (&Value::from("IST0106"), &Value::from("spec.hosts[0]")));
}

#[test]
fn a_pipe_among_the_documents_is_passed_over() {
    let folder = Folder::with(&good());
    let pipe = folder.path().join("pipe.yaml");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("coreutils are there").success());
    let output = overspill(&["check", folder.path().to_str().expect("a path in UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_finding_says_where_what_and_what_to_do() {
    let faulty = good().replace("host: cpu.example}, weight", "host: cpu.exampel}, weight");
    let line = 1 + faulty.lines().position(|line| line.contains("exampel")).expect("the fault is there");
    let output = with_path(&faulty, |path| overspill(&["check", "--output", "json", path]));
    let finding = &json(&output)["findings"][0];
    assert_eq!((finding["code"].as_str(), finding["severity"].as_str()), (Some("IST0101"), Some("error")));
    assert_eq!(finding["line"], line);
    assert!(finding["column"].as_u64().is_some_and(|column| column > 1), "{finding}");
    assert!(finding["file"].as_str().is_some_and(|file| file.ends_with("documents.yaml")), "{finding}");
    assert_eq!(finding["path"], "spec.http[1].route[1].destination.host");
    assert!(finding["message"].as_str().is_some_and(|message| message.contains("cpu.exampel")), "{finding}");
    assert!(finding["cure"].as_str().is_some_and(|cure| cure.contains("cpu.example")), "{finding}");
}

#[test]
fn explain_names_the_route_its_weights_and_why_not_the_others() {
    let explain = |arguments: &[&str]| {
        with_path(&good(), |path| {
            let start = ["explain", "--config", path, "--output", "json", "POST", "http://app.example/v1/embeddings"];
            let output = overspill(&[&start, arguments].concat());
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            json(&output)
        })
    };
    let fast = explain(&["-H", "x-latency-sensitive: true"]);
    assert_eq!(fast["route"], "default/app-example/fast");
    assert_eq!(fast["destination"], serde_json::json!({"host": "gpu.example", "subset": null, "port": 80}));
    let rest = explain(&[]);
    assert_eq!(rest["route"], "default/app-example/rest");
    let weights: Vec<_> = rest["weights"].as_array().into_iter().flatten().map(|entry| &entry["weight"]).collect();
    assert_eq!(weights, [70, 30]);
    let failed = &rest["considered"][0];
    assert_eq!((&failed["route"], &failed["matched"]), (&"default/app-example/fast".into(), &false.into()));
    assert!(failed["failed"].to_string().contains("x-latency-sensitive"), "{failed}");
}

#[test]
fn run_does_not_start_with_faulty_documents_and_says_why() {
    let output = with_path(&good().replace("host: cpu.example}, weight", "host: cpu.exampel}, weight"), |path| {
        overspill(&["run", "--config", path, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
    });
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("documents.yaml:") && told.contains("IST0101"), "{told}");
}

#[test]
fn an_address_in_use_is_said_plainly() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound address").to_string();
    for (listen, admin) in [(address.as_str(), "127.0.0.1:0"), ("127.0.0.1:0", address.as_str())] {
        let output =
            with_path(&good(), |path| overspill(&["run", "--config", path, "--listen", listen, "--admin", admin]));
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains(&address), "{output:?}");
    }
}

#[test]
fn variables_win_over_the_settings_and_settings_are_optional() {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "up".to_owned()));
    let settings = "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: s}\n\
                    spec: {listen: \"127.0.0.1:1\", admin: \"127.0.0.1:2\", accessLog: false, workers: 1}\n";
    let documents = virtual_service("app.example", "  - {route: [{destination: {host: up.example}}]}")
        + &Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    for settings in [settings, ""] {
        // The harness sets OVERSPILL_LISTEN and OVERSPILL_ADMIN to free ports.
        let router = Router::start(&(documents.clone() + settings));
        assert_eq!(Connection::open(router.traffic).ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n").text(), "up");
        assert_eq!(router.stop().access.len(), usize::from(settings.is_empty()), "accessLog says whether");
    }
}

#[test]
fn the_folder_may_come_from_a_variable() {
    let folder = Folder::with(&good());
    let other = Folder::with("kind: [");
    // A flag wins: the faulty folder that the variable names is not read.
    let variables = [("OVERSPILL_CONFIG", OsString::from(other.path()))];
    let router = Router::with(&Setup { config: folder.path(), variables: &variables });
    assert_eq!(router.generation(), 1);
    let mut command = Command::new(env!("CARGO_BIN_EXE_overspill"));
    let output = command.arg("run").env("OVERSPILL_CONFIG", other.path()).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("OVS001"), "{output:?}");
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let settings = "apiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: s}\n\
                    spec: {listen: '127.0.0.1:0', admin: '127.0.0.1:0'}\n";
    let folder = Folder::with(settings);
    let empty = ["OVERSPILL_LISTEN", "OVERSPILL_ADMIN", "OVERSPILL_MODEL", "OVERSPILL_LOG"].map(|name| (name, ""));
    let mut child = Command::new(env!("CARGO_BIN_EXE_overspill"))
        .args(["run", "--config"])
        .arg(folder.path())
        .envs(empty)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut log = BufReader::new(child.stderr.take().expect("stderr is piped")).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("listening") && line.contains("127.0.0.1")), "it starts with its settings");
    assert!(Command::new("kill").arg(child.id().to_string()).status().expect("kill starts").success());
    assert_eq!(child.wait().expect("the child can be waited for").code(), Some(0));
}

#[test]
fn sighup_without_documents_ends_nothing() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_overspill"))
        .arg("run")
        .env_remove("OVERSPILL_CONFIG")
        .envs([("OVERSPILL_LISTEN", "127.0.0.1:0"), ("OVERSPILL_ADMIN", "127.0.0.1:0"), ("OVERSPILL_LOG", "info")])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut log = BufReader::new(child.stderr.take().expect("stderr is piped")).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("listening")), "it starts");
    let signals = format!("kill -HUP {0} && kill -TERM {0}", child.id());
    assert!(Command::new("sh").args(["-c", &signals]).status().expect("sh starts").success());
    assert!(log.any(|line| line.contains("draining")), "it heeds the second signal, having survived the first");
    assert_eq!(child.wait().expect("the child can be waited for").code(), Some(0));
}

#[test]
fn explain_says_what_a_rule_changes_and_answers() {
    let rules = r"
  - {match: [{uri: {prefix: /old}}], redirect: {prefixRewrite: /new, redirectCode: 308}}
  - {match: [{uri: {prefix: /say}}], directResponse: {status: 200, body: {string: hello}}}
  - match: [{uri: {prefix: /v1/}}]
    rewrite: {uri: /v2/, authority: other.example}
    fault: {abort: {httpStatus: 503, percentage: {value: 0.5}}}
    headers: {request: {set: {x-a: rule}, remove: [x-b]}, response: {set: {x-c: answer}}}
    route: [{destination: {host: a.example}}]";
    let documents = virtual_service("app.example", rules)
        + &Service { host: "a.example", wire: Wire::H1, endpoints: &[([127, 0, 0, 1], 1).into()] }.document();
    with_path(&documents, |path| {
        let explain = |url: &str, output: &str| {
            overspill(&["explain", "--config", path, "--output", output, "-H", "x-b: 1", "GET", url])
        };
        let moved = json(&explain("http://app.example/old/x?q=1", "json"));
        assert_eq!((&moved["status"], &moved["location"]), (&308.into(), &"http://app.example/new/x?q=1".into()));
        let said = json(&explain("http://app.example/say", "json"));
        assert_eq!((&said["status"], &said["body"], &said["upstream"]), (&200.into(), &"hello".into(), &Value::Null));
        let sent = json(&explain("http://app.example/v1/x?q=1", "json"));
        let upstream = serde_json::json!({
            "host": "other.example", "path": "/v2/x?q=1", "headers": {"x-a": ["rule"]},
        });
        assert_eq!((&sent["upstream"], &sent["response_headers"]["x-c"][0]), (&upstream, &"answer".into()));
        let text = String::from_utf8(explain("http://app.example/v1/x", "text").stdout).expect("UTF-8");
        assert_eq!(
            sent["fault"]["abort"],
            serde_json::json!({"percentage": 0.5, "http_status": 503, "grpc_status": null})
        );
        for line in ["aborts 0.5 % with 503", "authority: other.example", "path: /v2/x", "x-a: \"rule\"", "without x-b"]
        {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    });
}
