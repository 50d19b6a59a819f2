//! Load: one thread that asks over many connections, and notes what comes back and when.
//!
//! Owns the pace. Closed: whoever has been answered asks again. Paced: requests are due at fixed moments whatever the
//! proxy does, and each one's latency counts from the moment that it was due, so that a stall is charged to every
//! request that it kept waiting.

mod connection;
mod engine;
mod h1;
mod h2;
mod transport;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustls::ClientConfig;

pub use self::engine::{ask, run};
use crate::exchange::Exchange;

/// Where to, what, and over how many connections.
#[derive(Clone)]
pub struct Load {
    /// Where to.
    pub target: SocketAddr,
    /// What is asked and answered.
    pub exchange: Exchange,
    /// Of every this many requests, one carries the rule's header.
    pub rule_each: usize,
    /// Connections, which take turns.
    pub connections: usize,
    /// Requests that one connection has in flight at most.
    pub streams: usize,
    /// Requests in flight at most over all connections.
    pub in_flight: usize,
    /// How long each lives.
    pub keep: Keep,
    /// TLS, where the proxy serves it.
    pub secure: Option<Arc<ClientConfig>>,
}

/// How long a connection lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// For as long as the load runs.
    Alive,
    /// For one request, which begins with opening it.
    OneRequest,
}

/// When a request is sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As soon as there is room in flight.
    Closed,
    /// So many a second, evenly.
    Paced(f64),
}

/// For how long.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// At least, before anything counts; longer where not every connection has been used yet.
    pub warm_up: Duration,
    /// What counts.
    pub window: Duration,
}

/// What a window has shown. `R` is what was read at its edges.
pub struct Outcome<R> {
    /// At its beginning.
    pub before: R,
    /// At its end.
    pub after: R,
    /// How long the window really was.
    pub window: Duration,
    /// Requests answered in the window, rightly or not.
    pub answered: u64,
    /// Answers that were not as they must be, and requests that got none.
    pub faults: Faults,
    /// Nanoseconds; of the requests that were due in the window.
    pub latencies: Histogram<u64>,
}

/// What went wrong in a whole run, its warm-up included.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Faults {
    /// How many.
    pub count: u64,
    /// The first of them, in words.
    pub first: Option<String>,
}

impl Faults {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.note(other.count, || other.first.clone().unwrap_or_default());
    }

    fn note(&mut self, count: u64, what: impl FnOnce() -> String) {
        if count > 0 && self.first.is_none() {
            self.first = Some(what());
        }
        self.count += count;
    }
}

/// One request that has been answered.
struct Answer {
    /// When it was due.
    due: Instant,
    /// What is wrong with it.
    fault: Option<String>,
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the proxy closed the connection")]
    Closed,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("an answer that is not HTTP: {0}")]
    NotHttp(String),
}

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing listens at the target.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(SocketAddr, std::io::Error),
    /// The system refuses something.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Too much goes wrong for a figure to mean anything.
    #[error("{} requests failed, the first one so: {}", .0.count, .0.first.as_deref().unwrap_or("unknown"))]
    TooManyFaults(Faults),
    /// TLS is not what it must be.
    #[error("TLS cannot be spoken: {0}")]
    Tls(#[from] rustls::Error),
}
