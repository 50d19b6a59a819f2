use std::sync::Mutex;

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::domain::{Reason, Tier};
use crate::telemetry::fixtures::{Exposition, pool_id, record, snapshot, workload};
use crate::telemetry::{Recorder, trace_id};

const LONG: Duration = Duration::from_mins(1);

fn routed() -> Snapshot {
    snapshot(&[("ns/embed/rest", &[70, 30])], None)
}

fn written(snapshot: &Snapshot, record: &Record) -> Value {
    let mut line = Vec::new();
    // When every request of these tests began.
    let started = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_790_000_000_123_456_789);
    line::write(&mut line, snapshot, record, started).expect("a line");
    assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1), "one line");
    serde_json::from_slice(&line).expect("JSON")
}

#[test]
fn a_line_says_everything_of_a_request() {
    let snapshot = routed();
    let [gpu, cpu] = [0, 1].map(|place| pool_id(&snapshot, place));
    let mut traced = HeaderMap::new();
    traced.insert("b3", HeaderValue::from_static("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"));
    let record = Record {
        trace_id: trace_id(&traced),
        path: "/a\"b\\c?d=é".parse().ok(),
        pool: Some(cpu),
        tier: Some(Tier::Cpu),
        status: 200,
        reason: Some(Reason::UpstreamReset),
        spills: vec![(gpu, Reason::SlotsTaken)],
        attempts: 2,
        queued: Duration::from_micros(250),
        ..record(&snapshot, Duration::from_micros(12_500))
    };
    let expected = json!({
        "timestamp": "2026-09-21T14:13:20.123456789Z",
        "request_id": "00000000-0000-4000-8000-000000000000",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "method": "POST",
        "authority": "embed.example",
        "path": "/a\"b\\c?d=é",
        "protocol": "HTTP/1.1",
        "client": "192.0.2.7:4242",
        "route": "ns/embed/rest",
        "pool": "cpu.example:80",
        "chosen_pool": "gpu.example:80",
        "endpoint": "127.0.0.1:2",
        "tier": "cpu",
        "response_code": 200,
        "response_flags": "UC",
        "response_flags_long": "UpstreamConnectionTermination",
        "reason": "upstream_reset",
        "spills": [{"pool": "gpu.example:80", "reason": "slots_taken"}],
        "attempts": 2,
        "retries": 0,
        "bytes_received": 10,
        "bytes_sent": 100,
        "duration_ms": 12.5,
        "to_first_byte_ms": 6.25,
        "queued_ms": 0.25,
        "generation": 1,
    });
    assert_eq!(written(&snapshot, &record), expected);
}

#[test]
fn what_there_is_nothing_to_say_of_is_null() {
    let snapshot = routed();
    let refused = Record {
        route: None,
        chosen: None,
        pool: None,
        endpoint: None,
        tier: None,
        status: 404,
        reason: Some(Reason::RouteNotFound),
        ..record(&snapshot, Duration::ZERO)
    };
    let line = written(&snapshot, &refused);
    for field in ["route", "pool", "endpoint", "tier", "trace_id"] {
        assert_eq!(line.get(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(line.get("chosen_pool"), None);
    assert_eq!(line["timestamp"], "2026-09-21T14:13:20.123456789Z");
}

#[test]
fn an_answer_of_the_local_model_names_the_pool_that_was_chosen() {
    let snapshot = routed();
    let local = Record { tier: Some(Tier::Local), endpoint: None, ..record(&snapshot, Duration::ZERO) };
    let line = written(&snapshot, &local);
    assert_eq!((&line["pool"], &line["chosen_pool"]), (&json!("local"), &json!("gpu.example:80")));
}

/// An output that writes nothing until its gate is opened.
struct Gated {
    gate: Receiver<()>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An opened gate is a dropped sender.
        self.gate.recv().ok();
        self.written.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_stands_still_costs_lines_and_no_request() {
    let snapshot = routed();
    let metrics = Metrics::new(&workload());
    let written = Arc::new(Mutex::new(Vec::new()));
    let (open, gate) = mpsc::sync_channel(0);
    let output = Gated { gate, written: Arc::clone(&written) };
    let (log, writer) = AccessLog::start(output, &metrics).expect("a thread");
    let recorder = Recorder::new(Arc::clone(&metrics), Some(log));
    let requests = 2 * QUEUE;
    for _ in 0..requests {
        recorder.record(&snapshot, &record(&snapshot, Duration::ZERO));
    }
    drop(open);
    assert!(writer.finish(LONG));
    let dropped = Exposition::of(&metrics, &snapshot).sum("overspill_access_log_dropped_total", &[]);
    let lines = std::str::from_utf8(&written.lock().expect("no panic")).expect("UTF-8").lines().count();
    assert!(lines >= QUEUE && lines < requests, "{lines}");
    assert_eq!(dropped, Some(f64::from(u32::try_from(requests - lines).expect("few"))));
    // After the end a line is dropped as any other that finds no place.
    recorder.record(&snapshot, &record(&snapshot, Duration::ZERO));
    let after = Exposition::of(&metrics, &snapshot).sum("overspill_access_log_dropped_total", &[]);
    assert_eq!(after, dropped.map(|before| before + 1.0));
}

#[test]
fn an_end_that_cannot_come_is_not_waited_for() {
    let snapshot = routed();
    let metrics = Metrics::new(&workload());
    let (open, gate) = mpsc::sync_channel(0);
    let output = Gated { gate, written: Arc::default() };
    let (log, writer) = AccessLog::start(output, &metrics).expect("a thread");
    log.write(&snapshot, &record(&snapshot, Duration::ZERO));
    assert!(!writer.finish(Duration::from_millis(1)));
    drop(open);
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_that_nobody_takes_are_counted() {
    let snapshot = routed();
    let metrics = Metrics::new(&workload());
    let (log, writer) = AccessLog::start(Broken, &metrics).expect("a thread");
    for _ in 0..3 {
        log.write(&snapshot, &record(&snapshot, Duration::ZERO));
    }
    assert!(writer.finish(LONG));
    let dropped = Exposition::of(&metrics, &snapshot).sum("overspill_access_log_dropped_total", &[]);
    assert_eq!(dropped, Some(3.0));
}
