//! Tries that bring no answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use super::harness::{Answer, Client, RawUpstream, Router, Upstream, Visitor, Wire, closed_port};
use super::{begin, held, router};

const RESPONSE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Breaks the first connections off within a request, and answers on those after.
fn breaking(times: usize) -> RawUpstream {
    RawUpstream::start(move |mut visitor, number| {
        visitor.head();
        if number < times {
            visitor.reset();
        } else {
            visitor.write(RESPONSE);
        }
    })
}

#[test]
fn a_reset_is_retried_where_the_rule_asks_for_it() {
    for token in ["reset", "5xx", "gateway-error"] {
        let upstream = breaking(2);
        let fields = format!("retries: {{attempts: 2, retryOn: {token}, backoff: 1ms}}");
        let router = router(&[upstream.address], Wire::H1, &fields, "");
        let mut call = begin(&router, "POST", "broken");
        assert_eq!(call.head().status, 200, "{token}");
        assert_eq!(router.access_of("broken").field("attempts"), "3");
    }
}

#[test]
fn a_request_that_was_written_is_not_sent_again_unasked() {
    let upstream = breaking(1);
    let router = router(&[upstream.address], Wire::H1, "timeout: 30s", "");
    let mut call = begin(&router, "POST", "broken");
    assert_eq!(call.head().status, 502);
    let line = router.access_of("broken");
    assert_eq!([line.field("reason"), line.field("attempts")], ["upstream_reset", "1"]);
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_connection_that_cannot_be_opened_is_tried_again_twice() {
    let (_socket, refusing) = closed_port();
    let router = router(&[refusing], Wire::H1, "timeout: 30s", "");
    let mut call = begin(&router, "POST", "down");
    assert_eq!(call.head().status, 503);
    let line = router.access_of("down");
    let told = ["attempts", "retries", "reason", "response_flags"].map(|name| line.field(name));
    assert_eq!(told, ["3", "2", "connect_failed", "UF,URX"]);
}

#[test]
fn no_attempts_are_one_try() {
    let (_socket, refusing) = closed_port();
    let router = router(&[refusing], Wire::H1, "retries: {attempts: 0}", "");
    assert_eq!(begin(&router, "GET", "once").head().status, 503);
    let line = router.access_of("once");
    assert_eq!([line.field("attempts"), line.field("response_flags")], ["1", "UF"]);
}

#[test]
fn a_try_that_takes_too_long_is_given_up_for_another() {
    let upstream = RawUpstream::start(|mut visitor, number| {
        visitor.head();
        if number == 0 {
            visitor.read_to_end();
        } else {
            visitor.write(RESPONSE);
        }
    });
    // On a machine so busy that an answer takes longer than a try may, a later one has it.
    let retries = "retries: {attempts: 50, perTryTimeout: 200ms, retryOn: reset, backoff: 1ms}";
    let router = router(&[upstream.address], Wire::H1, retries, "");
    let mut call = begin(&router, "GET", "slow");
    assert_eq!(call.head().status, 200);
    let attempts: u32 = router.access_of("slow").field("attempts").parse().expect("a number");
    assert!(attempts >= 2, "the first is never answered: {attempts}");
}

#[test]
fn tries_that_all_take_too_long_are_a_504() {
    let (router, _upstream) = held(Wire::H2, "retries: {attempts: 1, perTryTimeout: 50ms, retryOn: 5xx, backoff: 1ms}");
    let mut call = begin(&router, "GET", "slow");
    assert_eq!(call.head().status, 504);
    let line = router.access_of("slow");
    assert_eq!([line.field("attempts"), line.field("response_flags")], ["2", "UT,URX"]);
}

/// A router whose tries have 100 ms. Its endpoint answers `/silent` never, and all else at once with the head and the first
/// of two bytes; the last byte comes once `hold` is dropped.
struct Hasty {
    router: Router,
    upstream: RawUpstream,
    /// Tries of requests other than `/silent`.
    tries: Arc<AtomicUsize>,
    hold: Sender<()>,
}

impl Hasty {
    fn start() -> Self {
        let (hold, release) = channel::<()>();
        let (release, tries) = (Mutex::new(release), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&tries);
        let upstream = RawUpstream::start(move |mut visitor, _| {
            let Some((line, fields)) = visitor.head() else { return };
            if line.contains("/silent") {
                return visitor.read_to_end();
            }
            counted.fetch_add(1, Ordering::SeqCst);
            if fields.iter().any(|(name, _)| name == "transfer-encoding") {
                visitor.read_until("\r\n0\r\n\r\n");
            }
            visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no");
            release.lock().expect("no script panics").recv().expect_err("nothing is sent");
            visitor.write("k");
            visitor.read_to_end();
        });
        // Where the machine is so busy that an answer's head takes longer than a try may, a later one has it.
        let retries = "retries: {attempts: 50, perTryTimeout: 100ms, retryOn: 5xx, backoff: 1ms}";
        let router = router(&[upstream.address], Wire::H1, retries, "");
        Self { router, upstream, tries, hold }
    }

    /// Returns once a try that has begun after whatever is under way has used up its time.
    fn wait_for_longer_than_a_try(&self) {
        let before = self.upstream.connections();
        let client = Client::connect(self.router.traffic, Wire::H1).start_empty("GET", "/silent", &[]);
        self.router.wait_until("it is tried again", |_| self.upstream.connections() > before + 1);
        client.cancel();
    }
}

#[test]
fn a_try_has_time_until_its_answer_begins() {
    let hasty = Hasty::start();
    let mut call = begin(&hasty.router, "GET", "begun");
    assert_eq!(call.head().status, 200);
    assert_eq!(call.data().as_deref(), Some(&b"o"[..]));
    hasty.wait_for_longer_than_a_try();
    drop(hasty.hold);
    assert_eq!(call.rest().expect("the answer is whole").0, b"k");
}

#[test]
fn a_client_that_takes_its_time_costs_no_try() {
    let hasty = Hasty::start();
    let mut call = Client::connect(hasty.router.traffic, Wire::H1).start("POST", "/", &[]);
    assert!(call.send("part"));
    hasty.router.wait_until("the endpoint is asked", |_| hasty.tries.load(Ordering::SeqCst) == 1);
    hasty.wait_for_longer_than_a_try();
    assert_eq!(hasty.tries.load(Ordering::SeqCst), 1, "a request that is still being sent is not late");
    call.finish();
    assert_eq!(call.head().status, 200);
}

/// A server of HTTP/2, frame by frame.
struct Frames(Visitor);

/// `RST_STREAM` with `REFUSED_STREAM`, and `HEADERS` that end a stream with status 200.
const REFUSED: (u8, u8, &[u8]) = (3, 0, &[0, 0, 0, 7]);
const ANSWER: (u8, u8, &[u8]) = (1, 0b101, &[0x88]);

impl Frames {
    fn accept(mut visitor: Visitor) -> Self {
        visitor.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len());
        let mut frames = Self(visitor);
        frames.write(0, (4, 0, &[]));
        frames
    }

    fn write(&mut self, stream: u32, (kind, flags, payload): (u8, u8, &[u8])) {
        let length = u8::try_from(payload.len()).expect("a short payload");
        let mut frame = vec![0, 0, length, kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.0.write(frame);
    }

    /// The stream of the next request; `None` once the router has closed.
    fn request(&mut self) -> Option<u32> {
        loop {
            let head = self.0.read(9);
            let [a, b, c, kind, _, stream @ ..] = head.as_slice() else { return None };
            self.0.read(usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c));
            if *kind == 1 {
                return Some(u32::from_be_bytes(stream.try_into().expect("four bytes")));
            }
        }
    }
}

#[test]
fn a_stream_that_is_refused_is_sent_again_with_its_body() {
    let upstream = RawUpstream::start(|visitor, _| {
        let mut frames = Frames::accept(visitor);
        for answer in [REFUSED, REFUSED, ANSWER] {
            let stream = frames.request().expect("another try");
            frames.write(stream, answer);
        }
        frames.request();
    });
    let router = router(&[upstream.address], Wire::H2, "timeout: 30s", "");
    let reply = Client::connect(router.traffic, Wire::H1).ask("POST", "/", &[("x-request-id", "refused")], "body");
    assert_eq!(reply.head.status, 200);
    assert_eq!(router.access_of("refused").field("attempts"), "3");
    assert_eq!(upstream.connections(), 1, "a connection outlives the streams that it refuses");
}

#[test]
fn a_stream_that_a_leaving_connection_leaves_out_is_sent_again() {
    let upstream = RawUpstream::start(|visitor, number| {
        let mut frames = Frames::accept(visitor);
        while let Some(stream) = frames.request() {
            if number == 0 {
                // GOAWAY: no stream was processed, and there is no error.
                frames.write(0, (7, 0, &[0; 8]));
            } else {
                frames.write(stream, ANSWER);
            }
        }
    });
    let router = router(&[upstream.address], Wire::H2, "timeout: 30s", "");
    let reply = Client::connect(router.traffic, Wire::H1).ask("POST", "/", &[], "body");
    assert_eq!(reply.head.status, 200);
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn nothing_is_sent_again_once_the_answer_has_begun() {
    let (router, upstream) = held(Wire::H1, "retries: {attempts: 2, retryOn: \"5xx,reset\", backoff: 1ms}");
    let mut call = begin(&router, "GET", "begun");
    let mut exchange = upstream.next();
    exchange.begin(200, &[]);
    assert!(exchange.send("half"));
    assert_eq!(call.head().status, 200);
    assert_eq!(call.data().as_deref(), Some(&b"half"[..]));
    exchange.abort();
    assert!(call.rest().is_err());
    let line = router.access_of("begun");
    assert_eq!([line.field("attempts"), line.field("reason")], ["1", "upstream_reset"]);
}

#[test]
fn a_pool_out_of_reach_spills_at_once_where_there_is_another() {
    let (_socket, refusing) = closed_port();
    let other = Upstream::start(Wire::H1, Answer::Fixed(200, "other".to_owned()));
    let more = super::harness::Service { host: "other.example", wire: Wire::H1, endpoints: &[other.address] }
        .document()
        + &super::harness::policy("pool.example", "tier: gpu, spillTo: [{host: other.example}]");
    let router = router(&[refusing], Wire::H1, "retries: {attempts: 9, retryOn: connect-failure}", &more);
    let mut call = begin(&router, "GET", "spilled");
    assert_eq!(call.head().status, 200);
    let line = router.access_of("spilled");
    assert_eq!([line.field("attempts"), line.field("response_flags")], ["2", "-"]);
}
