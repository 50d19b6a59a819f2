//! The origin's side of HTTP/1.1.

use std::io::Write;

use super::Close;
use crate::exchange::answer_size;

const MAX_FIELDS: usize = 64;

/// Where a connection stands: how much of a request's body is still to come, and how much will be asked for after it.
#[derive(Default)]
pub(super) struct H1 {
    body: usize,
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
            if let Some(bytes) = self.answer.take() {
                answer(bytes, out);
                answered += 1;
            }
            let Some(head) = self.head(&input[taken..])? else { return Ok((taken, answered)) };
            taken += head;
        }
    }

    /// Reads a request's head; returns its length if all of it is there.
    fn head(&mut self, input: &[u8]) -> Result<Option<usize>, Close> {
        if input.is_empty() {
            return Ok(None);
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let httparse::Status::Complete(length) = request.parse(input).map_err(|_| Close::NotUnderstood)? else {
            return Ok(None);
        };
        let field = |name: &str| request.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        if field("transfer-encoding").is_some() {
            return Err(Close::NotUnderstood);
        }
        let told = field("content-length").map(|field| std::str::from_utf8(field.value).ok()?.parse().ok());
        self.body = told.unwrap_or(Some(0)).ok_or(Close::NotUnderstood)?;
        self.answer = Some(request.path.and_then(answer_size).ok_or(Close::NotUnderstood)?);
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

    #[test]
    fn a_request_is_answered_once_its_body_has_come_in_full() {
        let mut h1 = H1::default();
        let mut out = Vec::new();
        let request = b"POST /bytes/3 HTTP/1.1\r\nContent-Length: 4\r\n\r\n1234GET /bytes/0 HTTP/1.1\r\n\r\n";
        let split = 47;
        let Ok((taken, 0)) = h1.read(&request[..split], &mut out) else { panic!("answered before the body's end") };
        assert_eq!(taken, split);
        let Ok((_, 2)) = h1.read(&request[split..], &mut out) else { panic!("two requests were whole") };
        let text = String::from_utf8(out).expect("ASCII");
        assert!(text.contains("content-length: 3\r\n\r\nxxxHTTP/1.1 200 OK"), "{text}");
    }
}
