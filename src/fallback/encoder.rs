//! A text encoder on ONNX Runtime: tokens in, pooled vectors or scores out.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;
use tokenizers::{Encoding, PostProcessor as _, Tokenizer, TruncationDirection, TruncationParams, truncate_encodings};

use super::engine::{Cut, Engine, EngineError, MAX_TOKEN_BYTES, SECOND, Sequence, Tokens};
use super::error::EmbedError;
use super::pooling::pool;
use super::signature::{Filling, Signature, Width};
use crate::config::Pooling;

/// Where a text is cut before it is tokenised, in bytes: the tokenizer keeps some 20 bytes for each, and a text whose first
/// 64 KiB hold fewer tokens than a model takes is no language. A model that takes thousands of tokens gets [`MAX_TOKEN_BYTES`]
/// for each.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// One session with the facts that turn its output into vectors.
pub(super) struct Encoder {
    session: Session,
    /// Without truncation and padding of its own.
    tokenizer: Arc<Tokenizer>,
    pub(super) signature: Arc<Signature>,
    /// The most tokens of a text, special ones included.
    max_tokens: usize,
    /// The query that was tokenised last: it comes once for each text that it is scored with.
    query: RefCell<Option<Query>>,
}

/// A query with its tokens.
struct Query {
    text: Arc<str>,
    cut: Cut,
    tokens: Encoding,
}

impl Engine for Encoder {
    fn tokenise(&self, text: &Sequence) -> Result<Tokens, EmbedError> {
        let first = match &text.pair {
            Some(_) => self.query(&text.content, text.cut)?,
            None => self.encode(&text.content, text.cut)?,
        };
        let second = text.pair.as_deref().map(|pair| self.encode(pair, text.cut)).transpose()?;
        // What the tokenizer puts around a text, or around a pair.
        let special =
            self.tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(second.is_some()));
        let found = first.len() + second.as_ref().map_or(0, Encoding::len) + special;
        if text.cut == Cut::Refuse && found > self.max_tokens {
            return Err(EmbedError::TooLong { found, most: self.max_tokens });
        }
        let direction = if text.cut == Cut::Left { TruncationDirection::Left } else { TruncationDirection::Right };
        let room = self.max_tokens.saturating_sub(special);
        let params = TruncationParams { max_length: room, direction, ..TruncationParams::default() };
        let (mut first, mut second) = truncate_encodings(first, second, &params).map_err(refused)?;
        // What was cut off is kept in pieces, and each piece of a pair would be joined with each of the other text.
        first.take_overflowing();
        if let Some(second) = &mut second {
            second.take_overflowing();
        }
        let whole = self.tokenizer.post_process(first, second, true).map_err(refused)?;
        if whole.is_empty() {
            return Err(EmbedError::Failed("the tokenizer adds no special tokens, and the text is empty".to_owned()));
        }
        let ids = whole.get_ids().iter().zip(whole.get_type_ids());
        Ok(Tokens(ids.map(|(&id, &segment)| i64::from(id) | if segment == 1 { SECOND } else { 0 }).collect()))
    }

    fn embed(&mut self, texts: &[&Tokens]) -> Result<Vec<Vec<f32>>, EngineError> {
        let width = texts.iter().map(|tokens| tokens.0.len()).max().unwrap_or(0);
        let signature = Arc::clone(&self.signature);
        let inputs = signature
            .inputs
            .iter()
            .map(|(name, filling, bits)| Ok((Cow::from(name.as_str()), input(texts, width, *filling, *bits)?)))
            .collect::<Result<Vec<_>, EngineError>>()?;
        let outputs = self.session.run(inputs)?;
        let output = outputs
            .get(&signature.output)
            .ok_or_else(|| EngineError(format!("it has no output `{}`", signature.output)))?;
        let (shape, states) = output.try_extract_tensor::<f32>()?;
        let rows = if signature.pooling == Pooling::Model { 1 } else { width };
        let dimension = shape.last().and_then(|&last| usize::try_from(last).ok()).unwrap_or(0);
        if dimension == 0 || states.len() != texts.len() * rows * dimension {
            return Err(EngineError(format!("its output is {shape:?} for {} texts of {width} tokens", texts.len())));
        }
        let vectors = states.chunks_exact(rows * dimension).zip(texts).map(|(states, tokens)| {
            pool(signature.pooling, &states[..tokens.0.len().min(rows) * dimension], dimension)
        });
        Ok(vectors.collect())
    }
}

impl Encoder {
    /// An encoder of texts with at most `max_tokens` tokens. `tokenizer` neither truncates nor pads.
    pub(super) fn new(
        session: Session,
        tokenizer: Arc<Tokenizer>,
        signature: Arc<Signature>,
        max_tokens: usize,
    ) -> Self {
        Self { session, tokenizer, signature, max_tokens, query: RefCell::new(None) }
    }

    fn query(&self, text: &Arc<str>, cut: Cut) -> Result<Encoding, EmbedError> {
        if let Some(known) = &*self.query.borrow()
            && Arc::ptr_eq(&known.text, text)
            && known.cut == cut
        {
            return Ok(known.tokens.clone());
        }
        let tokens = self.encode(text, cut)?;
        self.query.replace(Some(Query { text: Arc::clone(text), cut, tokens: tokens.clone() }));
        Ok(tokens)
    }

    fn encode(&self, text: &str, cut: Cut) -> Result<Encoding, EmbedError> {
        let most = MAX_TEXT_BYTES.max(self.max_tokens.saturating_mul(MAX_TOKEN_BYTES));
        let text = match cut {
            Cut::Left => &text[text.ceil_char_boundary(text.len().saturating_sub(most))..],
            Cut::Right | Cut::Refuse => &text[..text.floor_char_boundary(most)],
        };
        self.tokenizer.encode_fast(text, false).map_err(refused)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what an error is mapped by")]
fn refused(why: tokenizers::Error) -> EmbedError {
    EmbedError::Failed(why.to_string())
}

/// An input of `texts`, each padded with zeros to `width` tokens.
fn input(
    texts: &[&Tokens],
    width: usize,
    filling: Filling,
    bits: Width,
) -> Result<SessionInputValue<'static>, EngineError> {
    let mut data = vec![0_i64; texts.len() * width];
    for (row, Tokens(ids)) in data.chunks_exact_mut(width.max(1)).zip(texts) {
        for ((cell, &id), place) in row.iter_mut().zip(ids).zip(0..) {
            *cell = match filling {
                Filling::Ids => id & !SECOND,
                Filling::Mask => 1,
                Filling::Types => i64::from(id & SECOND != 0),
                Filling::Positions => place,
            };
        }
    }
    let shape = [texts.len(), width];
    Ok(match bits {
        Width::Bits64 => Tensor::from_array((shape, data))?.into(),
        Width::Bits32 => {
            let narrow: Vec<i32> = data.into_iter().map(|value| i32::try_from(value).unwrap_or(i32::MAX)).collect();
            Tensor::from_array((shape, narrow))?.into()
        }
    })
}

impl From<ort::Error> for EngineError {
    fn from(why: ort::Error) -> Self {
        Self(why.to_string())
    }
}
