//! What the spans of a request say: its own, each try's, and how they hang together.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::collector::{Collector, ERROR, UNSET, attribute, hex, is, only, status, told, tries};
use super::harness::{Answer, RawUpstream, Router, Service, Upstream, Wire, closed_port, policy, virtual_service};
use super::{application, client, get};

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_request_and_its_try_are_told_by_the_conventions() {
    for (wire, version) in [(Wire::H1, "1.1"), (Wire::H2, "2")] {
        let (collector, upstream) = (Collector::start(), Upstream::start(wire, Answer::Held));
        let router = Router::start(
            &(application(upstream.address, wire, "")
                + &policy("up.example", "tier: gpu")
                + &collector.settings("workload: {name: edge, namespace: ml}")),
        );
        let before = now();
        let mut call = client(router.traffic).start_empty(
            "GET",
            "/v1/models?sig=secret&a=b",
            &[("x-request-id", "one"), ("user-agent", "test/1")],
        );
        let exchange = upstream.next();
        let named = exchange.field("traceparent");
        exchange.answer(200, "answer");
        assert_eq!(call.head().status, 200);
        call.rest().expect("a whole answer");
        let line = router.access_of("one");
        router.signal("TERM");
        let batch = collector.next();
        let (after, sent) = (now(), &batch.exchange);
        assert_eq!([sent.request.method.as_str(), sent.request.uri.path()], ["POST", "/v1/traces"]);
        assert_eq!(sent.field("content-type"), "application/x-protobuf");
        let resource = |key: &str| attribute(&batch.resource, key);
        assert_eq!([resource("service.name"), resource("service.namespace")], ["edge", "ml"]);
        assert!(!resource("service.instance.id").is_empty());

        let (server, one) = (only(&batch.spans, SpanKind::Server), only(&batch.spans, SpanKind::Client));
        assert_eq!([&*server.name, &*one.name], ["GET default/app-example/all", "GET"]);
        assert!(server.parent_span_id.is_empty(), "nobody came before");
        assert_eq!((&one.parent_span_id, &one.trace_id), (&server.span_id, &server.trace_id));
        assert_eq!(named, format!("00-{}-{}-01", hex(&one.trace_id), hex(&one.span_id)));
        assert_eq!(line.field("trace_id"), hex(&server.trace_id));
        for (key, value) in [
            ("http.request.method", "GET"),
            ("http.route", "default/app-example/all"),
            ("url.path", "/v1/models"),
            ("url.query", "sig=REDACTED&a=b"),
            ("url.scheme", "http"),
            ("server.address", "app.example"),
            ("network.protocol.version", "1.1"),
            ("network.peer.address", "127.0.0.1"),
            ("client.address", "127.0.0.1"),
            ("user_agent.original", "test/1"),
            ("http.response.status_code", "200"),
            ("http.response.body.size", "6"),
            ("guid:x-request-id", "one"),
            ("response_flags", "-"),
            ("overspill.pool", "up.example:80"),
            ("overspill.tier", "gpu"),
            ("overspill.spilled", "false"),
            ("overspill.reason", ""),
            ("error.type", ""),
        ] {
            assert_eq!(told(server, key), value, "{key}");
        }
        for (key, value) in [
            ("http.request.method", "GET"),
            ("url.full", "http://app.example/v1/models?sig=REDACTED&a=b"),
            ("server.address", "app.example"),
            ("network.protocol.version", version),
            ("network.peer.address", "127.0.0.1"),
            ("network.peer.port", &upstream.address.port().to_string()),
            ("http.response.status_code", "200"),
            ("http.request.resend_count", ""),
            ("overspill.pool", "up.example:80"),
            ("overspill.tier", "gpu"),
            ("error.type", ""),
        ] {
            assert_eq!(told(one, key), value, "{key}");
        }
        assert_eq!([status(server).0, status(one).0], [UNSET; 2]);
        let times = [
            before,
            server.start_time_unix_nano,
            one.start_time_unix_nano,
            one.end_time_unix_nano,
            server.end_time_unix_nano,
            after,
        ];
        assert!(times.is_sorted(), "{times:?}");
        batch.exchange.answer(200, "");
        router.wait_for_end();
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    u64::try_from(since).expect("before 2554")
}

#[test]
fn each_retry_is_a_span_of_its_own() {
    let (collector, upstream) = (Collector::start(), Upstream::start(Wire::H1, Answer::Held));
    let retries = "retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}, ";
    let router = Router::start(&(application(upstream.address, Wire::H1, retries) + &collector.settings("")));
    let mut call = client(router.traffic).start_empty("GET", "/", &[]);
    let mut named = Vec::new();
    for answered in [503, 404] {
        let exchange = upstream.next();
        named.push(exchange.field("traceparent"));
        exchange.answer(answered, "");
    }
    assert_eq!(call.head().status, 404);
    let spans = collector.spans_at_end(router, 1);
    let (server, tries) = (only(&spans, SpanKind::Server), tries(&spans));
    let [first, second] = tries.as_slice() else { panic!("{} tries", tries.len()) };
    let resent = |key: &str| [told(first, key), told(second, key)];
    assert_eq!(resent("http.response.status_code"), ["503", "404"]);
    assert_eq!(resent("error.type"), ["503", "404"]);
    assert_eq!(resent("http.request.resend_count"), ["", "1"]);
    // 4xx is an error for whoever asked, and none for whoever served.
    assert_eq!([status(first).0, status(second).0, status(server).0], [ERROR, ERROR, UNSET]);
    assert!(first.end_time_unix_nano <= second.start_time_unix_nano, "one ended before the other began");
    for (span, named) in tries.iter().zip(named) {
        assert_eq!(span.parent_span_id, server.span_id);
        assert!(named.contains(&hex(&span.span_id)), "{named}");
    }
}

#[test]
fn a_request_that_spills_says_from_where_and_why() {
    let collector = Collector::start();
    let (_socket, down) = closed_port();
    let up = Upstream::start(Wire::H1, Answer::Fixed(200, "up".to_owned()));
    let service = |host, endpoint| Service { host, wire: Wire::H1, endpoints: &[endpoint] }.document();
    let documents = virtual_service("app.example", "  - {route: [{destination: {host: gpu.example}}]}")
        + &service("gpu.example", down)
        + &service("cpu.example", up.address)
        + &policy("gpu.example", "tier: gpu, spillTo: [{host: cpu.example}]")
        + &policy("cpu.example", "tier: cpu");
    let router = Router::start(&(documents + &collector.settings("")));
    assert_eq!(get(router.traffic, "/", "").head.status, 200);
    let spans = collector.spans_at_end(router, 1);
    let (server, tries) = (only(&spans, SpanKind::Server), tries(&spans));
    for (key, value) in [("overspill.spilled", "true"), ("overspill.pool", "cpu.example:80"), ("overspill.tier", "cpu")]
    {
        assert_eq!(told(server, key), value);
    }
    assert!(told(server, "overspill.spills").contains("connect_failed at gpu.example:80"));
    let of_tries = |key: &str| tries.iter().map(|span| told(span, key)).collect::<Vec<_>>();
    assert_eq!(of_tries("overspill.pool"), ["gpu.example:80", "cpu.example:80"]);
    assert_eq!(of_tries("overspill.reason"), ["connect_failed", ""]);
    let (code, message) = status(tries[0]);
    assert_eq!((code, message.starts_with("connect_failed: ")), (ERROR, true), "{message}");
}

#[test]
fn a_hedge_is_a_span_beside_the_first() {
    for (winner, end) in [(1, "won"), (0, "lost")] {
        let collector = Collector::start();
        let upstreams = [(); 2].map(|()| Upstream::start(Wire::H1, Answer::Held));
        let endpoints = upstreams.each_ref().map(|upstream| upstream.address);
        let documents = virtual_service("app.example", "  - {route: [{destination: {host: up.example}}]}")
            + &Service { host: "up.example", wire: Wire::H1, endpoints: &endpoints }.document()
            + &policy("up.example", "hedge: {delay: 20ms}")
            + "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: up}\n\
               spec: {host: up.example, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}\n";
        let router = Router::start(&(documents + &collector.settings("")));
        let mut call = client(router.traffic).start_empty("GET", "/", &[]);
        let [first, second] = upstreams.each_ref().map(Upstream::next);
        let named = [first.field("traceparent"), second.field("traceparent")];
        let (answers, mut loses) = if winner == 0 { (first, second) } else { (second, first) };
        answers.answer(200, "answer");
        assert_eq!(call.head().status, 200);
        call.rest().expect("a whole answer");
        loses.wait_for_abandon();
        let spans = collector.spans_at_end(router, 1);
        let (server, tries) = (only(&spans, SpanKind::Server), tries(&spans));
        assert_eq!(tries.len(), 2);
        for (nth, (span, named)) in tries.iter().zip(named).enumerate() {
            let answered = if nth == winner { "200" } else { "" };
            assert_eq!(told(span, "http.response.status_code"), answered, "{end}: try {nth}");
            assert_eq!(told(span, "network.peer.port"), endpoints[nth].port().to_string());
            assert_eq!((&span.parent_span_id, status(span).0), (&server.span_id, UNSET), "giving up is no error");
            assert!(named.contains(&hex(&span.span_id)));
        }
        assert_eq!(told(tries[1], "overspill.hedge"), end);
        assert_eq!(told(tries[1], "http.request.resend_count"), "1");
        assert!(tries[1].start_time_unix_nano < tries[0].end_time_unix_nano, "they were under way together");
    }
}

#[test]
fn an_answer_that_breaks_off_is_an_error_of_both() {
    let collector = Collector::start();
    let upstream = RawUpstream::start(|mut visitor, _| {
        visitor.head();
        visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        visitor.close();
    });
    let router = Router::start(&(application(upstream.address, Wire::H1, "") + &collector.settings("")));
    let mut call = client(router.traffic).start_empty("GET", "/", &[]);
    assert_eq!(call.head().status, 200);
    assert!(call.rest().is_err());
    let spans = collector.spans_at_end(router, 1);
    for span in &spans {
        assert_eq!(told(span, "http.response.status_code"), "200");
        assert_eq!([told(span, "overspill.reason"), told(span, "error.type")], ["upstream_reset"; 2]);
        assert_eq!(status(span).0, ERROR);
    }
    assert_eq!(spans.len(), 2);
}

#[test]
fn a_copy_of_a_request_is_not_a_try() {
    let collector = Collector::start();
    let [up, mirror] = [(); 2].map(|()| Upstream::start(Wire::H1, Answer::Held));
    let documents = application(up.address, Wire::H1, "mirrors: [{destination: {host: mirror.example}}], ")
        + &Service { host: "mirror.example", wire: Wire::H1, endpoints: &[mirror.address] }.document();
    let router = Router::start(&(documents + &collector.settings("")));
    let mut call = client(router.traffic).start_empty("GET", "/", &[]);
    let (exchange, copied) = (up.next(), mirror.next());
    let named = copied.field("traceparent");
    exchange.answer(200, "");
    copied.answer(200, "");
    assert_eq!(call.head().status, 200);
    let spans = collector.spans_at_end(router, 1);
    assert_eq!(spans.iter().filter(|span| is(span, SpanKind::Client)).count(), 1);
    let server = only(&spans, SpanKind::Server);
    assert!(named.contains(&hex(&server.span_id)), "the copy comes from the request itself: {named}");
}
