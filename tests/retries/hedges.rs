//! Requests that are slow to be answered, and are sent a second time.

use super::harness::series::IN_FLIGHT;
use super::harness::{Answer, Client, Router, Upstream, Wire, policy};
use super::{begin, destination_rule, router};

const HEDGED: &str = "overspill_hedged_requests_total";

/// A router before two endpoints, the first of which gets the first request; `policies` are further documents.
fn hedging(wire: Wire, hedge: &str, policies: &str) -> (Router, [Upstream; 2]) {
    let upstreams = [(); 2].map(|()| Upstream::start(wire, Answer::Held));
    let more = policy("pool.example", &format!("hedge: {hedge}")) + policies;
    (router(&upstreams.each_ref().map(|upstream| upstream.address), wire, "timeout: 1m", &more), upstreams)
}

fn in_turns() -> String {
    destination_rule("{loadBalancer: {simple: ROUND_ROBIN}}")
}

fn count(router: &Router, result: &str) -> u64 {
    router.metrics().count(HEDGED, &[("pool", "pool.example:80"), ("result", result)])
}

#[test]
fn the_first_good_answer_counts_and_the_other_try_is_given_up() {
    for wire in [Wire::H1, Wire::H2] {
        for (winner, result) in [(1, "won"), (0, "lost")] {
            let (router, upstreams) = hedging(wire, "{delay: 20ms}", &in_turns());
            let mut call = begin(&router, "GET", "hedged");
            let [first, second] = upstreams.each_ref().map(Upstream::next);
            assert_eq!([first.field("x-envoy-attempt-count"), second.field("x-envoy-attempt-count")], ["1", "2"]);
            let (answers, mut loses) = if winner == 0 { (first, second) } else { (second, first) };
            answers.answer(200, "answer");
            assert_eq!(call.head().status, 200);
            assert_eq!(&call.rest().expect("a whole answer").0[..], b"answer");
            loses.wait_for_abandon();
            let line = router.access_of("hedged");
            let endpoint = upstreams[winner].address.to_string();
            assert_eq!([line.field("attempts"), line.field("endpoint")], ["2", &endpoint], "{wire:?}");
            router.wait_for("both slots are free", |metrics| metrics.count(IN_FLIGHT, &[]) == 0);
            assert_eq!(count(&router, result), 1);
        }
    }
}

#[test]
fn an_error_is_no_answer_while_the_other_try_may_bring_one() {
    let (router, upstreams) = hedging(Wire::H1, "{delay: 20ms}", &in_turns());
    let mut call = begin(&router, "GET", "hedged");
    let [first, second] = upstreams.each_ref().map(Upstream::next);
    second.answer(503, "");
    router.wait_for("the second slot is free", |metrics| metrics.count(IN_FLIGHT, &[]) == 1);
    first.answer(200, "");
    assert_eq!(call.head().status, 200);
}

#[test]
fn a_post_is_sent_twice_only_where_the_policy_says_so() {
    let (router, upstreams) = hedging(Wire::H1, "{delay: 10ms}", &in_turns());
    let mut post = begin(&router, "POST", "post");
    let posted = upstreams[0].next();
    // A GET that is hedged after it shows that the POST's time has passed too.
    let mut get = begin(&router, "GET", "get");
    let slow = upstreams[1].next();
    let again = upstreams[0].next();
    assert_eq!(again.field("x-request-id"), "get");
    again.answer(200, "");
    posted.answer(201, "");
    drop(slow);
    assert_eq!([post.head().status, get.head().status], [201, 200]);
    assert_eq!([upstreams[0].seen.requests(), upstreams[1].seen.requests()], [2, 1]);

    let (router, upstreams) = hedging(Wire::H1, "{delay: 20ms, methods: All}", &in_turns());
    let mut post = Client::connect(router.traffic, Wire::H1).start("POST", "/", &[]);
    assert!(post.send("the body"));
    post.finish();
    let [mut first, mut second] = upstreams.each_ref().map(Upstream::next);
    for exchange in [&mut first, &mut second] {
        assert_eq!(exchange.at_least(8), b"the body");
    }
    second.answer(201, "");
    assert_eq!(post.head().status, 201);
}

#[test]
fn second_tries_count_against_the_budget_of_retries() {
    let policy = "{loadBalancer: {simple: ROUND_ROBIN}, retryBudget: {percent: 0, minRetryConcurrency: 1}}";
    let (router, upstreams) = hedging(Wire::H1, "{delay: 10ms}", &destination_rule(policy));
    let _calls: Vec<_> = (0..3).map(|_| begin(&router, "GET", "hedged")).collect();
    router.wait_for("two are refused", |metrics| metrics.count(HEDGED, &[("result", "refused")]) == 2);
    let seen = || upstreams.iter().map(|upstream| upstream.seen.requests()).sum::<u64>();
    // Which of the three has its second try, and so which endpoint has three of the four, is a matter of moments.
    router.wait_until("three were sent, and one of them twice", |_| seen() >= 4);
    assert_eq!(seen(), 4);
}

#[test]
fn a_percentile_waits_until_enough_is_known() {
    let (router, upstreams) = hedging(Wire::H1, "{percentile: 50}", &in_turns());
    let mut client = Client::connect(router.traffic, Wire::H1);
    for nth in 0..100 {
        let mut call = client.start_empty("GET", "/", &[]);
        upstreams[nth % 2].next().answer(200, "");
        assert_eq!(call.head().status, 200);
        call.rest().expect("a whole answer");
    }
    assert!(!router.metrics().has(HEDGED, &[]), "too little was known");
    let mut slow = begin(&router, "GET", "slow");
    let [_first, second] = upstreams.each_ref().map(Upstream::next);
    second.answer(200, "");
    assert_eq!(slow.head().status, 200);
    assert_eq!(count(&router, "won"), 1);
}
