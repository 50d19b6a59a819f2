//! The origin's side of HTTP/1.1.

use std::io::Write;

use super::Close;
use crate::exchange::answer_size;

const MAX_FIELDS: usize = 64;

/// Where a connection stands.
#[derive(Default)]
pub(super) struct H1 {
    /// Bytes that are still to come before anything else is read: of a body, or of a chunk with its line's end.
    body: usize,
    /// Whether another chunk follows those bytes.
    in_chunks: bool,
    /// What the request asked for that is being read.
    answer: Option<usize>,
}

impl H1 {
    /// Takes whole requests out of `input` and appends their answers. Returns how much was taken, and how many requests.
    pub(super) fn read(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(usize, u64), Close> {
        let (mut taken, mut answered) = (0, 0);
        loop {
            let here = self.body.min(input.len() - taken);
            self.body -= here;
            taken += here;
            if self.body > 0 {
                return Ok((taken, answered));
            }
            let rest = &input[taken..];
            let next = if self.in_chunks {
                self.chunk(rest)?
            } else {
                if let Some(bytes) = self.answer.take() {
                    answer(bytes, out);
                    answered += 1;
                }
                self.head(rest)?
            };
            let Some(length) = next else { return Ok((taken, answered)) };
            taken += length;
        }
    }

    /// Reads a request's head; returns its length if all of it is there.
    fn head(&mut self, input: &[u8]) -> Result<Option<usize>, Close> {
        if input.is_empty() {
            return Ok(None);
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let parsed = request.parse(input).map_err(|_| Close::not_understood(input))?;
        let httparse::Status::Complete(length) = parsed else { return Ok(None) };
        let field = |name: &str| request.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        self.in_chunks = field("transfer-encoding").is_some();
        let told = field("content-length").map(|field| std::str::from_utf8(field.value).ok()?.parse().ok());
        self.body = told.unwrap_or(Some(0)).ok_or_else(|| Close::not_understood(input))?;
        self.answer = Some(request.path.and_then(answer_size).ok_or_else(|| Close::not_understood(input))?);
        Ok(Some(length))
    }

    /// Reads the line that begins a chunk (RFC 9112, section 7.1); returns its length if all of it is there. Trailers are
    /// not understood: no proxy has any to send.
    fn chunk(&mut self, input: &[u8]) -> Result<Option<usize>, Close> {
        let parsed = httparse::parse_chunk_size(input).map_err(|_| Close::not_understood(input))?;
        let httparse::Status::Complete((length, size)) = parsed else { return Ok(None) };
        let size = usize::try_from(size).map_err(|_| Close::not_understood(input))?;
        self.in_chunks = size > 0;
        self.body = size + b"\r\n".len();
        Ok(Some(length))
    }
}

fn answer(bytes: usize, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = write!(out, "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {bytes}\r\n\r\n");
    out.resize(out.len() + bytes, b'x');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the origin answers to `input` in two pieces, whatever it leaves of the first.
    fn answered(input: &[u8], cut: usize) -> (u64, u64, String) {
        let mut h1 = H1::default();
        let mut out = Vec::new();
        let Ok((taken, first)) = h1.read(&input[..cut], &mut out) else { panic!("not understood before {cut}") };
        let Ok((_, second)) = h1.read(&input[taken..], &mut out) else { panic!("not understood after {cut}") };
        (first, second, String::from_utf8(out).expect("ASCII"))
    }

    #[test]
    fn a_request_is_answered_once_its_body_has_come_in_full_however_it_is_cut() {
        let sized = "POST /bytes/3 HTTP/1.1\r\nContent-Length: 4\r\n\r\n1234";
        let chunked = "POST /bytes/3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n0\r\n\r\n";
        for first in [sized, chunked] {
            let both = format!("{first}GET /bytes/0 HTTP/1.1\r\n\r\n");
            for cut in 1..both.len() {
                let (before, after, text) = answered(both.as_bytes(), cut);
                assert_eq!((before, before + after), (u64::from(cut >= first.len()), 2), "cut at {cut}: {text}");
                assert!(text.contains("content-length: 3\r\n\r\nxxxHTTP/1.1 200 OK"), "{text}");
            }
        }
    }
}
