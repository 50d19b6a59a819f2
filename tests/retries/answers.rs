//! Answers that are asked for again.

use http::HeaderMap;

use super::harness::series::{REQUESTS, RETRIES, RETRIES_ENDED};
use super::harness::{Client, PAIRS, RawUpstream, Wire};
use super::{ON_5XX, begin, held, router};

#[test]
fn an_answer_that_the_rule_retries_is_not_the_clients() {
    for (front, back) in PAIRS {
        let (router, upstream) = held(back, ON_5XX);
        let mut call = Client::connect(router.traffic, front).start_empty("GET", "/", &[("x-request-id", "again")]);
        let first = upstream.next();
        assert_eq!(first.field("x-envoy-attempt-count"), "1");
        first.answer(503, "not now");
        let second = upstream.next();
        assert_eq!(second.field("x-envoy-attempt-count"), "2", "{front:?} to {back:?}");
        second.answer(200, "now");
        assert_eq!(call.head().status, 200);
        assert_eq!(call.rest().expect("a whole answer").0, b"now");
        let line = router.access_of("again");
        let told = ["attempts", "retries", "response_code", "response_flags"].map(|field| line.field(field));
        assert_eq!(told, ["2", "1", "200", "-"]);
        router.wait_for("the retry is counted", |metrics| metrics.count(RETRIES, &[("pool", "pool.example:80")]) == 1);
    }
}

#[test]
fn the_last_answer_is_the_clients_and_the_log_says_that_there_were_no_more_tries() {
    let (router, upstream) = held(Wire::H1, ON_5XX);
    let mut call = begin(&router, "POST", "spent");
    for body in ["first", "second", "third"] {
        upstream.next().answer(500, body);
    }
    assert_eq!(call.head().status, 500);
    assert_eq!(call.rest().expect("a whole answer").0, b"third");
    let line = router.access_of("spent");
    let told = ["attempts", "retries", "response_flags", "response_flags_long", "reason"].map(|name| line.field(name));
    assert_eq!(told, ["3", "2", "URX", "UpstreamRetryLimitExceeded", ""]);
    let ended = [("pool", "pool.example:80"), ("cause", "limit_exceeded")];
    router.wait_for("the end is counted", |metrics| metrics.count(RETRIES_ENDED, &ended) == 1);
    let flags = [("response_flags", "URX"), ("response_code", "500")];
    assert_eq!(router.metrics().count("istio_requests_total", &flags), 1);
    assert_eq!(router.metrics().count(REQUESTS, &[]), 1, "three tries are one request");
}

#[test]
fn what_the_rule_does_not_name_is_not_retried() {
    for (retries, status) in [
        ("retries: {attempts: 2, retryOn: gateway-error}", 500),
        ("retries: {attempts: 2, retryOn: retriable-4xx}", 503),
        ("retries: {attempts: 2, retryOn: \"418\"}", 503),
        ("retries: {attempts: 0}", 503),
        ("timeout: 30s", 503),
    ] {
        let (router, upstream) = held(Wire::H1, retries);
        let mut call = begin(&router, "GET", "once");
        upstream.next().answer(status, "");
        assert_eq!(call.head().status, status, "{retries}");
        assert_eq!(upstream.seen.requests(), 1, "{retries}");
        assert_eq!(router.access_of("once").field("response_flags"), "-");
    }
}

#[test]
fn each_kind_of_answer_is_retried_on_its_token() {
    for (token, status) in
        [("gateway-error", 502), ("retriable-4xx", 409), ("418", 418), ("reset,503", 503), ("5xx", 599)]
    {
        let (router, upstream) =
            held(Wire::H1, &format!("retries: {{attempts: 1, retryOn: \"{token}\", backoff: 1ms}}"));
        let mut call = begin(&router, "PATCH", "again");
        upstream.next().answer(status, "");
        upstream.next().answer(204, "");
        assert_eq!(call.head().status, 204, "{token}");
    }
}

#[test]
fn a_call_of_grpc_that_ends_in_its_head_is_retried_by_default() {
    let (router, upstream) = held(Wire::H2, "timeout: 30s");
    let mut client = Client::connect(router.traffic, Wire::H2);
    let mut call = client.start("POST", "/a.B/C", &[("content-type", "application/grpc")]);
    assert!(call.send("message"));
    call.finish();
    let mut first = upstream.next();
    assert_eq!(first.rest().expect("a whole body").0, b"message");
    first.begin(200, &[("content-type", "application/grpc"), ("grpc-status", "14")]);
    first.finish();
    let mut second = upstream.next();
    assert_eq!(second.rest().expect("a whole body").0, b"message");
    second.begin(200, &[("content-type", "application/grpc"), ("grpc-status", "13")]);
    second.finish();
    let head = call.head();
    assert_eq!(head.value("grpc-status"), "13", "`internal` is not among the defaults");
}

#[test]
fn a_status_of_grpc_behind_a_message_is_the_clients() {
    let (router, upstream) = held(Wire::H2, "retries: {attempts: 2, retryOn: unavailable}");
    let mut client = Client::connect(router.traffic, Wire::H2);
    let mut call = client.start_empty("POST", "/a.B/C", &[("content-type", "application/grpc")]);
    let mut exchange = upstream.next();
    exchange.begin(200, &[("content-type", "application/grpc")]);
    assert!(exchange.send("message"));
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "14".parse().expect("a value"));
    exchange.finish_with(trailers);
    assert_eq!(call.head().status, 200);
    let (body, trailers) = call.rest().expect("a whole answer");
    assert_eq!((body.as_slice(), trailers.expect("trailers")["grpc-status"].as_bytes()), (&b"message"[..], &b"14"[..]));
    assert_eq!(upstream.seen.requests(), 1);
}

#[test]
fn a_rule_asks_again_for_headers_that_the_request_names() {
    let (router, upstream) = held(Wire::H1, "retries: {attempts: 1, retryOn: retriable-headers, backoff: 1ms}");
    let fields = [("x-envoy-retriable-header-names", "x-stale")];
    let mut call = Client::connect(router.traffic, Wire::H1).start_empty("GET", "/", &fields);
    let mut first = upstream.next();
    first.begin(200, &[("x-stale", "1")]);
    first.finish();
    upstream.next().answer(200, "fresh");
    assert_eq!(call.head().status, 200);
    assert_eq!(call.rest().expect("a whole answer").0, b"fresh");
}

#[test]
fn the_timeout_covers_all_tries() {
    // The first try fails at once, the second is never answered.
    let upstream = RawUpstream::start(|mut visitor, number| {
        visitor.head();
        if number == 0 {
            visitor.write("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        } else {
            visitor.read_to_end();
        }
    });
    let rule = "timeout: 2s, retries: {attempts: 5, retryOn: 5xx, backoff: 1ms}";
    let router = router(&[upstream.address], Wire::H1, rule, "");
    let mut call = begin(&router, "GET", "late");
    assert_eq!(call.head().status, 504);
    let line = router.access_of("late");
    assert_eq!([line.field("attempts"), line.field("response_flags")], ["2", "UT"]);
}
