//! What is no request, or could be read as two: refused by the letter of RFC 9112, counted, logged, and the connection closed
//! with it, so that nothing behind it is taken for a request.

use super::harness::series::REFUSED;
use super::harness::{Connection, Router, Wire};
use super::{echo, settings, through};

const GOOD: &str = "GET /good HTTP/1.1\r\nhost: app.example\r\n\r\n";

/// What must never be taken for a request.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: app.example\r\n\r\n";

/// A request with these fields and this body behind them.
fn with(fields: &str, body: &str) -> String {
    format!("POST /bad HTTP/1.1\r\nhost: app.example\r\n{fields}\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    with("transfer-encoding: chunked", body)
}

/// What is refused as `malformed_request`.
#[expect(clippy::too_many_lines, reason = "a table")]
fn malformed() -> Vec<String> {
    let lengths = [
        "5, 5",
        "5,5",
        "5, 6",
        "5,",
        ",5",
        "+5",
        "-5",
        "-0",
        "0x5",
        "5 5",
        "5\t5",
        "5.0",
        "5e0",
        "five",
        "\"5\"",
        "5;",
        "",
        "18446744073709551616",
        "99999999999999999999999",
    ];
    let codings = [
        "identity",
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "chunked, identity",
        "xchunked",
        "chunkedx",
        "chunked;a=b",
        "\"chunked\"",
        "chunked,",
        ",chunked",
        "chun ked",
        "",
    ];
    let fields = [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "content-length: 5\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5\r\nContent-Length: 5",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked",
        "x-a: b\r\n c",
        "x-a: b\r\n\tc",
        "x-a:\r\n b",
        "content-length:\r\n 5",
        "transfer-encoding:\r\n chunked",
        "x-a : b",
        "x-a\t: b",
        "content-length : 5",
        "transfer-encoding : chunked",
        " x-a: b",
        "x-a",
        ": b",
        "x a: b",
        "x(a): b",
        "x-\u{e9}: b",
        "x-\0a: b",
        "x-a: b\0c",
        "x-a: b\u{1}c",
        "x-a: b\u{7f}c",
        "x-a: b\u{1b}[0m",
        "x-a: b\rc",
        "x-a: b\r\rx-b: c",
        "x-a: b\nx-b: c",
        "x-a: b\ntransfer-encoding: chunked",
        "host: app.example",
        "host: other.example",
    ];
    let lines = [
        "GET /bad HTTP/1.1\nhost: app.example\n\n",
        "GET /bad HTTP/1.1\nhost: app.example\r\n\r\n",
        "GET /bad HTTP/1.1\r\nhost: app.example\n\r\n",
        "GET /bad HTTP/1.1\r\nhost: app.example\r\n\n",
        "\nGET /bad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "\rGET /bad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        " GET /bad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET /bad HTTP/1.1\r\n host: app.example\r\n\r\n",
        "GET /bad HTTP/1.1\r\n\thost: app.example\r\n\r\n",
        "GET  /bad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET /bad  HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET\t/bad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET /bad HTTP/1.1 \r\nhost: app.example\r\n\r\n",
        "GET /b ad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET /b\0ad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET /bad\r\nhost: app.example\r\n\r\n",
        "GET /bad\r\n\r\n",
        "/bad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "G(T /bad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "G\0T /bad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET /bad HTTP/1.2\r\nhost: app.example\r\n\r\n",
        "GET /bad HTTP/2.0\r\nhost: app.example\r\n\r\n",
        "GET /bad HTTP/0.9\r\nhost: app.example\r\n\r\n",
        "GET /bad HTTP/11\r\nhost: app.example\r\n\r\n",
        "GET /bad http/1.1\r\nhost: app.example\r\n\r\n",
        "GET /bad SIP/1.1\r\nhost: app.example\r\n\r\n",
        "GET bad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET app.example:80 HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET * HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET ftp://app.example/ HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET http://me@app.example/ HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET http:///bad HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET http://app.example/bad HTTP/1.1\r\n\r\n",
        "GET http://app.example/bad HTTP/1.1\r\nhost: a b\r\n\r\n",
        "CONNECT app.example:80 HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "GET /bad HTTP/1.1\r\n\r\n",
        "GET /bad HTTP/1.1\r\nhost: a b\r\n\r\n",
        "GET /bad HTTP/1.1\r\nhost: a/b\r\n\r\n",
        "GET /bad HTTP/1.1\r\nhost: a:b\r\n\r\n",
        "GET /bad HTTP/1.1\r\nhost: a:99999\r\n\r\n",
        "GET /bad HTTP/1.1\r\nhost: me@app.example\r\n\r\n",
        "POST /bad HTTP/1.0\r\nhost: app.example\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /bad HTTP/1.0\r\nhost: app.example\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
    ];
    let bodies = [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;\0\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5,\r\nhello\r\n0\r\n\r\n",
        "five\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "0\r\nx-a : b\r\n\r\n",
        "0\r\nx a: b\r\n\r\n",
        "0\r\nx-a: b\r\n c\r\n\r\n",
        "0\r\nx-a: b\nx-b: c\r\n\r\n",
        "0\r\nx-a: b\0\r\n\r\n",
        "0\r\nno field\r\n\r\n",
    ];
    let endless = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(17 * 1024));
    let trailing = format!("0\r\nx-a: {}\r\n\r\n", "x".repeat(17 * 1024));
    let many = format!("0\r\n{}\r\n", "x-a: b\r\n".repeat(101));
    lengths
        .map(|length| with(&format!("content-length: {length}"), "hello"))
        .into_iter()
        .chain(codings.map(|coding| with(&format!("transfer-encoding: {coding}"), "0\r\n\r\n")))
        .chain(fields.map(|fields| with(fields, "0\r\n\r\n")))
        .chain(lines.map(str::to_owned))
        .chain(bodies.map(chunked))
        .chain([endless, trailing, many].map(|body| chunked(&body)))
        .collect()
}

/// Sends `shape` and what must not be taken for a request behind it, after a good request or alone, and holds the answer
/// against what is expected.
fn is_refused(router: &Router, shape: &str, (status, code): (u16, &str), after_a_good_one: bool) {
    let what = format!("{:?}, after a good one: {after_a_good_one}", &shape[..shape.len().min(200)]);
    let mut connection = Connection::open(router.traffic);
    let good = if after_a_good_one { GOOD } else { "" };
    // The router may have refused and closed before all was sent.
    connection.try_send(format!("{good}{shape}{SMUGGLED}").as_bytes());
    if after_a_good_one {
        assert_eq!(connection.read_reply().head.status, 200, "{what}");
    }
    let reply = connection.read_reply();
    assert_eq!(reply.head.status, status, "{what}: {reply:?}");
    assert_eq!(reply.head.value("connection"), "close", "{what}");
    assert!(reply.head.value("proxy-status").contains(code), "{what}: {reply:?}");
    assert_eq!(reply.json()["error"]["code"], code, "{what}");
    assert_eq!(connection.read_to_end(), b"", "{what}: nothing is answered behind it");
}

#[test]
fn what_could_be_read_in_two_ways_is_refused_with_its_connection() {
    let (router, _upstream) = through(Wire::H1, echo());
    let shapes = malformed();
    for shape in &shapes {
        is_refused(&router, shape, (400, "malformed_request"), false);
        is_refused(&router, shape, (400, "malformed_request"), true);
    }
    let expected = 2 * shapes.len() as u64;
    router
        .wait_for("each is counted", |metrics| metrics.count(REFUSED, &[("reason", "malformed_request")]) == expected);
    router.wait_for("a good request went before half of them, and none came behind", |metrics| {
        metrics.count("overspill_requests_total", &[("response_code", "200")]) == shapes.len() as u64
    });
}

#[test]
fn what_is_too_large_is_refused_with_its_connection() {
    let (router, upstream) = through(Wire::H1, echo());
    let filled = |length: usize| with(&format!("x-a: {}", "x".repeat(length)), "");
    let counted = |count: usize| with(&vec!["x-a: b"; count].join("\r\n"), "");
    let aimed = |length: usize| format!("GET /{} HTTP/1.1\r\nhost: app.example\r\n\r\n", "x".repeat(length));
    for (shape, status, code) in [
        (filled(65_536), 431, "head_too_large"),
        (filled(1 << 20), 431, "head_too_large"),
        // The host is a field too.
        (counted(100), 431, "head_too_large"),
        (counted(2000), 431, "head_too_large"),
        (aimed(65_536), 414, "target_too_long"),
        (aimed(1 << 20), 414, "target_too_long"),
    ] {
        is_refused(&router, &shape, (status, code), false);
        is_refused(&router, &shape, (status, code), true);
    }
    for shape in [filled(60_000), counted(90), aimed(60_000)] {
        assert_eq!(Connection::open(router.traffic).ask(&shape).head.status, 200);
    }
    assert_eq!(upstream.seen.requests(), 6 + 3);
    for (code, count) in [("head_too_large", 8), ("target_too_long", 4)] {
        router.wait_for("each is counted", |metrics| metrics.count(REFUSED, &[("reason", code)]) == count);
    }
}

#[test]
fn what_is_known_of_a_refused_head_is_logged() {
    let (router, _upstream) = through(Wire::H1, echo());
    for (shape, method, path) in [
        ("PUT /known?a=b HTTP/1.1\r\nx-a : b\r\n\r\n", "PUT", "/known?a=b"),
        ("PUT /version HTTP/3.1\r\n\r\n", "PUT", "/version"),
        ("PUT\r\n\r\n", "-", ""),
    ] {
        is_refused(&router, shape, (400, "malformed_request"), false);
        let line = router.wait_for_access(|line| line.field("method") == method && line.field("path") == path);
        assert_eq!((line.field("response_code").as_str(), line.field("reason").as_str()), ("400", "malformed_request"));
        assert_eq!(line.field("response_flags"), "DPE");
    }
    is_refused(
        &router,
        &with("x-request-id: two\r\ncontent-length: 1\r\ncontent-length: 1", ""),
        (400, "malformed_request"),
        false,
    );
    assert_eq!(router.access_of("two").field("authority"), "app.example");
}

#[test]
fn a_body_that_is_none_does_not_reach_its_endpoint_whole() {
    let (router, upstream) = through(Wire::H1, super::harness::Answer::Held);
    let mut connection = Connection::open(router.traffic);
    connection.send(chunked("5\r\nhello\r\n"));
    let mut exchange = upstream.next();
    assert_eq!(exchange.at_least(5), b"hello");
    connection.send("x\r\n");
    assert!(exchange.rest().is_err(), "half a request must not look whole");
    assert_eq!(connection.read_reply().head.status, 400);
    assert_eq!(connection.read_to_end(), b"");
}

#[test]
fn what_is_odd_and_means_one_thing_passes() {
    let (router, _upstream) = through(Wire::H1, echo());
    let mut connection = Connection::open(router.traffic);
    for request in [
        &format!("\r\n\r\n{GOOD}"),
        "GET /good HTTP/1.1\r\nHOST:app.example\r\n\r\n",
        "GET /good HTTP/1.1\r\nhost: \t app.example \t \r\nx-empty:\r\nx-obs: \u{e9}\r\n\r\n",
        "GET http://app.example/good HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: app.example\r\n\r\n",
        "M-SEARCH /good HTTP/1.1\r\nhost: app.example\r\n\r\n",
        &with("content-length: 005", "hello"),
        &with("Transfer-Encoding: Chunked", "005;a=\"b\";c\r\nhello\r\n000\r\nx-a: b\r\n\r\n"),
    ] {
        let reply = connection.ask(request);
        assert_eq!(reply.head.status, 200, "{request:?}: {reply:?}");
    }
}

#[test]
fn a_head_that_stands_still_or_dribbles_is_a_408() {
    let upstream = super::harness::Upstream::start(Wire::H1, echo());
    let router = super::router_to(upstream.address, Wire::H1, &settings("headerTimeout: 1s"));
    // The first letter is that of HTTP/2's preface too.
    for begun in ["P", "POST /slow HTTP/1.1\r\n", "GET /slow HTTP/1.1\r\nhost: app.exa"] {
        let mut connection = Connection::open(router.traffic);
        connection.send(begun);
        let reply = connection.read_reply();
        assert_eq!((reply.head.status, reply.head.value("connection").as_str()), (408, "close"), "{reply:?}");
        assert!(reply.head.value("proxy-status").contains("head_timeout"), "{reply:?}");
        assert_eq!(connection.read_to_end(), b"");
    }
    let mut connection = Connection::open(router.traffic);
    assert_eq!(connection.ask(GOOD).head.status, 200);
    connection.send("GET /dribble HTTP/1.1\r\nx-a: ");
    // More comes for as long as the router takes it: time is not given anew.
    while connection.try_send(b"b") && connection.reads_nothing_yet() {}
    let reply = connection.read_reply();
    assert_eq!(reply.head.status, 408, "{reply:?}");
    assert_eq!(router.wait_for_access(|line| line.field("path") == "/dribble").field("response_code"), "408");
    router.wait_for("each is counted", |metrics| metrics.count(REFUSED, &[("reason", "head_timeout")]) == 4);
}
