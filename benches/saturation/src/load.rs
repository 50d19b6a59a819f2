//! An open load: requests are due at the moments of a Poisson process whatever the router does, each on a connection that
//! is idle, or a new one. A latency counts from the moment that the request was due.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep_until, timeout};

/// What goes before the requests that count, so that queues and limits are what they stay.
const WARM_UP: Duration = Duration::from_secs(3);
/// The part of the requests that is latency-sensitive.
const SENSITIVE: f64 = 0.1;
/// A request without an answer for so long is lost.
const LOST: Duration = Duration::from_secs(30);

/// Whose a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Sensitive,
    Standard,
}

/// What came of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) class: Class,
    /// 0 where there was none.
    pub(crate) status: u16,
    pub(crate) tier: Option<Tier>,
    pub(crate) latency: Duration,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    Gpu,
    Cpu,
}

/// What one load came to.
pub(crate) struct Outcome {
    /// Of the requests that were due while it counted.
    pub(crate) answers: Vec<Answer>,
    pub(crate) window: Duration,
}

/// Offers `rate` requests a second from the calling thread.
pub(crate) fn run(target: SocketAddr, rate: f64, window: Duration) -> io::Result<Outcome> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let answers = LocalSet::new().block_on(&runtime, offer(target, rate, window));
    Ok(Outcome { answers, window })
}

async fn offer(target: SocketAddr, rate: f64, window: Duration) -> Vec<Answer> {
    let idle = Rc::new(RefCell::new(Vec::new()));
    let mut under_way = JoinSet::new();
    let begun = Instant::now();
    let (counts_from, end) = (begun + WARM_UP, begun + WARM_UP + window);
    let mut due = begun;
    while due < end {
        due += Duration::from_secs_f64(-(1.0 - fastrand::f64()).ln() / rate);
        sleep_until(due.into()).await;
        let class = if fastrand::f64() < SENSITIVE { Class::Sensitive } else { Class::Standard };
        let idle = Rc::clone(&idle);
        under_way.spawn_local(async move {
            let asked = timeout(LOST, ask(target, class, &idle)).await;
            let (status, tier) = asked.ok().and_then(Result::ok).unwrap_or((0, None));
            (due, Answer { class, status, tier, latency: due.elapsed() })
        });
    }
    let mut answers = Vec::new();
    while let Some(answered) = under_way.join_next().await {
        if let Ok((due, answer)) = answered
            && due >= counts_from
        {
            answers.push(answer);
        }
    }
    answers
}

/// Sends one request, and reads its answer to the end.
async fn ask(target: SocketAddr, class: Class, idle: &RefCell<Vec<TcpStream>>) -> io::Result<(u16, Option<Tier>)> {
    let kept = idle.borrow_mut().pop();
    let mut socket = if let Some(socket) = kept {
        socket
    } else {
        let socket = TcpStream::connect(target).await?;
        socket.set_nodelay(true)?;
        socket
    };
    let header = if class == Class::Sensitive { "x-latency-sensitive: true\r\n" } else { "" };
    socket.write_all(format!("GET /embed HTTP/1.1\r\nhost: bench.example\r\n{header}\r\n").as_bytes()).await?;
    let mut read = Vec::with_capacity(1024);
    loop {
        if socket.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(answer) = parse(&read)? {
            idle.borrow_mut().push(socket);
            return Ok(answer);
        }
    }
}

/// Status and tier of an answer that is there whole; the router gives each a length.
fn parse(bytes: &[u8]) -> io::Result<Option<(u16, Option<Tier>)>> {
    let broken = || io::Error::other("an answer that is not HTTP");
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| broken())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok()).ok_or_else(broken)?;
    let (mut length, mut tier) = (0, None);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match (name, value) {
            ("content-length", value) => length = value.parse().map_err(|_| broken())?,
            ("x-served-by", "gpu") => tier = Some(Tier::Gpu),
            ("x-served-by", "cpu") => tier = Some(Tier::Cpu),
            _ => {}
        }
    }
    Ok((bytes.len() >= end + 4 + length).then_some((status, tier)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\nx-served-by: cpu\r\ncontent-length: 2\r\n\r\n{}";
        for short in 0..text.len() {
            assert!(parse(&text[..short]).expect("nothing wrong so far").is_none(), "{short} bytes");
        }
        assert_eq!(parse(text).expect("an answer"), Some((200, Some(Tier::Cpu))));
        assert!(parse(b"nothing\r\n\r\n").is_err());
    }
}
