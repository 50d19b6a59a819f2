//! A client that writes exact bytes and reads HTTP/1.1 by the letter, so that tests see what is on the wire.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::DEADLINE;

/// A connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The head of a response.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// The fields in their order, names in lower case.
    pub fields: Vec<(String, String)>,
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The 1xx responses before it.
    pub interim: Vec<Head>,
    /// Its head.
    pub head: Head,
    /// Its body.
    pub body: Vec<u8>,
    /// Its trailers.
    pub trailers: Vec<(String, String)>,
}

impl Head {
    /// The value of a field, all values joined by `, ` where it stands more than once.
    pub fn field(&self, name: &str) -> Option<String> {
        let values: Vec<&str> =
            self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// As [`Head::field`], empty where it is missing.
    pub fn value(&self, name: &str) -> String {
        self.field(name).unwrap_or_default()
    }
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }
}

/// One `GET` on a connection of its own.
pub fn get(address: SocketAddr, path: &str) -> Reply {
    Connection::open(address).ask(&format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n"))
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the router listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("the deadline is not zero");
        stream.set_nodelay(true).expect("an open socket");
        Self { stream, buffer: Vec::new() }
    }

    /// Writes `bytes` as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the router reads");
    }

    /// Writes `bytes`; `false` where the router has closed its side, which it may once it has refused.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Waits a moment for something to read; whether nothing has come.
    pub fn reads_nothing_yet(&mut self) -> bool {
        self.stream.set_read_timeout(Some(std::time::Duration::from_millis(5))).expect("an open socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(DEADLINE)).expect("an open socket");
        self.buffer.is_empty() && peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Writes one chunk of a chunked body.
    pub fn send_chunk(&mut self, data: &str) {
        self.send(format!("{:x}\r\n{data}\r\n", data.len()));
    }

    /// Sends a request without a body, or with one in `request` itself, and reads the response.
    pub fn ask(&mut self, request: &str) -> Reply {
        self.send(request);
        self.reply(!request.starts_with("HEAD "))
    }

    /// Closes the side that writes.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("an open socket");
    }

    /// Reads one head, 1xx or final.
    pub fn head(&mut self) -> Head {
        let end = self.until(b"\r\n\r\n");
        let text = String::from_utf8(end).expect("a head in ASCII");
        let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
        let status = lines.next().expect("a status line");
        let code = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        Head { status: code.unwrap_or_else(|| panic!("no status line: {status}")), fields: lines.map(field).collect() }
    }

    /// Reads one final response. `body` is false after HEAD, which is answered without one.
    fn reply(&mut self, body: bool) -> Reply {
        let mut interim = Vec::new();
        let head = loop {
            let head = self.head();
            if head.status >= 200 || head.status == 101 {
                break head;
            }
            interim.push(head);
        };
        let mut reply = Reply { interim, head, body: Vec::new(), trailers: Vec::new() };
        if body {
            self.body(&mut reply);
        }
        reply
    }

    /// Reads one final response that may have a body.
    pub fn read_reply(&mut self) -> Reply {
        self.reply(true)
    }

    fn body(&mut self, reply: &mut Reply) {
        if matches!(reply.head.status, 101 | 204 | 304) {
            return;
        }
        if reply.head.value("transfer-encoding") == "chunked" {
            while let Some(chunk) = self.chunk() {
                reply.body.extend(chunk);
            }
            reply.trailers = self.trailers();
        } else if let Some(length) = reply.head.field("content-length") {
            reply.body = self.exactly(length.parse().expect("a length is a number"));
        } else {
            reply.body = self.read_to_end();
        }
    }

    /// Reads the next chunk of a chunked body; `None` at the last one, which its trailers follow.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = String::from_utf8(self.until(b"\r\n")).expect("a chunk size in ASCII");
        let digits = line.trim_end().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("no chunk size: {line:?}"));
        (size > 0).then(|| {
            let data = self.exactly(size);
            assert_eq!(self.exactly(2), b"\r\n");
            data
        })
    }

    /// Reads what follows the last chunk.
    pub fn trailers(&mut self) -> Vec<(String, String)> {
        let mut trailers = Vec::new();
        loop {
            let line = String::from_utf8(self.until(b"\r\n")).expect("trailers in ASCII");
            if line == "\r\n" {
                return trailers;
            }
            trailers.push(field(line.trim_end()));
        }
    }

    /// Reads `count` bytes.
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(self.fill(), "the connection ended after {} of {count} bytes", self.buffer.len());
        }
        self.buffer.drain(..count).collect()
    }

    /// Reads until `mark` has come, it included.
    pub fn until_text(&mut self, mark: &str) -> String {
        String::from_utf8(self.until(mark.as_bytes())).expect("text")
    }

    /// Reads to the end of the stream, or to its reset.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.buffer)
    }

    fn until(&mut self, mark: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return self.buffer.drain(..at + mark.len()).collect();
            }
            assert!(self.fill(), "the connection ended within {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }

    fn fill(&mut self) -> bool {
        let mut part = [0; 16 * 1024];
        match self.stream.read(&mut part) {
            Ok(count) => {
                self.buffer.extend_from_slice(&part[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing to read: {error}"),
        }
    }
}

/// A field line; shared with the upstream's side.
pub fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no field: {line:?}"));
    (name.to_ascii_lowercase(), value.trim().to_owned())
}
