//! What came back, and whether it was right.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::Deserialize;

use crate::cli::demo::client::ClientError;

/// The least cosine between an answer's vector and the sentence's own. A quantised model computes a sentence a little
/// differently in every batch: 0.94 is the least that was seen between two of them.
const LEAST_AGREEMENT: f32 = 0.9;

/// Counts of requests, by what became of them.
#[derive(Debug, Default)]
pub(in crate::cli::demo) struct Tally {
    sent: AtomicU64,
    held_back: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    wrong: AtomicU64,
    lost: AtomicU64,
    /// The first answer that was wrong or missing: the others are mostly like it.
    complaint: Mutex<Option<String>>,
}

/// A tally at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests sent.
    pub sent: u64,
    /// Requests that were due while too many were outstanding, and never sent.
    pub held_back: u64,
    /// Requests answered with the right vector.
    pub answered: u64,
    /// Requests refused in good form: 429 or 503, with a reason and a time to come back.
    pub refused: u64,
    /// Requests answered with anything else.
    pub wrong: u64,
    /// Requests without an answer.
    pub lost: u64,
    /// What was wrong with the first that was wrong or lost.
    pub complaint: Option<String>,
}

/// What an answer is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Refused,
    Wrong(String),
}

impl Tally {
    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn held_back(&self) {
        self.held_back.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add(&self, verdict: Verdict) {
        let counter = match &verdict {
            Verdict::Right => &self.answered,
            Verdict::Refused => &self.refused,
            Verdict::Wrong(_) => &self.wrong,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Verdict::Wrong(why) = verdict {
            self.complain(why);
        }
    }

    pub(super) fn lost(&self, error: &ClientError) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.complain(error.to_string());
    }

    pub(super) fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            sent: read(&self.sent),
            held_back: read(&self.held_back),
            answered: read(&self.answered),
            refused: read(&self.refused),
            wrong: read(&self.wrong),
            lost: read(&self.lost),
            complaint: self.complaint.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn complain(&self, why: String) {
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }
}

#[derive(Deserialize)]
struct Answer {
    embedding: Vec<f32>,
    dimension: usize,
}

/// Judges an answer to a question whose vector is `expected`.
pub(super) fn judge(answer: &Response<Bytes>, expected: &[f32]) -> Verdict {
    let has = |name: &str| answer.headers().contains_key(name);
    match answer.status() {
        StatusCode::OK if !has("x-served-by") => Verdict::Wrong("an answer without x-served-by".to_owned()),
        StatusCode::OK => match serde_json::from_slice::<Answer>(answer.body()) {
            Ok(answer) if agrees(&answer, expected) => Verdict::Right,
            Ok(_) => Verdict::Wrong("another vector than the sentence's".to_owned()),
            Err(why) => Verdict::Wrong(format!("an answer that cannot be read: {why}")),
        },
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            if has("proxy-status") && has(header::RETRY_AFTER.as_str()) =>
        {
            Verdict::Refused
        }
        status => Verdict::Wrong(format!("{status}: {}", start_of(answer.body()))),
    }
}

fn agrees(answer: &Answer, expected: &[f32]) -> bool {
    let vector = &answer.embedding;
    let dot = |one: &[f32], two: &[f32]| one.iter().zip(two).map(|(x, y)| x * y).sum::<f32>();
    let cosine = dot(vector, expected) / (dot(vector, vector) * dot(expected, expected)).sqrt();
    // Written so that a NaN fails.
    vector.len() == expected.len() && answer.dimension == vector.len() && cosine >= LEAST_AGREEMENT
}

/// As much of a body as fits a line.
fn start_of(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[&'static str], body: &'static str) -> Response<Bytes> {
        let builder =
            headers.iter().fold(Response::builder().status(status), |builder, name| builder.header(*name, "x"));
        builder.body(Bytes::from_static(body.as_bytes())).expect("a valid answer")
    }

    #[test]
    fn an_answer_is_right_with_its_own_vector_alone() {
        let served = ["x-served-by"];
        let right = r#"{"embedding":[0.6,0.8],"dimension":2,"processing_time_ms":1.0}"#;
        assert_eq!(judge(&answer(200, &served, right), &[0.6, 0.8]), Verdict::Right);
        assert_eq!(judge(&answer(429, &["proxy-status", "retry-after"], "{}"), &[0.6, 0.8]), Verdict::Refused);
        for (status, headers, body) in [
            (200, &[][..], right),
            (200, &served, r#"{"embedding":[-0.6,0.8],"dimension":2}"#),
            (200, &served, r#"{"embedding":[0.6,0.8],"dimension":3}"#),
            (200, &served, r#"{"embedding":[0.6,0.8,0.0],"dimension":3}"#),
            (200, &served, r#"{"embedding":[0.0,0.0],"dimension":2}"#),
            (200, &served, "{"),
            (429, &["proxy-status"], "{}"),
            (500, &["proxy-status", "retry-after"], "{}"),
            (404, &[], ""),
        ] {
            let verdict = judge(&answer(status, headers, body), &[0.6, 0.8]);
            assert!(matches!(verdict, Verdict::Wrong(_)), "{status} {headers:?} {body}: {verdict:?}");
        }
    }

    #[test]
    fn the_first_complaint_is_kept() {
        let tally = Tally::default();
        tally.sent();
        tally.add(Verdict::Wrong("one".to_owned()));
        tally.lost(&ClientError::Timeout);
        let totals = tally.totals();
        assert_eq!((totals.sent, totals.wrong, totals.lost, totals.complaint.as_deref()), (1, 1, 1, Some("one")));
    }
}
