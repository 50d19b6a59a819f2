//! How many requests of a pool are sent again at once.

use super::harness::series::{IN_FLIGHT, REQUESTS, RETRIES_ENDED};
use super::harness::{Answer, Client, Upstream, Wire, closed_port};
use super::{begin, destination_rule, router};

/// One retry, after a wait that is drawn from so long that no test sees its end.
const MUCH_LATER: &str = "retries: {attempts: 1, retryOn: 5xx, backoff: 1000000h}";

/// Has `failing` requests answered 503 while `held` others are in flight: so many are retried no more.
fn refuses(policy: &str, (held, failing): (u64, u64), refused: u64) {
    let upstream = Upstream::start(Wire::H2, Answer::Held);
    let router = router(&[upstream.address], Wire::H2, MUCH_LATER, &destination_rule(policy));
    let mut client = Client::connect(router.traffic, Wire::H2);
    let paths = (0..held).map(|_| "/held").chain((0..failing).map(|_| "/fails"));
    let _calls: Vec<_> = paths.map(|path| client.start_empty("GET", path, &[])).collect();
    let (fail, _hold): (Vec<_>, Vec<_>) =
        (0..held + failing).map(|_| upstream.next()).partition(|exchange| exchange.request.uri.path() == "/fails");
    for exchange in fail {
        exchange.answer(503, "");
    }
    router.wait_for("each that failed waits for its retry, or is refused it", |metrics| {
        let over = metrics.count(RETRIES_ENDED, &[("cause", "overflow")]);
        metrics.count(IN_FLIGHT, &[]) == held && over == refused && metrics.count(REQUESTS, &[]) == refused
    });
}

#[test]
fn max_retries_are_the_most_at_once() {
    refuses("{connectionPool: {http: {maxRetries: 1}}}", (0, 3), 2);
    refuses("{connectionPool: {http: {maxRetries: 2}}}", (0, 3), 1);
}

#[test]
fn without_a_limit_a_fifth_of_what_is_active_is_and_never_fewer_than_three() {
    refuses("{connectionPool: {http: {http2MaxRequests: 100}}}", (0, 3), 0);
    refuses("{connectionPool: {http: {http2MaxRequests: 100}}}", (0, 8), 5);
    // Of forty and what waits for its retry.
    refuses("{connectionPool: {http: {http2MaxRequests: 100}}}", (40, 10), 2);
}

#[test]
fn a_request_that_was_written_nowhere_goes_on_to_another_endpoint_uncounted() {
    let refusing: Vec<_> = (0..4).map(|_| closed_port()).collect();
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "served".to_owned()));
    let endpoints: Vec<_> = refusing.iter().map(|(_, address)| *address).chain([upstream.address]).collect();
    let many = "retries: {attempts: 9, retryOn: connect-failure, backoff: 1ms}";
    // Every endpoint that refuses is tried by each of twenty requests at once, until it is ejected.
    let router = router(&endpoints, Wire::H1, many, &destination_rule("{loadBalancer: {simple: RANDOM}}"));
    let calls: Vec<_> = (0..20).map(|_| begin(&router, "POST", "moves")).collect();
    for mut call in calls {
        assert_eq!(call.head().status, 200);
    }
    assert_eq!(router.metrics().count(RETRIES_ENDED, &[]), 0);
}

#[test]
fn a_budget_is_a_share_of_what_is_active_and_takes_the_place_of_the_number() {
    // 20 % of ten and a few are two, 50 % are five or more, and three are always allowed.
    refuses("{retryBudget: {minRetryConcurrency: 1}}", (10, 4), 2);
    refuses("{retryBudget: {percent: 50, minRetryConcurrency: 1}}", (10, 6), 1);
    let both = "{retryBudget: {percent: 0}, connectionPool: {http: {maxRetries: 1}}}";
    refuses(both, (0, 4), 1);
}

#[test]
fn a_request_that_is_refused_a_retry_gets_its_answer_and_envoys_flag() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let policy = destination_rule("{connectionPool: {http: {maxRetries: 1}}}");
    let router = router(&[upstream.address], Wire::H1, MUCH_LATER, &policy);
    let _calls = ["one", "other"].map(|id| begin(&router, "GET", id));
    for exchange in [upstream.next(), upstream.next()] {
        exchange.answer(503, "");
    }
    let line = router.wait_for_access(|line| line.field("response_code") == "503");
    assert_eq!([line.field("response_flags"), line.field("reason")], ["UO", ""]);
}
