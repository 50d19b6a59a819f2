//! `call`: the client of containers without a shell.

use std::time::Instant;

use super::harness::{Answer, Upstream, Wire, closed_port};
use super::overspill;

fn url(upstream: &Upstream, path: &str) -> String {
    format!("http://{}{path}", upstream.address)
}

#[test]
fn a_body_is_posted_as_json_and_the_answer_is_printed() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let at = url(&upstream, "/api/v1/embed?warm=up");
    let asked = std::thread::spawn(move || overspill(&["call", "POST", &at, "--data", r#"{"text": "warm-up"}"#]));
    let mut seen = upstream.next();
    assert_eq!(seen.field("content-type"), "application/json");
    assert_eq!(seen.field("host"), upstream.address.to_string());
    assert_eq!(seen.at_least(19), br#"{"text": "warm-up"}"#);
    seen.answer(200, "warm");
    let output = asked.join().expect("the command ends");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"warm"[..]), "{output:?}");
}

#[test]
fn what_is_no_success_is_exit_code_1_and_says_why() {
    let busy = Upstream::start(Wire::H1, Answer::Fixed(503, "still loading".to_owned()));
    let (_socket, nobody) = closed_port();
    let nobody = format!("http://{nobody}/");
    let silent = Upstream::start(Wire::H1, Answer::Held);
    let cases = [
        (url(&busy, "/health"), "1m", "answered 503 Service Unavailable: still loading"),
        (nobody, "1m", "no connection"),
        (url(&silent, "/"), "200ms", "no answer within 0.2 s"),
    ];
    for (url, patience, why) in cases {
        let output = overspill(&["call", "GET", &url, "--timeout", patience]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for url in ["localhost:15000/x", "https://localhost/", "http:///x"] {
        assert_eq!(overspill(&["call", "GET", url]).status.code(), Some(2), "{url}");
    }
    assert_eq!(overspill(&["call", "GET", "http://localhost/", "--after", "ten"]).status.code(), Some(2));
}

#[test]
fn it_waits_first_where_it_is_told_to() {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "ok".to_owned()));
    let begun = Instant::now();
    let output = overspill(&["call", "POST", &url(&upstream, "/shutdown"), "--after", "150ms"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // A sleep may be longer on a busy machine, and is never shorter.
    assert!(begun.elapsed().as_millis() >= 150, "the hook has not waited");
}
