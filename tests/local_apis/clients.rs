//! Unmodified clients of OpenAI's API, from the Python package index.

use std::path::Path;
use std::process::Command;

use super::harness::{Answer, Service, Upstream, Wire, policy, text, virtual_service};
use super::stage::{Models, Stage, beside, every_model};

/// Runs a part of `clients.py` against `address`; says so and does nothing where the packages are not there, but for CI.
fn run(part: &str, address: std::net::SocketAddr, vector: &str) -> Option<std::process::Child> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let has_packages = Command::new(&python).args(["-c", "import openai, langchain_openai"]).output();
    if !has_packages.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "{} lacks the clients: run `make test-tools`", python.display());
        #[allow(clippy::print_stderr, reason = "what is not tested must be seen")]
        {
            eprintln!("skipped: needs openai and langchain-openai in .venv (`make test-tools`)");
        }
        return None;
    }
    let mut command = Command::new(python);
    command.arg(beside("clients.py")).args([part, &format!("http://{address}"), vector]);
    Some(command.spawn().expect("python starts"))
}

#[test]
fn openai_and_langchain_read_answers_and_errors() {
    let stage = Stage::start(&every_model());
    let vector = Models::get().expected["unit"]["red apple"].to_string();
    if let Some(mut clients) = run("answers", stage.router.traffic, &vector) {
        assert!(clients.wait().expect("the clients end").success(), "see what clients.py wrote");
    }
}

#[test]
fn openai_tries_again_when_it_was_told_to_come_later() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let documents = virtual_service("app.example", "  - {name: all, route: [{destination: {host: full.example}}]}")
        + &Service { host: "full.example", wire: Wire::H1, endpoints: &[upstream.address] }.document()
        + &policy("full.example", "slotsPerEndpoint: 1, queue: {maxPending: 0}, localModel: Deny");
    let stage = Stage::with(&documents, &[]);
    let mut taken = super::harness::Connection::open(stage.router.traffic);
    taken.send("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    let held = upstream.next();
    let Some(mut client) = run("retries", stage.router.traffic, "[]") else { return };
    let refused = stage.router.wait_for_access(|line| line.field("response_code") == "429");
    assert_eq!(refused.field("path"), "/v1/embeddings");
    held.answer(200, "free");
    assert_eq!(taken.read_reply().text(), "free");
    let again = upstream.next();
    assert_ne!(text(&again.request.headers, "x-stainless-retry-count"), "0");
    let answer = r#"{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[1.0]}],"usage":{"prompt_tokens":1,"total_tokens":1}}"#;
    again.answer(200, answer);
    assert!(client.wait().expect("the client ends").success(), "see what clients.py wrote");
}
