//! HTTP/2 clients that flood their connection: each is told to calm down, and its connection closed.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame, GET, GOAWAY, HEADERS, PING, POST,
    REFUSED_STREAM, RST_STREAM, SETTINGS, block, field, frame, greet, read, read_to_end,
};
use super::harness::{Answer, Connection, RawUpstream, Router, Service, Upstream, Wire, virtual_service};
use super::{EXCEEDED, application, settings};

const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// Sends `flood` after a greeting, and returns what the router says to it until it closes the connection.
fn flooded(router: &Router, flood: &[u8]) -> Vec<Frame> {
    let mut connection = Connection::open(router.traffic);
    greet(&mut connection);
    // The router may have closed its side before all of it is sent.
    connection.try_send(flood);
    read_to_end(&mut connection)
}

#[track_caller]
fn assert_calmed(router: &Router, limit: &str, said: &[Frame]) {
    let farewell = said.iter().find(|frame| frame.kind == GOAWAY).unwrap_or_else(|| panic!("{limit}: no GOAWAY"));
    assert_eq!(farewell.code(), Some(ENHANCE_YOUR_CALM), "{limit}: {said:?}");
    assert_eq!(router.metrics().count(EXCEEDED, &[("limit", limit)]), 1, "{limit}");
}

#[test]
fn a_flood_ends_its_connection_and_no_other() {
    let (_upstream, documents) = application();
    // So few that however busy the machine is, a second is enough to read more.
    let few = "limits: {http2: {maxResetsPerSecond: 20, maxControlFramesPerSecond: 20, maxEmptyFramesPerSecond: 20}}";
    let router = Router::start(&(documents + &settings(few)));
    let head = |stream: u32, flags| frame(HEADERS, flags, stream, &block(GET, "/own"));
    let reset = |stream: u32| [head(stream, END_STREAM | END_HEADERS), frame(RST_STREAM, 0, stream, &CANCEL)].concat();
    let mut empty = frame(HEADERS, END_HEADERS, 1, &block(POST, "/"));
    empty.extend((0..21).flat_map(|_| frame(DATA, 0, 1, &[])));
    let mut continued = head(1, END_STREAM);
    continued.extend((0..9).flat_map(|number| frame(CONTINUATION, 0, 1, &field("x-more", &number.to_string()))));
    for (limit, flood) in [
        ("http2_resets", (0..21).flat_map(|number| reset(2 * number + 1)).collect::<Vec<u8>>()),
        ("http2_control_frames", (0..21).flat_map(|_| frame(PING, 0, 0, &[7; 8])).collect()),
        ("http2_empty_frames", empty),
        ("http2_continuations", continued),
    ] {
        let said = flooded(&router, &flood);
        assert_calmed(&router, limit, &said);
    }
    let settings: Vec<u8> = (0..21).flat_map(|_| frame(SETTINGS, 0, 0, &[])).collect();
    let said = flooded(&router, &settings);
    assert!(said.iter().any(|frame| frame.code() == Some(ENHANCE_YOUR_CALM)), "{said:?}");
    assert_eq!(router.metrics().count(EXCEEDED, &[("limit", "http2_control_frames")]), 2);
    let reply = Connection::open(router.traffic).ask("GET / HTTP/1.1\r\nhost: app.example\r\n\r\n");
    assert_eq!(reply.head.status, 200);
}

/// As many as are allowed harm nobody: the connection goes on.
#[test]
fn what_stays_below_the_limits_is_served() {
    let (_upstream, documents) = application();
    let router = Router::start(&documents);
    let mut connection = Connection::open(router.traffic);
    greet(&mut connection);
    let pings: Vec<u8> = (0..100).flat_map(|_| frame(PING, 0, 0, &[7; 8])).collect();
    connection.send(pings);
    connection.send(frame(HEADERS, END_STREAM, 1, &block(GET, "/own")));
    connection.send(
        (0..8)
            .flat_map(|at| frame(CONTINUATION, if at == 7 { END_HEADERS } else { 0 }, 1, &field("x-more", "a")))
            .collect::<Vec<u8>>(),
    );
    let (mut acknowledged, mut answered) = (0, false);
    while acknowledged < 100 || !answered {
        let said = read(&mut connection);
        acknowledged += usize::from(said.kind == PING && said.flags == 1);
        answered |= said.kind == HEADERS && said.stream == 1;
        assert_ne!(said.kind, GOAWAY);
    }
}

/// Streams that the client resets while an endpoint works on them: the flood reaches no endpoint beyond the limit.
#[test]
fn a_rapid_reset_is_stopped_however_far_its_requests_came() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let service = Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let settings = settings("limits: {http2: {maxResetsPerSecond: 5}}");
    let rule = "  - {name: all, route: [{destination: {host: up.example}}]}";
    let router = Router::start(&(virtual_service("app.example", rule) + &service + &settings));
    let mut connection = Connection::open(router.traffic);
    greet(&mut connection);
    // Within one second, or the sixth would be the first of the next: all are written at once.
    let mut flood: Vec<u8> =
        (0..6).flat_map(|number| frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, &block(GET, "/"))).collect();
    connection.send(&flood);
    let exchanges: Vec<_> = (0..6).map(|_| upstream.next()).collect();
    flood = (0..6).flat_map(|number| frame(RST_STREAM, 0, 2 * number + 1, &CANCEL)).collect();
    connection.send(&flood);
    assert_calmed(&router, "http2_resets", &read_to_end(&mut connection));
    for mut exchange in exchanges {
        exchange.wait_for_abandon();
    }
}

#[test]
fn streams_over_the_limit_are_refused_one_by_one() {
    let upstream = Upstream::start(Wire::H1, Answer::Held);
    let service = Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let settings = settings("limits: {http2: {maxConcurrentStreams: 2}}");
    let rule = "  - {name: all, route: [{destination: {host: up.example}}]}";
    let router = Router::start(&(virtual_service("app.example", rule) + &service + &settings));
    let mut connection = Connection::open(router.traffic);
    greet(&mut connection);
    for number in 0..3 {
        connection.send(frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, &block(GET, "/")));
    }
    let refused = loop {
        let said = read(&mut connection);
        if said.kind == RST_STREAM {
            break said;
        }
        assert_ne!(said.kind, GOAWAY);
    };
    assert_eq!((refused.stream, refused.code()), (5, Some(REFUSED_STREAM)));
    let answered = [upstream.next(), upstream.next()];
    for exchange in answered {
        exchange.answer(200, "");
    }
    let mut heads = 0;
    while heads < 2 {
        heads += usize::from(read(&mut connection).kind == HEADERS);
    }
    assert_eq!(router.metrics().count(EXCEEDED, &[("limit", "http2_streams")]), 1);
}

/// A head of more fields, or of more bytes, than are taken is answered; what is said of it in few bytes makes no difference.
#[test]
fn a_head_that_is_too_large_is_refused() {
    let (upstream, documents) = application();
    let router = Router::start(&documents);
    let mut many = block(GET, "/");
    (0..101).for_each(|number| many.extend(field("x-many", &number.to_string())));
    let mut large = block(GET, "/");
    (0..5).for_each(|_| large.extend(field("x-large", &"x".repeat(14_000))));
    // One field of 3,900 bytes goes into the table (RFC 7541, section 6.2.1), and is then said 30 times in a byte each.
    let mut bomb = block(GET, "/");
    bomb.push(0x40);
    bomb.extend(&field("x-bomb", &"x".repeat(3900))[1..]);
    bomb.extend([0x80 | 0x3e; 30]);
    for (id, mut head) in [("many", many), ("large", large), ("bomb", bomb)] {
        head.extend(field("x-request-id", id));
        let mut connection = Connection::open(router.traffic);
        greet(&mut connection);
        let pieces: Vec<&[u8]> = head.chunks(16_000).collect();
        for (at, piece) in pieces.iter().enumerate() {
            let last = if at + 1 == pieces.len() { END_HEADERS } else { 0 };
            let (kind, flags) = if at == 0 { (HEADERS, END_STREAM | last) } else { (CONTINUATION, last) };
            connection.send(frame(kind, flags, 1, piece));
        }
        loop {
            let said = read(&mut connection);
            if said.kind == HEADERS {
                break;
            }
            assert!(said.kind != GOAWAY && said.kind != RST_STREAM, "{id}: {said:?}");
        }
        let line = router.access_of(id);
        assert_eq!(
            (line.field("response_code"), line.field("reason")),
            ("431".to_owned(), "head_too_large".to_owned()),
            "{id}"
        );
    }
    assert_eq!(upstream.seen.requests(), 0);
}

/// A head has to come whole within its time over HTTP/2 as well, whatever else its connection carries.
#[test]
fn a_head_that_does_not_come_whole_ends_its_connection() {
    let (_upstream, documents) = application();
    let router = Router::start(&(documents + &settings("headerTimeout: 1s")));
    let own = frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(GET, "/own"));
    let begun = frame(HEADERS, END_STREAM, 3, &block(GET, "/"));
    let whole = frame(HEADERS, END_STREAM | END_HEADERS, 3, &block(GET, "/"));
    let cases = [begun.clone(), [own.clone(), begun].concat(), [&own, &whole[..12]].concat()];
    for (nth, sent) in (1..).zip(cases) {
        let said = flooded(&router, &sent);
        let farewell = said.iter().find(|frame| frame.kind == GOAWAY).unwrap_or_else(|| panic!("case {nth}: {said:?}"));
        assert_eq!(farewell.code(), Some(ENHANCE_YOUR_CALM), "case {nth}: {said:?}");
        assert_eq!(router.metrics().count(EXCEEDED, &[("limit", "http2_head_timeout")]), nth, "case {nth}");
    }
}

/// What a client does not take over HTTP/2 is given up, and what it occupied is free again.
#[test]
fn an_answer_that_its_client_does_not_take_is_given_up() {
    let (gone, is_gone) = channel();
    let gone = Mutex::new(gone);
    let upstream = RawUpstream::start(move |mut visitor, _| {
        visitor.head();
        visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        let part = vec![b'x'; 1 << 20];
        while visitor.try_write(&part) {}
        gone.lock().expect("no script panics").send(()).expect("the test listens");
    });
    let service = Service { host: "up.example", wire: Wire::H1, endpoints: &[upstream.address] }.document();
    let rule = "  - {name: all, route: [{destination: {host: up.example}}]}";
    let documents = virtual_service("app.example", rule) + &service + &settings("limits: {streamIdleTimeout: 1s}");
    let router = Router::start(&documents);
    let mut connection = Connection::open(router.traffic);
    greet(&mut connection);
    let head = [block(GET, "/"), field("x-request-id", "stuck")].concat();
    connection.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &head));
    is_gone.recv().expect("the router gives the answer up");
    assert_eq!(router.access_of("stuck").field("reason"), "stream_idle_timeout");
    let ended = loop {
        let frame = read(&mut connection);
        if frame.kind == RST_STREAM {
            break frame;
        }
    };
    assert_eq!(ended.stream, 1, "{ended:?}");
    // The connection goes on.
    connection.send(frame(PING, 0, 0, &[7; 8]));
    assert_eq!(read(&mut connection).kind, PING);
}
