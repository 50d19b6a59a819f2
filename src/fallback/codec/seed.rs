//! `POST /api/v1/embed`: `{"text": "..."}` in, one vector out.

use serde::{Deserialize, Serialize};

use super::{Embeddings, Fault, json};

#[derive(Deserialize)]
struct Request {
    text: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    embedding: &'a [f32],
    dimension: usize,
    processing_time_ms: f64,
}

#[derive(Serialize)]
struct Error<'a> {
    error: &'a str,
}

pub(super) fn parse(body: &[u8]) -> Result<String, Fault> {
    let Request { text } = serde_json::from_slice(body).map_err(|why| Fault::unreadable(&why))?;
    if text.is_empty() { Err(Fault::new("text", "`text` is empty: send a text to embed")) } else { Ok(text) }
}

/// `processing_time_ms` is the computation alone, without the wait in the queue.
pub(super) fn answer(embeddings: &Embeddings) -> Vec<u8> {
    let embedding = embeddings.vectors.first().map_or(&[][..], Vec::as_slice);
    let processing_time_ms = (embeddings.inference.as_secs_f64() * 1e6).round() / 1e3;
    json(&Answer { embedding, dimension: embedding.len(), processing_time_ms })
}

pub(super) fn error(fault: &Fault) -> Vec<u8> {
    json(&Error { error: &fault.message })
}
