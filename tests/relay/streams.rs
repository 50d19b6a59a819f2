//! Streams of one HTTP/2 connection: beside each other, given up one by one, and answered without content.

use super::harness::{Answer, Client, Upstream, Wire};
use super::{router_to, settings, through};

const STREAMS: usize = 80;

#[test]
fn streams_beside_each_other_are_answered_each_with_its_own() {
    let length = |number: usize| [0, 1, 300, 5_000, 70_000][number % 5] + number;
    for back in [Wire::H1, Wire::H2] {
        let (router, upstream) = through(back, Answer::Held);
        let mut client = Client::connect(router.traffic, Wire::H2);
        let mut calls: Vec<_> = (0..STREAMS)
            .map(|number| client.start_empty("GET", "/", &[("x-number", number.to_string().as_str())]))
            .collect();
        // In an order of the endpoint's own.
        let mut exchanges: Vec<_> = (0..STREAMS).map(|_| upstream.next()).collect();
        while let Some(exchange) = exchanges.pop() {
            let number: usize = exchange.field("x-number").parse().expect("a number");
            exchange.answer(200, &"x".repeat(length(number)));
        }
        for (number, call) in calls.iter_mut().enumerate() {
            assert_eq!(call.head().status, 200);
            let (body, _) = call.rest().expect("a whole answer");
            assert_eq!(body.len(), length(number), "stream {number} to {back:?}");
        }
    }
}

#[test]
fn a_stream_that_its_client_gives_up_leaves_the_others() {
    for back in [Wire::H1, Wire::H2] {
        let (router, upstream) = through(back, Answer::Held);
        let mut client = Client::connect(router.traffic, Wire::H2);
        let given_up = client.start("POST", "/", &[("x-request-id", "given-up")]);
        assert!(given_up.send("half"));
        let mut abandoned = upstream.next();
        assert_eq!(abandoned.at_least(4), b"half");
        let mut kept = client.start_empty("GET", "/", &[]);
        let other = upstream.next();
        given_up.cancel();
        assert_eq!(router.access_of("given-up").field("response_code"), "499", "{back:?}");
        other.answer(200, "whole");
        assert_eq!(kept.head().status, 200);
        assert_eq!(kept.rest().expect("a whole answer").0, b"whole", "{back:?}");
        // Room that is left is taken again.
        let mut next = client.start_empty("GET", "/", &[]);
        upstream.next().answer(200, "next");
        assert_eq!(next.head().status, 200);
        assert_eq!(next.rest().expect("a whole answer").0, b"next", "{back:?}");
    }
}

#[test]
fn a_refusal_of_head_has_a_length_and_no_body() {
    let (router, _upstream) = through(Wire::H1, Answer::Held);
    let mut client = Client::connect(router.traffic, Wire::H2);
    client.to("nobody.example");
    let length = client.ask("GET", "/", &[], "").body.len();
    let reply = client.ask("HEAD", "/", &[], "");
    assert_eq!((reply.head.status, reply.body.len()), (404, 0));
    assert_eq!(reply.head.value("content-length"), length.to_string());
}

#[test]
fn requests_wait_for_an_endpoint_that_takes_no_more_streams_at_once() {
    let upstream = Upstream::start(Wire::H2, Answer::Held);
    // Each worker has connections of its own; hyper's server takes 200 streams on each.
    let router = router_to(upstream.address, Wire::H2, &settings("workers: 1"));
    let mut clients = [(); 3].map(|()| Client::connect(router.traffic, Wire::H2));
    let mut calls = Vec::new();
    for client in &mut clients {
        calls.extend((0..STREAMS).map(|_| client.start_empty("GET", "/", &[])));
    }
    let mut held: Vec<_> = (0..200).map(|_| upstream.next()).collect();
    for _ in 200..calls.len() {
        held.pop().expect("as many are held as the endpoint takes").answer(200, "ok");
        held.insert(0, upstream.next());
    }
    for exchange in held {
        exchange.answer(200, "ok");
    }
    for call in &mut calls {
        assert_eq!(call.head().status, 200);
        assert_eq!(call.rest().expect("a whole answer").0, b"ok");
    }
    assert_eq!(upstream.seen.connections(), 1, "they share one connection");
}
