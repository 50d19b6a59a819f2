//! Bodies that are sent again.

use http::HeaderMap;

use super::harness::series::RETRIES_ENDED;
use super::harness::{Client, PAIRS, Wire};
use super::{ON_5XX, held};

#[test]
fn a_body_is_sent_again_whole() {
    for (front, back) in PAIRS {
        let (router, upstream) = held(back, ON_5XX);
        let mut call = Client::connect(router.traffic, front).start("POST", "/", &[]);
        assert!(call.send("one "));
        let mut first = upstream.next();
        assert_eq!(first.at_least(4), b"one ");
        assert!(call.send("two"));
        call.finish();
        assert_eq!(first.rest().expect("a whole body").0, b"two");
        first.answer(503, "");
        let mut second = upstream.next();
        assert_eq!(second.rest().expect("a whole body").0, b"one two", "{front:?} to {back:?}");
        second.answer(200, "");
        assert_eq!(call.head().status, 200);
    }
}

#[test]
fn a_body_that_is_still_coming_goes_on_behind_what_was_kept() {
    let (router, upstream) = held(Wire::H1, ON_5XX);
    let mut call = Client::connect(router.traffic, Wire::H1).start("POST", "/", &[]);
    assert!(call.send("early "));
    let mut first = upstream.next();
    assert_eq!(first.at_least(6), b"early ");
    first.answer(503, "");
    let mut second = upstream.next();
    assert_eq!(second.at_least(6), b"early ");
    assert!(call.send("late"));
    call.finish();
    assert_eq!(second.rest().expect("a whole body").0, b"late");
    second.answer(200, "");
    assert_eq!(call.head().status, 200);
}

#[test]
fn trailers_and_lengths_are_sent_again() {
    let (router, upstream) = held(Wire::H2, ON_5XX);
    let mut client = Client::connect(router.traffic, Wire::H2);
    let mut call = client.start("POST", "/", &[("trailer", "x-sum")]);
    assert!(call.send("body"));
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "4".parse().expect("a value"));
    call.finish_with(trailers);
    for status in [503, 200] {
        let mut exchange = upstream.next();
        let (body, trailers) = exchange.rest().expect("a whole body");
        assert_eq!((body.as_slice(), trailers.expect("trailers")["x-sum"].as_bytes()), (&b"body"[..], &b"4"[..]));
        exchange.answer(status, "");
    }
    assert_eq!(call.head().status, 200);
    let mut client = Client::connect(router.traffic, Wire::H1);
    let asked = std::thread::spawn(move || client.ask("PUT", "/", &[], "whole"));
    for status in [503, 200] {
        let mut exchange = upstream.next();
        assert_eq!(exchange.field("content-length"), "5");
        assert_eq!(exchange.rest().expect("a whole body").0, b"whole");
        exchange.answer(status, "");
    }
    assert_eq!(asked.join().expect("the client does not panic").head.status, 200);
}

#[test]
fn a_body_too_large_to_keep_is_sent_once() {
    let (router, upstream) = held(Wire::H1, ON_5XX);
    let mut call = Client::connect(router.traffic, Wire::H1).start("POST", "/", &[("x-request-id", "large")]);
    let mut exchange = upstream.next();
    let piece = "x".repeat(1 << 19);
    for _ in 0..3 {
        assert!(call.send(&piece));
        exchange.at_least(piece.len());
    }
    call.finish();
    assert!(exchange.rest().is_ok());
    exchange.answer(503, "full");
    assert_eq!(call.head().status, 503);
    assert_eq!(call.rest().expect("a whole answer").0, b"full");
    assert_eq!(router.access_of("large").field("attempts"), "1");
    let ended = [("cause", "body_too_large")];
    router.wait_for("it is counted", |metrics| metrics.count(RETRIES_ENDED, &ended) == 1);
}

#[test]
fn a_client_that_goes_away_between_two_tries_ends_them() {
    let (router, upstream) = held(Wire::H1, "retries: {attempts: 5, retryOn: 5xx, backoff: 1000000h}");
    let mut client = Client::connect(router.traffic, Wire::H1);
    let call = client.start_empty("GET", "/", &[("x-request-id", "gone")]);
    upstream.next().answer(503, "");
    client.vanish();
    drop(call);
    assert_eq!(router.access_of("gone").field("reason"), "client_disconnected");
    assert_eq!(upstream.seen.requests(), 1);
}
