//! `POST /api/v1/embed`: `{"text": "..."}` in, one vector out.

use serde::{Deserialize, Serialize};

use super::rejection::{Fault, Kind};
use super::{Embeddings, Form, Place, Question, Scaling, json, object, prompted};
use crate::fallback::card::Card;
use crate::fallback::engine::Cut;

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

pub(super) fn parse(body: &[u8], card: &Card) -> Result<Question, Fault> {
    let Request { text } = object::read(body)?;
    if text.is_empty() {
        return Err(Fault::of(Kind::Empty, "text", "`text` is empty: send a text to embed"));
    }
    let prompt = card.prompt(None).map_err(|message| Fault::new("text", message))?;
    let texts = prompted(vec![text], prompt, Cut::Right);
    Ok(Question { place: Place::Main, texts, scaling: Scaling::Own, form: Form::Seed })
}

/// `processing_time_ms` is the computation alone, without the wait in the queue.
pub(super) fn answer(embeddings: &Embeddings) -> Vec<u8> {
    let embedding = embeddings.vectors.first().map_or(&[][..], Vec::as_slice);
    let processing_time_ms = (embeddings.inference.as_secs_f64() * 1e6).round() / 1e3;
    json(&Answer { embedding, dimension: embedding.len(), processing_time_ms })
}
