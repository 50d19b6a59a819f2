//! The data plane: from an accepted connection to a recorded request.
//!
//! Owns the life of a request. Each [`Worker`] is one thread's: its connections, its random numbers and its cached metric
//! handles are its own, and a request never changes thread. Never reads a file and never changes the configuration.

mod activity;
mod answer;
mod attempt;
mod body;
mod connection;
mod destination;
mod exchange;
mod fault;
mod fields;
mod hold;
mod listen;
mod local;
mod mirror;
mod present;
mod refuse;
mod relay;
mod request;
mod retry;
mod send;
mod supervisor;
mod tunnel;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use destination::Originals;
pub use listen::{Drain, Listener, serve};

use crate::live::{Live, Local, Reader};
use crate::telemetry::Recorder;
use crate::upstream::Connections;
use body::RequestBody;
use supervisor::Supervisor;

/// Settings of the data plane that hold from start to end.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a client connection without a request is kept.
    pub keepalive: Duration,
    /// How long a client may take to send a head.
    pub header_timeout: Duration,
    /// The largest head, in bytes.
    pub max_header_bytes: u32,
}

/// What one traffic thread serves with.
pub struct Worker {
    limits: Limits,
    reader: RefCell<Reader>,
    connections: Connections<RequestBody>,
    recorder: Recorder,
    local: Local,
    originals: Originals,
    random: RefCell<fastrand::Rng>,
    /// Copies of requests that are under way.
    mirrored: Cell<u32>,
    supervisor: Rc<Supervisor>,
    /// Upgraded connections, which outlive the requests that began them.
    tunnels: RefCell<JoinSet<()>>,
}

impl Worker {
    /// A worker, to be built on its own thread.
    pub fn new(limits: Limits, reader: Reader, recorder: Recorder, local: Local, originals: Originals) -> Rc<Self> {
        Rc::new(Self {
            limits,
            reader: RefCell::new(reader),
            connections: Connections::default(),
            recorder,
            local,
            originals,
            random: RefCell::default(),
            mirrored: Cell::new(0),
            supervisor: Rc::default(),
            tunnels: RefCell::default(),
        })
    }

    fn load(&self) -> Arc<Live> {
        self.reader.borrow_mut().load()
    }

    fn swaps(&self) -> watch::Receiver<()> {
        self.reader.borrow().swaps()
    }

    fn draw(&self) -> u64 {
        self.random.borrow_mut().u64(..)
    }
}
