//! The client's side of HTTP/1.1: one request at a time on a connection.

use std::time::Instant;

use super::{Answer, Broken};
use crate::exchange::{Exchange, HOST, RULE};

const MAX_FIELDS: usize = 64;

/// The two requests that are sent, ready to be written.
pub(super) struct Requests {
    plain: Vec<u8>,
    with_rule: Vec<u8>,
    answer: usize,
}

impl Requests {
    pub(super) fn new(exchange: &Exchange) -> Self {
        let head = format!(
            "{} {} HTTP/1.1\r\nhost: {HOST}\r\nuser-agent: bench-peers\r\naccept: */*\r\n",
            exchange.method(),
            exchange.path()
        );
        let length = match exchange.body {
            0 => String::new(),
            bytes => format!("content-type: application/octet-stream\r\ncontent-length: {bytes}\r\n"),
        };
        let request = |rule: &str| {
            let mut request = format!("{head}{length}{rule}\r\n").into_bytes();
            request.resize(request.len() + exchange.body, b'y');
            request
        };
        let (name, value) = RULE;
        let with_rule = request(&format!("{name}: {value}\r\n"));
        Self { plain: request(""), with_rule, answer: exchange.answer }
    }
}

/// Where a connection stands.
#[derive(Default)]
pub(super) struct H1 {
    due: Option<Instant>,
    /// Set while the body of an answer comes: what is left of it, and what was wrong with its head.
    body: Option<(usize, Option<String>)>,
    unread: Vec<u8>,
}

impl H1 {
    pub(super) fn in_flight(&self) -> usize {
        usize::from(self.due.is_some())
    }

    pub(super) fn ask(&mut self, requests: &Requests, with_rule: bool, due: Instant, out: &mut Vec<u8>) {
        self.due = Some(due);
        out.extend_from_slice(if with_rule { &requests.with_rule } else { &requests.plain });
    }

    pub(super) fn read(&mut self, requests: &Requests, input: &[u8], answers: &mut Vec<Answer>) -> Result<(), Broken> {
        let kept;
        let mut input = if self.unread.is_empty() {
            input
        } else {
            self.unread.extend_from_slice(input);
            kept = std::mem::take(&mut self.unread);
            &kept
        };
        loop {
            if let Some((left, fault)) = &mut self.body {
                let here = (*left).min(input.len());
                *left -= here;
                input = &input[here..];
                if *left > 0 {
                    return Ok(());
                }
                let fault = fault.take();
                self.body = None;
                let unasked = || Broken::NotHttp("an answer that nobody asked for".to_owned());
                answers.push(Answer { due: self.due.take().ok_or_else(unasked)?, fault });
            }
            if input.is_empty() {
                return Ok(());
            }
            let Some((length, body)) = head(input, requests.answer)? else {
                self.unread.extend_from_slice(input);
                return Ok(());
            };
            self.body = Some(body);
            input = &input[length..];
        }
    }
}

/// An answer's head: its length, the length of its body, and what is wrong with it.
type Head = (usize, (usize, Option<String>));

fn head(input: &[u8], expected: usize) -> Result<Option<Head>, Broken> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    let parsed = answer.parse(input).map_err(|error| Broken::NotHttp(error.to_string()))?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let told = answer.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let told = told.and_then(|field| std::str::from_utf8(field.value).ok()?.parse().ok());
    // All that the origin answers has a length, and no proxy has a reason to take it away.
    let body = told.ok_or_else(|| Broken::NotHttp("an answer without content-length".to_owned()))?;
    let status = answer.code.unwrap_or(0);
    let right = status == 200 && body == expected;
    let fault = (!right).then(|| format!("status {status} with {body} bytes, instead of 200 with {expected}"));
    Ok(Some((length, (body, fault))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Wire;

    fn ask() -> (H1, Requests) {
        let requests = Requests::new(&Exchange { wire: Wire::H1, body: 0, answer: 4 });
        let mut h1 = H1::default();
        h1.ask(&requests, false, Instant::now(), &mut Vec::new());
        (h1, requests)
    }

    #[test]
    fn an_answer_counts_once_whole_however_it_is_cut() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd";
        for cut in 1..answer.len() {
            let (mut h1, requests) = ask();
            let mut answers = Vec::new();
            h1.read(&requests, &answer[..cut], &mut answers).expect("a part is no fault");
            assert!(answers.is_empty(), "answered at {cut}");
            h1.read(&requests, &answer[cut..], &mut answers).expect("HTTP");
            assert!(matches!(&answers[..], [Answer { fault: None, .. }]), "cut at {cut}");
        }
    }

    #[test]
    fn a_wrong_status_or_length_is_said() {
        for answer in
            ["HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nabcd", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]
        {
            let (mut h1, requests) = ask();
            let mut answers = Vec::new();
            h1.read(&requests, answer.as_bytes(), &mut answers).expect("HTTP");
            assert!(matches!(&answers[..], [Answer { fault: Some(_), .. }]), "{answer}");
        }
    }
}
