//! Requests in, decisions out, reviewed as text.
//!
//! Each folder of `tests/golden/explain` has documents, requests and what becomes of them; one with `labels.txt` is
//! explained as a gateway of those labels. `UPDATE_GOLDEN=1 cargo test --test explain` writes the decisions anew.

#![allow(clippy::expect_used, reason = "a failed expectation is a failed test, in its helpers too")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/explain");
    let entries = std::fs::read_dir(folder).expect("the folder is in the repository");
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    cases.sort();
    cases
}

/// What the program answers to the requests of `case`.
fn answers(case: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overspill"));
    command.current_dir(case);
    command.args(["explain", "--output", "json", "--config", "documents.yaml", "--requests", "requests.jsonl"]);
    if let Ok(labels) = std::fs::read_to_string(case.join("labels.txt")) {
        command.arg("--gateway").arg(labels.trim());
    }
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A request and what becomes of it, without what is null or empty and without the way to the decision.
fn reviewed(request: &str, answer: &str) -> String {
    let mut answer: Value = serde_json::from_str(answer).expect("JSON");
    let fields = answer.as_object_mut().expect("an object");
    for derived in ["considered", "host_known", "reason"] {
        fields.remove(derived).expect("every answer has it");
    }
    for weight in fields["weights"].as_array_mut().expect("a list") {
        let weight = weight.as_object_mut().expect("an object");
        weight.retain(|name, _| name != "tier" && name != "overflow");
    }
    for finding in fields["findings"].as_array_mut().expect("a list") {
        *finding = finding["code"].take();
    }
    fields.retain(|_, value| {
        let empty =
            value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty);
        !value.is_null() && !empty
    });
    let lines: Vec<String> = fields.iter().map(|(name, value)| format!("  {name}: {value}\n")).collect();
    format!("{request}\n{}\n", lines.concat())
}

#[test]
fn requests_give_the_decisions_reviewed() {
    let cases = cases();
    assert!(cases.len() >= 3, "the golden requests are in the repository");
    for case in cases {
        let requests = std::fs::read_to_string(case.join("requests.jsonl")).expect("requests");
        let answers = answers(&case);
        assert_eq!(requests.lines().count(), answers.lines().count(), "one answer a request");
        let found: String = requests.lines().zip(answers.lines()).map(|(ask, answer)| reviewed(ask, answer)).collect();
        let expected = case.join("decisions.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&expected, &found).expect("a writable folder");
        }
        let expected = std::fs::read_to_string(&expected).expect("a golden text; UPDATE_GOLDEN=1 writes it");
        assert_eq!(found, expected, "{}", case.display());
    }
}

/// The answer to a line that is no request has all that another answer has, and says beside it what is wrong.
#[test]
fn requests_of_the_standard_input_are_answered_each_in_the_same_shape() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/explain/faults");
    let mut command = Command::new(env!("CARGO_BIN_EXE_overspill"));
    command.args(["explain", "--output", "json", "--config", "documents.yaml", "--requests", "-"]).current_dir(folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let lines = b"{\"host\": 7}\n\n{\"host\": \"app\", \"path\": \"/\"}\n{\"host\": \"nowhere\", \"port\": 1}\n";
    child.stdin.take().expect("it is piped").write_all(lines).expect("it is read");
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(1), "one line is no request");
    let text = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let fields = |answer: &Value| answer.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let mut wrong = fields(&answers[0]);
    assert!(answers[0]["error"].as_str().is_some_and(|error| error.starts_with("line 1: ")), "{}", answers[0]);
    wrong.retain(|field| field != "error");
    assert_eq!((&wrong, &wrong), (&fields(&answers[1]), &fields(&answers[2])));
    for (field, empty) in [("response_headers", "{}"), ("weights", "[]"), ("findings", "[]"), ("mirrors", "[]")] {
        for answer in [&answers[0], &answers[2]] {
            assert_eq!(answer[field].to_string(), empty, "{field}");
        }
    }
}
