//! Endpoints that answer, and not as they should.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::harness::Visitor;
use super::{Got, Ledger, Next, executing, load, ok, router, whole};

/// A number that is spread evenly and the same in every run.
fn drawn(nth: usize) -> u64 {
    (nth as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33
}

fn answering(visitor: &mut Visitor, _: usize) -> Next {
    ok(visitor);
    Next::Request
}

#[test]
fn idle_connections_that_close_at_random_cost_no_request() {
    for method in ["GET", "POST"] {
        let ledger = Ledger::default();
        let count = AtomicUsize::new(0);
        let closings = Arc::new(AtomicUsize::new(0));
        let closed = Arc::clone(&closings);
        let closing = executing(&ledger, move |visitor, _| {
            ok(visitor);
            // Announced by nothing, and only once the answer is out: by an end or by a reset.
            let next = match drawn(count.fetch_add(1, Ordering::SeqCst)) % 3 {
                0 => Next::Close,
                1 => Next::Reset,
                _ => return Next::Request,
            };
            closed.fetch_add(1, Ordering::SeqCst);
            next
        });
        let cpu = executing(&ledger, answering);
        let router = router(&[closing.address], &[cpu.address], "timeout: 1m", "");
        let tally = load(&router, method, 100);
        assert_eq!(ledger.repeated(), Vec::<String>::new(), "{method}");
        // A POST that was written to a connection as it closed may have been executed, and is not sent again. A reset may
        // take down an answer that was not read yet.
        let lost: usize = tally.iter().filter(|(got, _)| **got != whole(200, "whole")).map(|(_, count)| count).sum();
        if method == "GET" {
            assert_eq!(lost, 0, "{tally:?}");
        } else {
            let told = |got: &Got| *got == whole(200, "whole") || matches!(got, Got::Whole(502, _) | Got::Broken);
            assert!(tally.keys().all(told), "{tally:?}");
            let closings = closings.load(Ordering::SeqCst);
            assert!(lost <= closings, "no connection that closes takes two down: {closings} of them, {tally:?}");
        }
    }
}

#[test]
fn half_of_the_endpoints_answer_500_and_are_passed_over() {
    let ledger = Ledger::default();
    let failing = || {
        executing(&ledger, |visitor, _| {
            visitor.write("HTTP/1.1 500 Failed\r\ncontent-length: 6\r\n\r\nfailed");
            Next::Request
        })
    };
    let gpu = [executing(&ledger, answering), failing(), executing(&ledger, answering), failing()];
    let cpu = executing(&ledger, answering);
    let detection = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
        metadata: {name: gpu, namespace: default}\nspec: {host: gpu.example, trafficPolicy: {outlierDetection: \
        {consecutive5xxErrors: 1, maxEjectionPercent: 50, baseEjectionTime: 1h}, connectionPool: {http: {maxRetries: 100}}}}\n";
    // The default budget lets three requests be retried at once, and four clients may meet failing endpoints together.
    let retried = "retries: {attempts: 3, retryOn: 5xx, backoff: 1ms}";
    let router = router(&gpu.each_ref().map(|one| one.address), &[cpu.address], retried, detection);
    assert_eq!(load(&router, "GET", 50).into_iter().collect::<Vec<_>>(), [(whole(200, "whole"), 200)]);
    let ejected =
        router.metrics().count("overspill_pool_endpoints", &[("pool", "gpu.example:80"), ("state", "ejected")]);
    assert_eq!(ejected, 2);
}

#[test]
fn an_answer_that_is_not_whole_is_never_passed_off_as_whole() {
    let broken: [fn(&mut Visitor) -> Next; 4] = [
        |visitor| {
            visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nless than it says");
            Next::Close
        },
        |visitor| {
            visitor.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n");
            Next::Close
        },
        |visitor| {
            visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf");
            Next::Reset
        },
        |visitor| {
            visitor.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a chunk\r\n");
            Next::Close
        },
    ];
    for (nth, broken) in broken.into_iter().enumerate() {
        let ledger = Ledger::default();
        let gpu = executing(&ledger, move |visitor, _| broken(visitor));
        let cpu = executing(&ledger, answering);
        let router = router(&[gpu.address], &[cpu.address], "retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}", "");
        let tally = load(&router, "POST", 5);
        assert_eq!(tally.into_iter().collect::<Vec<_>>(), [(Got::Broken, 20)], "{nth}");
        assert_eq!(ledger.repeated(), Vec::<String>::new(), "nothing is sent again behind the first byte: {nth}");
    }
}

#[test]
fn more_than_an_answer_said_is_not_taken_for_the_next() {
    let ledger = Ledger::default();
    let gpu = executing(&ledger, |visitor, _| {
        visitor.write(
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwholeHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother",
        );
        Next::Request
    });
    let cpu = executing(&ledger, answering);
    let router = router(&[gpu.address], &[cpu.address], "timeout: 1m", "");
    assert_eq!(load(&router, "GET", 20).into_iter().collect::<Vec<_>>(), [(whole(200, "whole"), 80)]);
}

#[test]
fn an_endpoint_that_stalls_within_its_answer_ends_with_the_route_s_timeout() {
    let ledger = Ledger::default();
    let gpu = executing(&ledger, |visitor, _| {
        visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf");
        visitor.read_to_end();
        Next::Close
    });
    let cpu = executing(&ledger, answering);
    // Long enough for the answer's head to come on a machine that is busy with other things.
    let router = router(&[gpu.address], &[cpu.address], "timeout: 3s", "");
    assert_eq!(load(&router, "GET", 1).into_iter().collect::<Vec<_>>(), [(Got::Broken, 4)]);
    router.wait_for("every slot is free", |metrics| metrics.count("overspill_requests_in_flight", &[]) == 0);
    router.wait_for("each is recorded", |metrics| {
        metrics.count("overspill_requests_total", &[("reason", "request_timeout")]) == 4
    });
}

#[test]
fn slow_endpoints_are_left_for_the_next_tier_where_a_try_has_its_time() {
    let ledger = Ledger::default();
    let gpu = executing(&ledger, |visitor, _| {
        visitor.read_to_end();
        Next::Close
    });
    let cpu = executing(&ledger, answering);
    let rule = "timeout: 1m, retries: {attempts: 1, perTryTimeout: 2s, retryOn: connect-failure, backoff: 1ms}";
    let router = router(&[gpu.address], &[cpu.address], rule, "");
    assert_eq!(load(&router, "GET", 1).into_iter().collect::<Vec<_>>(), [(whole(200, "whole"), 4)]);
    let timed_out = load(&router, "POST", 1);
    assert!(timed_out.keys().all(|got| matches!(got, Got::Whole(504, _))), "{timed_out:?}");
}
