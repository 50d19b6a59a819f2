//! The origin: what stands behind every proxy, as cheap as it can be made.
//!
//! One thread serves all endpoints of both pools, HTTP/1.1 and HTTP/2 told apart by their first bytes. Counts the
//! requests of each pool, so that a run can be held against the split that it asked for.

mod h1;
mod h2;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use self::h1::H1;
use self::h2::H2;
use crate::cores;
use crate::frames::PREFACE;
use crate::outbox::Outbox;
use crate::poll::{Interest, Poll};

const READ_BYTES: usize = 256 * 1024;
/// How long the thread goes on after it has been told to end.
const LOOK_UP: Duration = Duration::from_millis(100);

/// The two pools that requests are split over.
pub const POOLS: usize = 2;

/// The origin's thread; ends with it.
pub struct Origin {
    endpoints: [Vec<SocketAddr>; POOLS],
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Default)]
struct Shared {
    served: [AtomicU64; POOLS],
    stop: AtomicBool,
}

/// How much of what is not understood is shown.
const SHOWN: usize = 100;

/// Why a connection of the origin is closed.
enum Close {
    /// The other end is done with it, or broke it off.
    Gone,
    /// What came is nothing that the origin understands; how it begins.
    NotUnderstood(String),
}

impl Close {
    fn not_understood(input: &[u8]) -> Self {
        Self::NotUnderstood(input[..input.len().min(SHOWN)].escape_ascii().to_string())
    }
}

enum Speaks {
    Unknown,
    H1(H1),
    H2(H2),
}

struct Connection {
    socket: TcpStream,
    pool: usize,
    speaks: Speaks,
    unread: Vec<u8>,
    outbox: Outbox,
    interest: Interest,
}

impl Origin {
    /// Starts it on `core` with so many endpoints in each pool.
    ///
    /// # Errors
    /// If its listeners or its thread cannot be had.
    pub fn start(core: usize, endpoints: [usize; POOLS]) -> io::Result<Self> {
        let mut listeners = Vec::new();
        let mut addresses = [Vec::new(), Vec::new()];
        for (pool, count) in endpoints.into_iter().enumerate() {
            for _ in 0..count {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                listener.set_nonblocking(true)?;
                addresses[pool].push(listener.local_addr()?);
                listeners.push((listener, pool));
            }
        }
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("origin".to_owned()).spawn(move || {
            cores::pin(&[core])?;
            Server::new(listeners, of_thread)?.run()
        })?;
        Ok(Self { endpoints: addresses, shared, thread: Some(thread) })
    }

    /// The endpoints of each pool.
    pub fn endpoints(&self) -> &[Vec<SocketAddr>; POOLS] {
        &self.endpoints
    }

    /// How many requests each pool has answered.
    pub fn served(&self) -> [u64; POOLS] {
        [0, 1].map(|pool: usize| self.shared.served[pool].load(Ordering::Relaxed))
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the origin ended early: {error}");
        }
    }
}

/// What the thread owns. Keys below the number of listeners are theirs, the others are connections'.
struct Server {
    poll: Poll,
    listeners: Vec<(TcpListener, usize)>,
    connections: HashMap<u64, Connection>,
    next_key: u64,
    input: Vec<u8>,
    shared: Arc<Shared>,
}

impl Server {
    fn new(listeners: Vec<(TcpListener, usize)>, shared: Arc<Shared>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut next_key = 0;
        for (listener, _) in &listeners {
            poll.add(listener, next_key, Interest::Read)?;
            next_key += 1;
        }
        Ok(Self { poll, listeners, connections: HashMap::new(), next_key, input: vec![0; READ_BYTES], shared })
    }

    fn run(mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.poll.wait(LOOK_UP, &mut ready)?;
            for key in &ready {
                match usize::try_from(*key).ok().filter(|at| *at < self.listeners.len()) {
                    Some(at) => self.accept(at)?,
                    None => self.serve(*key)?,
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, at: usize) -> io::Result<()> {
        let (listener, pool) = &self.listeners[at];
        loop {
            let socket = match listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            self.poll.add(&socket, self.next_key, Interest::Read)?;
            let connection = Connection {
                socket,
                pool: *pool,
                speaks: Speaks::Unknown,
                unread: Vec::new(),
                outbox: Outbox::default(),
                interest: Interest::Read,
            };
            self.connections.insert(self.next_key, connection);
            self.next_key += 1;
        }
    }

    fn serve(&mut self, key: u64) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(&key) else { return Ok(()) };
        match connection.turn(&mut self.input, &self.shared.served) {
            Ok(()) => {
                let wanted = if connection.outbox.is_empty() { Interest::Read } else { Interest::ReadAndWrite };
                if wanted != connection.interest {
                    self.poll.change(&connection.socket, key, wanted)?;
                    connection.interest = wanted;
                }
            }
            Err(why) => {
                if let Close::NotUnderstood(beginning) = why {
                    eprintln!("   the origin closes a connection, since it does not understand: {beginning}");
                }
                self.connections.remove(&key);
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Reads what is there, answers what is whole, writes what can be written.
    fn turn(&mut self, input: &mut [u8], served: &[AtomicU64; POOLS]) -> Result<(), Close> {
        match self.socket.read(input) {
            Ok(0) => return Err(Close::Gone),
            Ok(count) => {
                let answered = self.read(&input[..count])?;
                served[self.pool].fetch_add(answered, Ordering::Relaxed);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return Err(Close::Gone),
        }
        self.outbox.flush(&mut self.socket).map_err(|_| Close::Gone)
    }

    fn read(&mut self, input: &[u8]) -> Result<u64, Close> {
        let kept;
        let input = if self.unread.is_empty() {
            input
        } else {
            self.unread.extend_from_slice(input);
            kept = std::mem::take(&mut self.unread);
            &kept
        };
        if let Speaks::Unknown = self.speaks {
            self.speaks = if input.starts_with(PREFACE) {
                Speaks::H2(H2::open(self.outbox.end()))
            } else if PREFACE.starts_with(input) {
                self.unread.extend_from_slice(input);
                return Ok(0);
            } else {
                Speaks::H1(H1::default())
            };
        }
        let (taken, answered) = match &mut self.speaks {
            Speaks::H1(h1) => h1.read(input, self.outbox.end())?,
            Speaks::H2(h2) => h2.read(input, self.outbox.end())?,
            Speaks::Unknown => (0, 0),
        };
        self.unread.extend_from_slice(&input[taken..]);
        Ok(answered)
    }
}
