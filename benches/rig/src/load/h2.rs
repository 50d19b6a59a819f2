//! The client's side of HTTP/2: many requests at a time on a connection.
//!
//! Fields are sent as any client's compression leaves them: in full with the first request of a connection, as places in
//! the dynamic table after that.

use std::collections::VecDeque;
use std::time::Instant;

use super::{Answer, Broken};
use crate::exchange::{Exchange, HOST, RULE, message};
use crate::frames::{
    self, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, LARGEST_FRAME, PREFACE, RST_STREAM, Session,
};

/// `:status: 200` of HPACK's static table (RFC 7541, appendix A).
const STATUS_200: u8 = 0x88;
/// The first place of HPACK's dynamic table, 62, written as an indexed field (RFC 7541, section 6.1).
const NEWEST: u8 = 0xbe;
/// Places of the static table: names of fields.
const AUTHORITY: u8 = 1;
const PATH: u8 = 4;
const ACCEPT: u8 = 19;
const CONTENT_TYPE: u8 = 31;
const USER_AGENT: u8 = 58;
/// Places of the static table, as indexed fields.
const GET: u8 = 0x82;
const POST: u8 = 0x83;
pub(super) const SCHEME_HTTP: u8 = 0x86;
pub(super) const SCHEME_HTTPS: u8 = 0x87;

/// The field blocks and the body that are sent.
pub(super) struct Requests {
    /// With the rule's header, and every field put into the dynamic table.
    first: Vec<u8>,
    plain: Vec<u8>,
    with_rule: Vec<u8>,
    body: Vec<u8>,
    answer: usize,
    /// Whether an answer ends with trailers, as gRPC's do.
    trailers: bool,
}

impl Requests {
    /// `scheme` is one of the places of the static table for it.
    pub(super) fn new(exchange: &Exchange, scheme: u8) -> Self {
        let method = if exchange.body == 0 { GET } else { POST };
        let mut first = vec![method, scheme];
        indexing(&mut first, Name::Static(PATH), &exchange.path());
        indexing(&mut first, Name::Static(AUTHORITY), HOST);
        indexing(&mut first, Name::Static(USER_AGENT), "bench-peers");
        let mut fields = 3;
        if exchange.body == 0 {
            indexing(&mut first, Name::Static(ACCEPT), "*/*");
            fields += 1;
        } else {
            indexing(&mut first, Name::Static(CONTENT_TYPE), "application/grpc");
            indexing(&mut first, Name::Text("te"), "trailers");
            fields += 2;
        }
        let (name, value) = RULE;
        indexing(&mut first, Name::Text(name), value);
        // The rule's header came last, and is the newest; the others follow it.
        let mut plain = vec![method, scheme];
        plain.extend((1..=fields).rev().map(|age| NEWEST + age));
        let mut with_rule = plain.clone();
        with_rule.push(NEWEST);
        let body = if exchange.body == 0 { Vec::new() } else { message(exchange.body) };
        Self { first, plain, with_rule, trailers: !body.is_empty(), body, answer: exchange.answer }
    }
}

#[derive(Clone, Copy)]
enum Name<'n> {
    Static(u8),
    Text(&'n str),
}

/// Appends a literal field that joins the dynamic table (RFC 7541, section 6.2.1).
fn indexing(block: &mut Vec<u8>, name: Name<'_>, value: &str) {
    match name {
        Name::Static(place) => block.push(0x40 | place),
        Name::Text(name) => {
            block.push(0x40);
            frames::text(block, name);
        }
    }
    frames::text(block, value);
}

/// A request in flight.
struct Stream {
    id: u32,
    due: Instant,
    heads: u8,
    body: usize,
    status_200: bool,
}

/// Where a connection stands.
pub(super) struct H2 {
    session: Session,
    next_id: u32,
    streams: Vec<Stream>,
    /// Requests that wait for the proxy's settings or for room in the window.
    waiting: VecDeque<(bool, Instant)>,
    unread: Vec<u8>,
}

impl H2 {
    pub(super) fn open(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(PREFACE);
        let session = Session::open(out);
        Self { session, next_id: 1, streams: Vec::new(), waiting: VecDeque::new(), unread: Vec::new() }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.streams.len() + self.waiting.len()
    }

    pub(super) fn ask(&mut self, requests: &Requests, with_rule: bool, due: Instant, out: &mut Vec<u8>) {
        self.waiting.push_back((with_rule, due));
        self.send(requests, out);
    }

    fn send(&mut self, requests: &Requests, out: &mut Vec<u8>) {
        while let Some((with_rule, due)) = self.waiting.front().copied() {
            if !self.session.is_ready() || !self.session.reserve(requests.body.len()) {
                return;
            }
            self.waiting.pop_front();
            let block = match (self.next_id, with_rule) {
                (1, _) => &requests.first,
                (_, true) => &requests.with_rule,
                (_, false) => &requests.plain,
            };
            let ends = if requests.body.is_empty() { END_STREAM } else { 0 };
            frames::write(out, (HEADERS, END_HEADERS | ends), self.next_id, block);
            let mut parts = requests.body.chunks(LARGEST_FRAME).peekable();
            while let Some(part) = parts.next() {
                let ends = if parts.peek().is_none() { END_STREAM } else { 0 };
                frames::write(out, (DATA, ends), self.next_id, part);
            }
            self.streams.push(Stream { id: self.next_id, due, heads: 0, body: 0, status_200: false });
            self.next_id += 2;
        }
    }

    pub(super) fn read(
        &mut self,
        requests: &Requests,
        input: &[u8],
        (answers, out): (&mut Vec<Answer>, &mut Vec<u8>),
    ) -> Result<(), Broken> {
        let kept;
        let input = if self.unread.is_empty() {
            input
        } else {
            self.unread.extend_from_slice(input);
            kept = std::mem::take(&mut self.unread);
            &kept
        };
        let mut taken = 0;
        while let Some((frame, length)) = frames::cut(&input[taken..]) {
            taken += length;
            self.session.housekeep(&frame, out);
            if frame.kind == GOAWAY && frame.payload.get(4..8) != Some(&[0; 4]) {
                let code = frame.payload.get(4..8);
                return Err(Broken::NotHttp(format!("GOAWAY with error code {code:?}")));
            }
            if let Some(at) = self.streams.iter().position(|stream| stream.id == frame.stream) {
                let stream = &mut self.streams[at];
                let over = stream.take(&frame);
                if over {
                    let stream = self.streams.swap_remove(at);
                    answers.push(Answer { due: stream.due, fault: stream.fault(&frame, requests) });
                }
            }
        }
        self.unread.extend_from_slice(&input[taken..]);
        self.send(requests, out);
        Ok(())
    }
}

impl Stream {
    /// Notes what a frame brings. Returns whether it is the stream's last.
    fn take(&mut self, frame: &frames::Frame<'_>) -> bool {
        match frame.kind {
            HEADERS => {
                if self.heads == 0 {
                    self.status_200 = status_byte(frame.content()) == Some(STATUS_200);
                }
                self.heads += 1;
            }
            DATA => self.body += frame.content().len(),
            RST_STREAM => return true,
            _ => {}
        }
        frame.ends()
    }

    fn fault(&self, last: &frames::Frame<'_>, requests: &Requests) -> Option<String> {
        let heads = if requests.trailers { 2 } else { 1 };
        let right = self.status_200 && self.heads == heads && self.body == requests.answer && last.kind != RST_STREAM;
        (!right).then(|| match last.kind {
            RST_STREAM => format!("the stream was reset, with {:?}", last.payload),
            _ => format!(
                "status 200: {}, {} field blocks, {} bytes; not 200 with {heads} and {} bytes",
                self.status_200, self.heads, self.body, requests.answer
            ),
        })
    }
}

/// The first field of a block, after changes of the dynamic table's size (RFC 7541, section 6.3). It is `:status`.
fn status_byte(mut block: &[u8]) -> Option<u8> {
    while let Some((first, rest)) = block.split_first() {
        if first & 0xe0 != 0x20 {
            return Some(*first);
        }
        block = rest;
        if first & 0x1f == 0x1f {
            let end = rest.iter().position(|byte| byte & 0x80 == 0)?;
            block = &rest[end + 1..];
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::SETTINGS;

    fn answer(status: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        frames::write(&mut bytes, (HEADERS, END_HEADERS), 1, &[status]);
        frames::write(&mut bytes, (DATA, 0), 1, &message(Exchange::unary(8).answer));
        frames::write(&mut bytes, (HEADERS, END_HEADERS | END_STREAM), 1, &[0]);
        bytes
    }

    #[test]
    fn a_call_waits_for_the_settings_and_is_answered_once_its_trailers_have_come() {
        for (status, right) in [(0x88, true), (0x8d, false)] {
            let requests = Requests::new(&Exchange::unary(8), SCHEME_HTTP);
            let (mut out, mut answers) = (Vec::new(), Vec::new());
            let mut h2 = H2::open(&mut out);
            out.clear();
            h2.ask(&requests, false, Instant::now(), &mut out);
            assert!(out.is_empty() && h2.in_flight() == 1);
            let mut settings = Vec::new();
            frames::write(&mut settings, (SETTINGS, 0), 0, &[]);
            h2.read(&requests, &settings, (&mut answers, &mut out)).expect("settings");
            assert!(!out.is_empty());
            for byte in answer(status) {
                assert!(answers.is_empty());
                h2.read(&requests, &[byte], (&mut answers, &mut out)).expect("frames");
            }
            assert_eq!(answers.len(), 1);
            assert_eq!(answers[0].fault.is_none(), right, "{:?}", answers[0].fault);
        }
    }

    #[test]
    fn the_status_follows_changes_of_the_tables_size() {
        assert_eq!(status_byte(&[0x20, 0x3f, 0xe1, 0x1f, 0x88]), Some(0x88));
    }
}
