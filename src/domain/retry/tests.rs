//! Each condition of a retry against what it retries, and what it leaves alone.

use super::*;

fn on(tokens: &[&str]) -> RetryPolicy {
    let conditions = tokens.iter().map(|token| RetryCondition::parse(token).expect("a condition"));
    let statuses = [418, 425].map(|code| StatusCode::from_u16(code).expect("a status")).to_vec();
    RetryPolicy { on: conditions.fold(RetryConditions::NONE, RetryConditions::with), statuses, ..RetryPolicy::DEFAULT }
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (HeaderName::from_static(name), http::HeaderValue::from_static(value))).collect()
}

#[test]
fn answers_are_retried_on_their_condition_alone() {
    type Fields = &'static [(&'static str, &'static str)];
    let cases: [(&str, &[u16], &[u16], Fields); 11] = [
        ("5xx", &[500, 503, 599], &[200, 409, 499], &[]),
        ("gateway-error", &[502, 503, 504], &[500, 501, 505], &[]),
        ("retriable-4xx", &[409], &[400, 429, 500], &[]),
        ("retriable-status-codes", &[418, 425], &[419, 503], &[]),
        ("reset", &[], &[500, 503], &[]),
        ("connect-failure", &[], &[503], &[]),
        ("cancelled", &[200], &[], &[("grpc-status", "1")]),
        ("deadline-exceeded", &[200], &[], &[("grpc-status", "4")]),
        ("resource-exhausted", &[200], &[], &[("grpc-status", "8")]),
        ("internal", &[200], &[], &[("grpc-status", "13")]),
        ("unavailable", &[200, 503], &[], &[("grpc-status", "14")]),
    ];
    for (token, retried, left, fields) in cases {
        let (policy, answer) = (on(&[token]), headers(fields));
        let retries = |code: &u16| {
            let status = StatusCode::from_u16(*code).expect("a status");
            policy.retries_answer(status, &answer, &HeaderMap::new())
        };
        assert!(retried.iter().all(retries), "{token} retries {retried:?}");
        assert!(!left.iter().any(retries), "{token} leaves {left:?}");
    }
}

#[test]
fn a_grpc_status_is_retried_for_itself_alone() {
    for (code, token) in [("1", "unavailable"), ("14", "cancelled"), ("0", "internal"), ("2", "internal")] {
        let mut answer = HeaderMap::new();
        answer.insert(GRPC_STATUS, code.parse().expect("a value"));
        assert!(!on(&[token]).retries_answer(StatusCode::OK, &answer, &HeaderMap::new()), "{code} on {token}");
    }
}

#[test]
fn an_answer_of_a_rate_limit_is_retried_where_it_is_asked_for_alone() {
    let limited = headers(&[("x-envoy-ratelimited", "true")]);
    let retries =
        |policy: &RetryPolicy| policy.retries_answer(StatusCode::SERVICE_UNAVAILABLE, &limited, &HeaderMap::new());
    assert!(!retries(&on(&["5xx", "gateway-error", "retriable-status-codes"])));
    assert!(retries(&on(&["envoy-ratelimited"])));
}

#[test]
fn a_request_names_further_headers_and_codes_where_the_policy_asks_for_them() {
    let request = headers(&[
        ("x-envoy-retriable-header-names", "x-again, x-more"),
        ("x-envoy-retriable-status-codes", "404,410"),
    ]);
    let again = headers(&[("x-more", "")]);
    for (tokens, code, answer, retried) in [
        (&["retriable-headers"][..], 200, &again, true),
        (&["retriable-headers"], 200, &HeaderMap::new(), false),
        (&["5xx"], 200, &again, false),
        (&["retriable-status-codes"], 410, &HeaderMap::new(), true),
        (&["retriable-headers"], 410, &HeaderMap::new(), false),
    ] {
        let status = StatusCode::from_u16(code).expect("a status");
        assert_eq!(on(tokens).retries_answer(status, answer, &request), retried, "{tokens:?} {code}");
    }
}

#[test]
fn failures_are_retried_as_envoy_retries_resets() {
    use Failure::{Connect, PerTryTimeout, RefusedStream, Reset};
    let every = [Connect, RefusedStream, Reset, PerTryTimeout];
    for (token, retried) in [
        ("5xx", &every[..]),
        ("gateway-error", &every),
        ("reset", &every),
        ("reset-before-request", &[Connect]),
        ("connect-failure", &[Connect]),
        ("refused-stream", &[RefusedStream]),
        ("retriable-4xx", &[]),
        ("unavailable", &[]),
        ("http3-post-connect-failure", &[]),
    ] {
        let found: Vec<Failure> = every.into_iter().filter(|failure| on(&[token]).retries_failure(*failure)).collect();
        assert_eq!(found, retried, "{token}");
    }
}

#[test]
fn the_default_repeats_what_no_endpoint_has_processed() {
    let default = RetryPolicy::DEFAULT;
    let tokens: Vec<_> = default.written.split(',').collect();
    assert_eq!(tokens, ["connect-failure", "refused-stream", "unavailable", "cancelled"]);
    assert_eq!(on(&tokens).on, default.on);
    assert!(!default.retries_answer(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new(), &HeaderMap::new()));
    assert!(!default.retries_failure(Failure::Reset));
    for (grpc, http2, kept) in [(false, false, false), (true, false, true), (false, true, true)] {
        assert_eq!(default.needs_body(Sent { grpc, http2 }), kept, "grpc {grpc}, HTTP/2 {http2}");
    }
}

#[test]
fn no_retries_retry_nothing() {
    let off = RetryPolicy { retries: 0, ..on(&["5xx", "reset"]) };
    assert!(!off.retries_answer(StatusCode::BAD_GATEWAY, &HeaderMap::new(), &HeaderMap::new()));
    assert!(!off.retries_failure(Failure::Connect));
    assert!(!off.needs_body(Sent { grpc: true, http2: true }));
}

#[test]
fn a_body_is_kept_where_something_sent_may_be_retried() {
    let plain = Sent { grpc: false, http2: false };
    for (token, kept) in [
        ("5xx", true),
        ("reset", true),
        ("retriable-4xx", true),
        ("retriable-status-codes", true),
        ("envoy-ratelimited", true),
        ("connect-failure", false),
        ("reset-before-request", false),
        ("refused-stream", false),
        ("unavailable", false),
    ] {
        assert_eq!(on(&[token]).needs_body(plain), kept, "{token}");
    }
}

#[test]
fn the_wait_is_drawn_below_an_interval_that_doubles_to_ten_times_its_base() {
    let default = RetryPolicy::DEFAULT;
    for (retries, milliseconds) in [(0, 25), (1, 50), (2, 100), (3, 200), (4, 250), (40, 250)] {
        let interval = Duration::from_millis(milliseconds);
        assert_eq!(default.backoff(retries, 0), Duration::ZERO);
        assert_eq!(default.backoff(retries, 1 << 63), interval / 2, "{retries}");
        let longest = default.backoff(retries, u64::MAX);
        assert!(longest < interval && interval.saturating_sub(longest) < Duration::from_micros(1), "{longest:?}");
    }
    let endless = RetryPolicy { backoff: Duration::MAX, ..default };
    assert!(endless.backoff(9, u64::MAX) > Duration::from_hours(1));
}
