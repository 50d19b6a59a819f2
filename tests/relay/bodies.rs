//! Bodies in both directions, frame by frame: a side that waits for the other's frame before it sends its own next one
//! gets nowhere through a router that buffers.

use http::{HeaderMap, HeaderValue};

use super::harness::{Answer, Client, PAIRS, Wire};
use super::through;

fn checksum(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static("x-checksum"), HeaderValue::from_static(value))])
}

fn bodies_stream_both_ways((front, back): (Wire, Wire)) {
    let (router, upstream) = through(back, Answer::Held);
    let mut client = Client::connect(router.traffic, front);
    let mut call = client.start("POST", "/stream", &[]);
    assert!(call.send("first"));
    let mut exchange = upstream.next();
    assert_eq!(exchange.at_least(5), b"first", "the first piece arrives before the second is sent");
    exchange.begin(200, &[]);
    assert!(exchange.send("one"));
    assert_eq!(call.head().status, 200);
    assert_eq!(call.data().as_deref(), Some(&b"one"[..]), "an answer begins before the request has ended");
    assert!(call.send("second"));
    assert_eq!(exchange.at_least(6), b"second");
    assert!(exchange.send("two"));
    assert_eq!(call.data().as_deref(), Some(&b"two"[..]));
    call.finish();
    let (rest, trailers) = exchange.rest().expect("the request ends");
    assert!(rest.is_empty() && trailers.is_none_or(|trailers| trailers.is_empty()));
    exchange.finish();
    assert_eq!(call.rest().expect("the answer ends").0, b"");
}

#[test]
fn bodies_stream_from_http1_to_http1() {
    bodies_stream_both_ways(PAIRS[0]);
}

#[test]
fn bodies_stream_from_http1_to_http2() {
    bodies_stream_both_ways(PAIRS[1]);
}

#[test]
fn bodies_stream_from_http2_to_http1() {
    bodies_stream_both_ways(PAIRS[2]);
}

#[test]
fn bodies_stream_from_http2_to_http2() {
    bodies_stream_both_ways(PAIRS[3]);
}

fn trailers_pass_both_ways((front, back): (Wire, Wire)) {
    let (router, upstream) = through(back, Answer::Held);
    let mut client = Client::connect(router.traffic, front);
    let mut call = client.start("POST", "/trailers", &[("te", "trailers"), ("trailer", "x-checksum")]);
    assert!(call.send("body"));
    call.finish_with(checksum("asked"));
    let mut exchange = upstream.next();
    let (body, trailers) = exchange.rest().expect("the request ends");
    assert_eq!((body.as_slice(), trailers), (&b"body"[..], Some(checksum("asked"))));
    exchange.begin(200, &[("trailer", "x-checksum")]);
    assert!(exchange.send("answer"));
    exchange.finish_with(checksum("answered"));
    assert_eq!(call.head().status, 200);
    assert_eq!(call.rest().expect("the answer ends"), (b"answer".to_vec(), Some(checksum("answered"))));
}

#[test]
fn trailers_pass_although_an_http2_client_says_the_length() {
    let (router, upstream) = through(Wire::H1, Answer::Held);
    let mut client = Client::connect(router.traffic, Wire::H2);
    let mut call = client.start("POST", "/trailers", &[("trailer", "x-checksum"), ("content-length", "4")]);
    assert!(call.send("body"));
    call.finish_with(checksum("asked"));
    let mut exchange = upstream.next();
    let (body, trailers) = exchange.rest().expect("the request ends");
    assert_eq!((body.as_slice(), trailers), (&b"body"[..], Some(checksum("asked"))));
}

#[test]
fn trailers_pass_between_all_versions() {
    PAIRS.into_iter().for_each(trailers_pass_both_ways);
}

#[test]
fn server_sent_events_pass_one_by_one() {
    for (front, back) in PAIRS {
        let (router, upstream) = through(back, Answer::Held);
        let mut client = Client::connect(router.traffic, front);
        let mut call = client.start_empty("GET", "/events", &[("accept", "text/event-stream")]);
        let mut exchange = upstream.next();
        exchange.begin(200, &[("content-type", "text/event-stream"), ("cache-control", "no-cache")]);
        let head = call.head();
        assert_eq!(head.value("content-type"), "text/event-stream", "the head arrives before any event");
        for number in 0..5 {
            let event = format!("id: {number}\ndata: {{\"token\": {number}}}\n\n");
            assert!(exchange.send(&event));
            assert_eq!(call.data().as_deref(), Some(event.as_bytes()), "{front:?} to {back:?}");
        }
        exchange.finish();
        assert_eq!(call.data(), None);
    }
}

#[test]
fn a_megabyte_passes_unchanged_between_all_versions() {
    let body = (0..1 << 17).fold(String::new(), |body, number| body + &format!("{number:07}\n"));
    for (front, back) in PAIRS {
        let (router, upstream) = through(back, Answer::Held);
        let mut client = Client::connect(router.traffic, front);
        let mut call = client.start("POST", "/large", &[]);
        let answering = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut exchange = upstream.next();
                let (read, _) = exchange.rest().expect("the request ends");
                exchange.begin(200, &[]);
                let text = String::from_utf8(read).expect("the body is ASCII");
                assert!(exchange.send(&text));
                exchange.finish();
            });
            assert!(call.send(&body));
            call.finish();
            assert_eq!(call.head().status, 200);
            call.rest()
        });
        let (answer, _) = answering.expect("the answer ends");
        assert!(answer == body.as_bytes(), "{front:?} to {back:?}: {} bytes came back", answer.len());
    }
}
