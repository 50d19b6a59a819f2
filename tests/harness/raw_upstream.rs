//! Upstreams that answer by the byte, for what no well-behaved server does.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use super::DEADLINE;
use super::raw_client::field;

/// A listener that hands each connection to a script, on a thread of its own.
pub struct RawUpstream {
    /// Where it listens.
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

/// One connection, as its script sees it.
pub struct Visitor {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An address that refuses connections: bound, so that nobody else gets the port, and never listening. It refuses for as
/// long as the socket is kept.
pub fn closed_port() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("a bound address");
    (socket, address)
}

impl RawUpstream {
    /// Runs `script` for each connection, with its number from 0.
    pub fn start(script: impl Fn(Visitor, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, script) = (Arc::clone(&connections), Arc::new(script));
        // The thread ends with the test's process; its sockets are the process's own.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                std::thread::spawn(move || script(Visitor::new(stream), number));
            }
        });
        Self { address, connections }
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Visitor {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("the deadline is not zero");
        stream.set_nodelay(true).expect("an open socket");
        Self { stream, buffer: Vec::new() }
    }

    /// Reads one request's head: its first line and its fields; `None` where the router closed instead.
    pub fn head(&mut self) -> Option<(String, Vec<(String, String)>)> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if !self.fill() {
                return None;
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let text = String::from_utf8(head).expect("a head in ASCII");
        let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
        Some((lines.next().expect("a request line").to_owned(), lines.map(field).collect()))
    }

    /// Answers the request only after a service time: the endpoint's work, not a wait for anything.
    #[expect(clippy::disallowed_methods, reason = "the visitor has a thread of its own")]
    pub fn write_after(&mut self, time: Duration, text: &str) {
        std::thread::sleep(time);
        self.write(text);
    }

    /// Reads `count` bytes; fewer where the router closed.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count && self.fill() {}
        let end = count.min(self.buffer.len());
        self.buffer.drain(..end).collect()
    }

    /// Reads until `mark` has come, it included.
    pub fn read_until(&mut self, mark: &str) -> String {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark.as_bytes()) {
                let read: Vec<u8> = self.buffer.drain(..at + mark.len()).collect();
                return String::from_utf8_lossy(&read).into_owned();
            }
            assert!(self.fill(), "the router closed within {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }

    /// Reads until the router closes.
    pub fn read_to_end(&mut self) {
        while self.fill() {}
    }

    /// Closes the side that writes.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("an open socket");
    }

    /// Writes `bytes` as they are.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // A router that has gone away shows in what the test reads.
        drop(self.stream.write_all(bytes.as_ref()));
    }

    /// Writes `bytes`; `false` where the router has closed.
    pub fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Closes the connection, and returns once the other side's kernel knows: on loopback too, an end may be delivered after
    /// `close` has returned.
    pub fn close(self) {
        let ours = self.stream.local_addr().expect("a connected socket");
        let theirs = self.stream.peer_addr().expect("a connected socket");
        self.stream.shutdown(Shutdown::Write).expect("an open socket");
        let deadline = Instant::now() + DEADLINE;
        while tcp_state(ours, theirs).as_deref() == Some(FIN_UNACKNOWLEDGED) {
            assert!(Instant::now() < deadline, "the end of a connection is never acknowledged");
            std::thread::yield_now();
        }
    }

    /// Breaks the connection off with a reset.
    pub fn reset(self) {
        // A zero linger makes the close that follows a reset (RFC 9293, section 3.10.4, as Linux does it).
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("an open socket");
    }

    fn fill(&mut self) -> bool {
        let mut part = [0; 16 * 1024];
        let count = self.stream.read(&mut part).unwrap_or(0);
        self.buffer.extend_from_slice(&part[..count]);
        count > 0
    }
}

/// `TCP_FIN_WAIT1`, as the kernel prints it: our end is sent and not acknowledged.
const FIN_UNACKNOWLEDGED: &str = "04";

/// The state of the IPv4 socket between `ours` and `theirs`; `None` once there is none.
fn tcp_state(ours: SocketAddr, theirs: SocketAddr) -> Option<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let end = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => format!("{:08X}:{:04X}", u32::from(ip).swap_bytes(), address.port()),
        IpAddr::V6(_) => unreachable!("the harness listens on IPv4"),
    };
    let (ours, theirs) = (end(ours), end(theirs));
    table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let same = fields.next() == Some(&ours) && fields.next() == Some(&theirs);
        same.then(|| fields.next().map(str::to_owned)).flatten()
    })
}
