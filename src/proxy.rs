//! The data plane: from an accepted connection to a recorded request.
//!
//! Owns the life of a request. Each [`Worker`] is one thread's: its connections, its random numbers and its cached metric
//! handles are its own, and a request never changes thread. Never reads a file and never changes the configuration.

mod activity;
mod alarm;
mod answer;
mod attempt;
mod body;
mod connection;
mod destination;
mod exchange;
mod fault;
mod fields;
mod handover;
mod hedge;
mod hold;
mod http1;
mod http2;
mod listen;
mod load;
mod local;
mod mirror;
mod present;
mod rate_limit;
mod refuse;
mod relay;
mod request;
mod retained;
mod retry;
mod send;
mod stream;
mod supervisor;
mod tunnel;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use destination::Originals;
pub use listen::{Drain, Listener, serve};
pub use retained::Retained;

use crate::live::{Live, Local, Reader};
use crate::telemetry::{LimitCounters, Recorder};
use crate::upstream::Connections;
use alarm::Alarms;
use supervisor::Supervisor;

/// Settings of the data plane that hold from start to end.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a client connection without a request is kept.
    pub keepalive: Duration,
    /// How long a client connection takes requests; `None` is for good.
    pub max_connection_age: Option<Duration>,
    /// How long a client may take to send a head.
    pub header_timeout: Duration,
    /// The largest head, in bytes.
    pub max_header_bytes: u32,
}

/// What all workers share.
#[derive(Clone)]
pub struct Shared {
    /// The local model.
    pub local: Local,
    /// The destinations that requests bring along.
    pub originals: Originals,
    /// The memory of bodies that are kept for retries.
    pub retained: Retained,
}

/// What one traffic thread serves with.
pub struct Worker {
    limits: Limits,
    reader: RefCell<Reader>,
    connections: Connections,
    recorder: Recorder,
    limit_counters: LimitCounters,
    local: Local,
    originals: Originals,
    retained: Retained,
    random: RefCell<fastrand::Rng>,
    /// Copies of requests that are under way.
    mirrored: Cell<u32>,
    supervisor: Rc<Supervisor>,
    alarms: Alarms,
    /// Upgraded connections, which outlive the requests that began them.
    tunnels: RefCell<JoinSet<()>>,
}

impl Worker {
    /// A worker, to be built on its own thread.
    pub fn new(limits: Limits, reader: Reader, recorder: Recorder, shared: Shared) -> Rc<Self> {
        let Shared { local, originals, retained } = shared;
        Rc::new(Self {
            limits,
            reader: RefCell::new(reader),
            connections: Connections::default(),
            limit_counters: recorder.limits(),
            recorder,
            local,
            originals,
            retained,
            random: RefCell::default(),
            mirrored: Cell::new(0),
            supervisor: Rc::default(),
            alarms: Alarms::default(),
            tunnels: RefCell::default(),
        })
    }

    fn load(&self) -> Arc<Live> {
        self.reader.borrow_mut().load()
    }

    fn swaps(&self) -> watch::Receiver<()> {
        self.reader.borrow().swaps()
    }

    /// Ends connections that are overdue or too old, and says when to look again.
    fn look(&self) -> Instant {
        let still = self.load().snapshot.limits().stream_idle_timeout;
        self.supervisor.look((self.limits, still), &self.limit_counters)
    }

    fn draw(&self) -> u64 {
        self.random.borrow_mut().u64(..)
    }
}
