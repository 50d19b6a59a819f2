//! text-embeddings-inference's API (<https://huggingface.github.io/text-embeddings-inference/>).

use std::sync::Arc;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json as value;

use super::rejection::{Fault, Kind};
use super::texts::{Input, MAX_TEXTS};
use super::{Catalogue, Embeddings, Form, Place, Question, Scaling, dimensions, json, object, prompted, shortened};
use crate::config::Pooling;
use crate::fallback::card::Card;
use crate::fallback::engine::{Cut, Sequence};

/// The end that a text which is too long loses.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum Direction {
    #[serde(alias = "left")]
    Left,
    #[default]
    #[serde(alias = "right")]
    Right,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    inputs: Input,
    truncate: Option<bool>,
    #[serde(default, deserialize_with = "object::word")]
    truncation_direction: Option<Direction>,
    prompt_name: Option<String>,
    normalize: Option<bool>,
    dimensions: Option<u64>,
}

#[derive(Deserialize)]
struct RerankRequest {
    query: String,
    texts: Vec<String>,
    truncate: Option<bool>,
    #[serde(default, deserialize_with = "object::word")]
    truncation_direction: Option<Direction>,
    raw_scores: Option<bool>,
    return_text: Option<bool>,
}

/// How a ranking is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ranking {
    scores: Scores,
    texts: Texts,
}

/// What a score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scores {
    /// The model's own number.
    Raw,
    /// Between 0 and 1.
    Share,
}

/// Whether texts are sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Texts {
    Returned,
    LeftOut,
}

#[derive(Serialize)]
struct Rank<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    score: f32,
}

/// Texts are cut where the request does not say otherwise, as a server with `auto_truncate` does, which `/info` says this is.
fn cut(truncate: Option<bool>, direction: Option<Direction>) -> Cut {
    match (truncate.unwrap_or(true), direction.unwrap_or_default()) {
        (false, _) => Cut::Refuse,
        (true, Direction::Left) => Cut::Left,
        (true, Direction::Right) => Cut::Right,
    }
}

/// Reads a request for vectors.
pub(super) fn parse(body: &[u8], catalogue: &Catalogue<'_>) -> Result<Question, Fault> {
    let request: Request = object::read(body)?;
    let card = catalogue.main.card;
    let dimensions = dimensions(request.dimensions, card)?;
    let texts = request.inputs.texts("inputs")?;
    let prompt = card.prompt(request.prompt_name.as_deref()).map_err(|message| Fault::new("prompt_name", message))?;
    Ok(Question {
        place: Place::Main,
        texts: prompted(texts, prompt, cut(request.truncate, request.truncation_direction)),
        scaling: if request.normalize.unwrap_or(true) { Scaling::Unit } else { Scaling::Raw },
        form: Form::Embed(dimensions),
    })
}

pub(super) fn answer(dimensions: Option<usize>, embeddings: &Embeddings) -> Vec<u8> {
    json(&shortened(embeddings, dimensions))
}

/// Reads a request for a ranking: each text is scored with the query.
pub(super) fn rerank(body: &[u8], catalogue: &Catalogue<'_>) -> Result<Question, Fault> {
    let Some((place, _)) = catalogue.cross_encoder() else {
        let message = "none of the local models is a cross-encoder";
        return Err(Fault::of(Kind::Of(StatusCode::FAILED_DEPENDENCY), "model", message));
    };
    let request: RerankRequest = object::read(body)?;
    if request.query.is_empty() {
        return Err(Fault::of(Kind::Empty, "query", "`query` is empty: send a text to compare with"));
    }
    if request.texts.is_empty() || request.texts.iter().any(String::is_empty) {
        return Err(Fault::of(Kind::Empty, "texts", "`texts` is empty or holds an empty text"));
    }
    if request.texts.len() > MAX_TEXTS {
        let message = format!("batch size {} > maximum allowed batch size {MAX_TEXTS}", request.texts.len());
        return Err(Fault::of(Kind::TooLarge, "texts", message));
    }
    let cut = cut(request.truncate, request.truncation_direction);
    let query: Arc<str> = request.query.into();
    let pair = |text: String| Sequence { content: Arc::clone(&query), pair: Some(text.into()), cut };
    Ok(Question {
        place,
        texts: request.texts.into_iter().map(pair).collect(),
        scaling: Scaling::Raw,
        form: Form::Rerank(Ranking {
            scores: if request.raw_scores.unwrap_or(false) { Scores::Raw } else { Scores::Share },
            texts: if request.return_text.unwrap_or(false) { Texts::Returned } else { Texts::LeftOut },
        }),
    })
}

impl Ranking {
    /// The texts by their scores, the best first.
    pub(super) fn answer<'p>(self, pairs: &'p [Sequence], embeddings: &Embeddings) -> Vec<u8> {
        let rank = |(index, (pair, logits)): (usize, (&'p Sequence, &Vec<f32>))| {
            let score = match self.scores {
                Scores::Raw => logits.first().copied().unwrap_or(f32::NAN),
                Scores::Share => share(logits),
            };
            (index, pair.pair.as_deref().filter(|_| self.texts == Texts::Returned), score)
        };
        let mut ranks: Vec<_> = pairs.iter().zip(&embeddings.vectors).enumerate().map(rank).collect();
        ranks.sort_by(|left, right| right.2.total_cmp(&left.2));
        let ranks: Vec<_> = ranks.into_iter().map(|(index, text, score)| Rank { index, text, score }).collect();
        json(&ranks)
    }
}

/// The first label's share: by the logistic function where it is the only one, else among all.
pub(super) fn share(logits: &[f32]) -> f32 {
    match logits {
        [] => f32::NAN,
        [logit] => 1.0 / (1.0 + (-logit).exp()),
        [first, ..] => {
            let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            (first - most).exp() / logits.iter().map(|logit| (logit - most).exp()).sum::<f32>()
        }
    }
}

/// What `GET /info` says of the main model.
pub(super) fn info(card: &Card) -> Vec<u8> {
    let pooling = match card.identity.pooling {
        Pooling::Mean => "mean",
        Pooling::Cls => "cls",
        Pooling::LastToken => "last-token",
        Pooling::Model => "model",
    };
    json(&value!({
        "model_id": card.identity.name,
        "model_sha": card.identity.revision,
        "model_dtype": card.dtype,
        "model_type": { "embedding": { "pooling": pooling } },
        "max_concurrent_requests": card.capacity.queue,
        "max_input_length": card.max_tokens,
        "max_batch_tokens": card.capacity.max_batch_tokens,
        "max_batch_requests": card.capacity.max_batch,
        "max_client_batch_size": MAX_TEXTS,
        "auto_truncate": true,
        "tokenization_workers": card.capacity.threads,
        "version": env!("CARGO_PKG_VERSION"),
        "sha": null,
        "docker_label": null,
    }))
}
