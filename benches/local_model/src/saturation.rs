//! Requests for embeddings, one after the other on as many connections as are asked for.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long the first answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The host that the requests are for.
const HOST: &str = "embed.example";

/// Connections that ask without end until this is dropped.
pub struct Saturation {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    answered: AtomicUsize,
    tokens: AtomicUsize,
    failed: AtomicUsize,
    is_over: AtomicBool,
}

impl Saturation {
    /// Begins: each of `connections` asks for `each` of `texts` at a time, in turn.
    pub fn begin(target: SocketAddr, texts: &[String], (connections, each): (usize, usize)) -> Self {
        let shared = Arc::<Shared>::default();
        let threads = (0..connections).map(|first| {
            let (shared, texts) = (Arc::clone(&shared), texts.to_vec());
            thread::spawn(move || {
                let mut at = first * each;
                while !shared.is_over.load(Ordering::Relaxed) {
                    let some: Vec<&str> = (at..at + each).map(|at| texts[at % texts.len()].as_str()).collect();
                    at += connections * each;
                    match embed(target, &some) {
                        Ok(tokens) => {
                            shared.tokens.fetch_add(tokens, Ordering::Relaxed);
                            shared.answered.fetch_add(each, Ordering::Relaxed);
                        }
                        Err(_) => {
                            shared.failed.fetch_add(each, Ordering::Relaxed);
                        }
                    }
                }
            })
        });
        Self { threads: threads.collect(), shared }
    }

    /// Waits until something was answered.
    ///
    /// # Errors
    /// If nothing is for half a minute.
    pub fn answering(&self) -> io::Result<()> {
        let give_up = Instant::now() + PATIENCE;
        while self.texts().0 == 0 {
            if Instant::now() > give_up {
                return Err(io::Error::other("the local model answered nothing for half a minute"));
            }
            super::router::pause();
        }
        Ok(())
    }

    /// Tokens of the texts that were answered until now, padding not among them.
    pub fn tokens(&self) -> usize {
        self.shared.tokens.load(Ordering::Relaxed)
    }

    /// Texts that were answered until now, and texts that were not.
    pub fn texts(&self) -> (usize, usize) {
        (self.shared.answered.load(Ordering::Relaxed), self.shared.failed.load(Ordering::Relaxed))
    }
}

impl Drop for Saturation {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

/// Asks for the vectors of `texts`, on a connection of its own. Gives the tokens that they had.
///
/// # Errors
/// If there is no answer, or one that is no 200.
pub fn embed(target: SocketAddr, texts: &[&str]) -> io::Result<usize> {
    let body = serde_json::json!({ "model": "any", "input": texts, "encoding_format": "base64" }).to_string();
    let head = format!(
        "POST /v1/embeddings HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let answer = ask(target, &(head + &body))?;
    if answer.starts_with("HTTP/1.1 200") {
        let tokens =
            answer.rsplit_once("\"total_tokens\":").map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit));
        tokens
            .and_then(|digits| digits.collect::<String>().parse().ok())
            .ok_or_else(|| io::Error::other("no total_tokens"))
    } else {
        Err(io::Error::other(answer.lines().next().unwrap_or_default().to_owned()))
    }
}

/// The whole answer to a request without a body.
pub(crate) fn get(target: SocketAddr, path: &str) -> io::Result<String> {
    ask(target, &format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n"))
}

fn ask(target: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(target)?;
    stream.set_nodelay(true)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
