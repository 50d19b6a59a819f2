//! Endpoints that fail in every way, under load: nothing is lost that a later tier could serve, nothing is passed off as
//! whole that is not, and no POST is executed twice.

#![allow(clippy::expect_used, clippy::panic, reason = "a step that cannot go on fails its test, and says why")]

#[path = "../harness/harness.rs"]
mod harness;

mod gone;
mod unruly;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use harness::{Client, RawUpstream, Router, Service, Visitor, Wire, policy, virtual_service};

/// How often each request was executed, by its `x-request-id`, over all endpoints of a test.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<BTreeMap<String, u32>>>);

impl Ledger {
    fn note(&self, id: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id.to_owned()).or_default() += 1;
    }

    /// Those that were executed more than once.
    fn repeated(&self) -> Vec<String> {
        let ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.iter().filter(|(_, times)| **times > 1).map(|(id, times)| format!("{id}: {times}")).collect()
    }

    fn total(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// An endpoint that reads each request whole, notes that it was executed, and then does with it what `answer` says. Its
/// arguments are the connection and how many requests came over it before; it tells whether the connection goes on.
fn executing(ledger: &Ledger, answer: impl Fn(&mut Visitor, usize) -> Next + Send + Sync + 'static) -> RawUpstream {
    let ledger = ledger.clone();
    RawUpstream::start(move |mut visitor, _| {
        for nth in 0.. {
            let Some((_, fields)) = visitor.head() else { return };
            let value = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            let length = value("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if visitor.read(length).len() < length {
                return;
            }
            ledger.note(value("x-request-id").unwrap_or_default());
            match answer(&mut visitor, nth) {
                Next::Request => {}
                Next::Close => return visitor.close(),
                Next::Reset => return visitor.reset(),
            }
        }
    })
}

/// What an endpoint does with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Request,
    Close,
    Reset,
}

/// Writes a whole answer.
fn ok(visitor: &mut Visitor) {
    visitor.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole");
}

/// A router before a pool of `gpu` endpoints that spills to `cpu`; `rule` has further fields of the rule.
fn router(gpu: &[SocketAddr], cpu: &[SocketAddr], rule: &str, more: &str) -> Router {
    let service = |host, endpoints| Service { host, wire: Wire::H1, endpoints }.document();
    let rule = format!("  - {{name: all, {rule}, route: [{{destination: {{host: gpu.example}}}}]}}");
    Router::start(
        &(virtual_service("app.example", &rule)
            + &service("gpu.example", gpu)
            + &service("cpu.example", cpu)
            + &policy("gpu.example", "tier: gpu, spillTo: [{host: cpu.example}]")
            + &policy("cpu.example", "tier: cpu")
            + more),
    )
}

/// What a client has of one request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Got {
    /// An answer that ended as it should.
    Whole(u16, String),
    /// One that was broken off, or none.
    Broken,
}

/// `requests` of `method` from each of four clients at once, each with an id of its own.
fn load(router: &Router, method: &'static str, requests: usize) -> BTreeMap<Got, usize> {
    let traffic = router.traffic;
    let clients: Vec<_> = (0..4)
        .map(|client| {
            std::thread::spawn(move || {
                let ask = |nth| one(traffic, method, &format!("{method}-{client}-{nth}"));
                (0..requests).map(ask).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut tally = BTreeMap::new();
    for got in clients.into_iter().flat_map(|client| client.join().expect("a client does not panic")) {
        *tally.entry(got).or_default() += 1;
    }
    tally
}

fn one(traffic: SocketAddr, method: &str, id: &str) -> Got {
    let mut client = Client::connect(traffic, Wire::H1);
    let mut call = if method == "POST" {
        let mut call = client.start(method, "/", &[("x-request-id", id), ("content-length", "15")]);
        call.send("a text to embed");
        call.finish();
        call
    } else {
        client.start_empty(method, "/", &[("x-request-id", id)])
    };
    let Ok(head) = call.try_head() else { return Got::Broken };
    match call.rest() {
        Ok((body, _)) => Got::Whole(head.status, String::from_utf8_lossy(&body).into_owned()),
        Err(_) => Got::Broken,
    }
}

fn whole(status: u16, body: &str) -> Got {
    Got::Whole(status, body.to_owned())
}
