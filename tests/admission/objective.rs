//! Waiting or spilling, where a latency objective decides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::harness::series::{IN_FLIGHT, QUEUED, SPILLED};
use super::harness::{Answer, RawUpstream, Reply, Router, Upstream, Wire};
use super::{begin, begin_sensitive, documents};

const GPU: (&str, &str) = ("pool", "gpu.example:80");

fn timed(time: Duration) -> Upstream {
    Upstream::start(Wire::H1, Answer::Timed { quick: time, slow: time })
}

fn served_by(reply: &Reply) -> String {
    reply.head.value("x-served-by")
}

#[test]
fn a_request_whose_wait_would_break_its_objective_spills_at_once() {
    // Slow for the first request, and as long as the test takes for any other.
    let first = AtomicBool::new(true);
    let gpu = RawUpstream::start(move |mut visitor, _| {
        while visitor.head().is_some() {
            if !first.swap(false, Ordering::SeqCst) {
                return visitor.read_to_end();
            }
            visitor.write_after(Duration::from_secs(1), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let cpu = timed(Duration::ZERO);
    let gpu_policy = "slotsPerEndpoint: 1, queue: {timeout: 60s}, spillTo: [{host: cpu.example}]";
    let documents = documents((&[gpu.address], gpu_policy), (&[cpu.address], ""), ", latencyObjective: 500ms");
    let router = Router::start(&documents);
    // What an answer takes is known once there was one.
    assert_eq!(served_by(&begin_sensitive(router.traffic, "/").read_reply()), "gpu");
    let _held = begin(router.traffic, "/");
    router.wait_for("the slot is taken", |metrics| metrics.count(IN_FLIGHT, &[GPU]) == 1);
    let reply = begin_sensitive(router.traffic, "/").read_reply();
    assert_eq!((reply.head.status, served_by(&reply).as_str()), (200, "cpu"), "{reply:?}");
    let status = reply.head.value("proxy-status");
    assert!(status.contains("spilled; wait_too_long at gpu.example:80"), "{status}");
    let spilled = [GPU, ("reason", "wait_too_long")];
    router.wait_for("the reason is counted", |metrics| metrics.count(SPILLED, &spilled) == 1);
    // A rule without an objective spills as ever.
    let reply = begin(router.traffic, "/").read_reply();
    assert!(reply.head.value("proxy-status").contains("spilled; slots_taken at gpu.example:80"), "{reply:?}");
}

#[test]
fn a_request_waits_where_that_alone_keeps_its_objective() {
    let (gpu, cpu) = (Upstream::start(Wire::H1, Answer::Held), timed(Duration::from_secs(5)));
    let gpu_policy = "slotsPerEndpoint: 1, queue: {timeout: 60s}, spillTo: [{host: cpu.example}]";
    let documents = documents((&[gpu.address], gpu_policy), (&[cpu.address], ""), ", latencyObjective: 4s");
    let router = Router::start(&documents);
    let mut quick = begin_sensitive(router.traffic, "/");
    gpu.next().answer(200, "");
    assert_eq!(served_by(&quick.read_reply()), "gpu");
    let mut first = begin(router.traffic, "/");
    let held = gpu.next();
    let slow = begin_sensitive(router.traffic, "/").read_reply();
    assert_eq!(served_by(&slow), "cpu", "what was never measured may keep the objective: {slow:?}");
    let mut waits = begin_sensitive(router.traffic, "/");
    router.wait_for("it waits for the gpu", |metrics| metrics.count(QUEUED, &[GPU]) == 1);
    held.answer(200, "");
    assert_eq!(first.read_reply().head.status, 200);
    gpu.next().answer(200, "");
    let reply = waits.read_reply();
    assert_eq!((reply.head.status, served_by(&reply).as_str()), (200, "gpu"), "{reply:?}");
    let status = reply.head.value("proxy-status");
    assert!(
        status.contains("queued at gpu.example:80, since later pools would miss the latency objective"),
        "{status}"
    );
    router.wait_for("one has spilled", |metrics| metrics.count(SPILLED, &[GPU]) == 1);
}
