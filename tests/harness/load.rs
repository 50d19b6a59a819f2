//! Many requests over a few kept-alive connections, with nothing lost unseen.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::runtime::background;

/// A load of `GET` requests, each with an `x-request-id` of its own.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The router.
    pub address: SocketAddr,
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Requests on each connection.
    pub requests: usize,
    /// The `Host` field.
    pub host: &'static str,
    /// The path.
    pub path: &'static str,
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Answers by status and body.
    pub answers: BTreeMap<(u16, String), u64>,
    /// Requests without an answer, and why.
    pub lost: Vec<String>,
    /// From the first byte sent to the last byte read, for each answer.
    pub latencies: Vec<Duration>,
}

impl Tally {
    /// How many answers there are.
    pub fn total(&self) -> u64 {
        self.answers.values().sum()
    }

    /// How many answers have the body `body`.
    pub fn with_body(&self, body: &str) -> u64 {
        self.answers.iter().filter(|((_, found), _)| found == body).map(|(_, count)| count).sum()
    }

    /// The latency that the fraction `quantile` of the answers does not exceed, by the nearest rank.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank"
        )]
        let rank = (quantile * sorted.len() as f64).ceil() as usize;
        sorted[rank.clamp(1, sorted.len()) - 1]
    }

    fn add(&mut self, other: Self) {
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
        self.lost.extend(other.lost);
        self.latencies.extend(other.latencies);
    }
}

impl Load {
    /// Runs it to its end.
    pub fn run(self) -> Tally {
        self.start().recv().expect("a load ends with its tally")
    }

    /// Begins it; the tally comes at its end.
    pub fn start(self) -> Receiver<Tally> {
        let (sender, receiver) = channel();
        background().spawn(async move {
            let mut tasks = JoinSet::new();
            for number in 0..self.connections {
                tasks.spawn(self.drive(number));
            }
            let mut total = Tally::default();
            while let Some(tally) = tasks.join_next().await {
                total.add(tally.expect("the task does not panic"));
            }
            drop(sender.send(total));
        });
        receiver
    }

    async fn drive(self, number: usize) -> Tally {
        let mut tally = Tally::default();
        let mut wire = None;
        for nth in 0..self.requests {
            let began = Instant::now();
            match self.exchange(&mut wire, number, nth).await {
                Ok(answer) => {
                    tally.latencies.push(began.elapsed());
                    *tally.answers.entry(answer).or_default() += 1;
                }
                Err(error) => {
                    wire = None;
                    tally.lost.push(format!("load-{number}-{nth}: {error}"));
                }
            }
        }
        tally
    }

    async fn exchange(&self, wire: &mut Option<Wire>, number: usize, nth: usize) -> io::Result<(u16, String)> {
        let connection = match wire {
            Some(open) => open,
            None => wire.insert(Wire::open(self.address).await?),
        };
        let Self { host, path, .. } = self;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nx-request-id: load-{number}-{nth}\r\n\r\n");
        connection.stream.write_all(request.as_bytes()).await?;
        let (answer, closes) = connection.read().await?;
        if closes {
            *wire = None;
        }
        Ok(answer)
    }
}

/// A connection that reads answers with a `content-length`, which is all that this load's upstreams send.
struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    async fn read(&mut self) -> io::Result<((u16, String), bool)> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let length = value("content-length:").and_then(|length| length.parse::<usize>().ok());
        let (Some(status), Some(length)) = (status, length) else {
            return Err(io::Error::other(format!("not an answer with a length: {head}")));
        };
        let closes = value("connection:") == Some("close");
        while self.buffer.len() < end + length {
            self.fill().await?;
        }
        let body = String::from_utf8_lossy(&self.buffer[end..end + length]).into_owned();
        self.buffer.drain(..end + length);
        Ok(((status, body), closes))
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
