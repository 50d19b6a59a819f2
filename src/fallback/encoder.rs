//! A text encoder on ONNX Runtime: tokens in, pooled vectors or scores out.

use std::borrow::Cow;
use std::cell::RefCell;
use std::iter;
use std::sync::Arc;

use half::f16;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor};
use tokenizers::{Encoding, PostProcessor as _, Tokenizer, TruncationDirection, TruncationParams, truncate_encodings};

use super::engine::{Cut, Engine, EngineError, MAX_TOKEN_BYTES, SECOND, Sequence, Tokens};
use super::error::EmbedError;
use super::pooling::pool;
use super::signature::{Element, Filling, Signature};
use crate::config::Pooling;

/// Where a text is cut before it is tokenised, in bytes: the tokenizer keeps some 20 bytes for each, and a text whose first
/// 64 KiB hold fewer tokens than a model takes is no language. A model that takes thousands of tokens gets [`MAX_TOKEN_BYTES`]
/// for each.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// So many bytes for each token that a model takes are tokenised first: in most texts they hold more tokens than enough, and the
/// others are tokenised again, with more of them.
const USUAL_TOKEN_BYTES: usize = 16;

/// How many tokens at a cut may be others than without it: those of one word.
const UNSURE_TOKENS: usize = 128;

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
        let at_once = self.signature.texts.unwrap_or(texts.len()).max(1);
        let mut vectors = Vec::with_capacity(texts.len());
        // A model that is not told where a text ends takes what fills it up for a part of it.
        let together = |one: &&Tokens, next: &&Tokens| self.signature.has_mask() || one.0.len() == next.0.len();
        let groups: Vec<_> = texts.chunk_by(together).collect();
        for part in groups.into_iter().flat_map(|group| group.chunks(at_once)) {
            self.run(part, &mut vectors)?;
        }
        Ok(vectors)
    }
}

impl Encoder {
    /// Computes `texts` in one run: as many as the model takes, or fewer.
    fn run(&mut self, texts: &[&Tokens], vectors: &mut Vec<Vec<f32>>) -> Result<(), EngineError> {
        let signature = Arc::clone(&self.signature);
        let longest = texts.iter().map(|tokens| tokens.0.len()).max().unwrap_or(0);
        let (rows, width) = (signature.texts.unwrap_or(texts.len()), signature.tokens.unwrap_or(longest));
        let inputs = signature
            .inputs
            .iter()
            .map(|(name, filling, element)| {
                Ok((Cow::from(name.as_str()), input(texts, (rows, width), *filling, *element)?))
            })
            .collect::<Result<Vec<_>, EngineError>>()?;
        let outputs = self.session.run(inputs)?;
        let output = outputs
            .get(&signature.output)
            .ok_or_else(|| EngineError(format!("it has no output `{}`", signature.output)))?;
        let (shape, states) = numbers(output)?;
        let each = if signature.pooling == Pooling::Model { 1 } else { width };
        let dimension = if shape.len() == 1 { 1 } else { shape.last().copied().unwrap_or(0) };
        if dimension == 0 || states.len() != rows * each * dimension {
            return Err(EngineError(format!("its output is {shape:?} for {rows} texts of {width} tokens")));
        }
        vectors.extend(states.chunks_exact(each * dimension).zip(texts).map(|(states, tokens)| {
            pool(signature.pooling, &states[..tokens.0.len().min(each) * dimension], dimension)
        }));
        Ok(())
    }

    fn encode(&self, text: &str, cut: Cut) -> Result<Encoding, EmbedError> {
        let enough = self.max_tokens.saturating_mul(USUAL_TOKEN_BYTES);
        if cut != Cut::Refuse && text.len() > enough {
            let encoding = self.tokenizer.encode_fast(part(text, cut, enough), false).map_err(refused)?;
            if encoding.len() > self.max_tokens.saturating_add(UNSURE_TOKENS) {
                return Ok(encoding);
            }
        }
        let most = MAX_TEXT_BYTES.max(self.max_tokens.saturating_mul(MAX_TOKEN_BYTES));
        self.tokenizer.encode_fast(part(text, cut, most), false).map_err(refused)
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
}

/// The `most` bytes of a text that are left where it is cut.
fn part(text: &str, cut: Cut, most: usize) -> &str {
    match cut {
        Cut::Left => &text[text.ceil_char_boundary(text.len().saturating_sub(most))..],
        Cut::Right | Cut::Refuse => &text[..text.floor_char_boundary(most)],
    }
}

/// An output's shape and its numbers.
fn numbers(output: &DynValue) -> Result<(Vec<usize>, Cow<'_, [f32]>), EngineError> {
    let shape: Vec<usize> = output.shape().iter().map(|&length| usize::try_from(length).unwrap_or(0)).collect();
    if let Ok((_, numbers)) = output.try_extract_tensor::<f32>() {
        return Ok((shape, numbers.into()));
    }
    if let Ok((_, halves)) = output.try_extract_tensor::<f16>() {
        return Ok((shape, halves.iter().copied().map(f16::to_f32).collect()));
    }
    let (_, doubles) = output.try_extract_tensor::<f64>()?;
    #[expect(clippy::cast_possible_truncation, reason = "what becomes infinite is refused like any such vector")]
    let narrowed = doubles.iter().map(|&number| number as f32).collect();
    Ok((shape, narrowed))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what an error is mapped by")]
fn refused(why: tokenizers::Error) -> EmbedError {
    EmbedError::Failed(why.to_string())
}

/// An input of `rows` texts of `width` tokens: `texts`, each padded with zeros, and the last of them again where they are fewer.
fn input(
    texts: &[&Tokens],
    (rows, width): (usize, usize),
    filling: Filling,
    element: Element,
) -> Result<SessionInputValue<'static>, EngineError> {
    let mut data = vec![0_i64; rows * width];
    let padded = texts.iter().chain(iter::repeat_n(texts.last(), rows).flatten());
    for (row, Tokens(ids)) in data.chunks_exact_mut(width.max(1)).zip(padded) {
        for ((cell, &id), place) in row.iter_mut().zip(ids).zip(0..) {
            *cell = match filling {
                Filling::Ids => id & !SECOND,
                Filling::Mask => 1,
                Filling::Types => i64::from(id & SECOND != 0),
                Filling::Positions => place,
            };
        }
    }
    let shape = [rows, width];
    Ok(match element {
        Element::Int64 => Tensor::from_array((shape, data))?.into(),
        Element::Int32 => {
            let narrow: Vec<i32> = data.into_iter().map(|value| i32::try_from(value).unwrap_or(i32::MAX)).collect();
            Tensor::from_array((shape, narrow))?.into()
        }
        Element::Bool => Tensor::from_array((shape, data.iter().map(|&one| one != 0).collect::<Vec<_>>()))?.into(),
        Element::Fp16 => {
            let (no, yes) = (f16::from_f32(0.0), f16::from_f32(1.0));
            let mask: Vec<f16> = data.iter().map(|&one| if one == 0 { no } else { yes }).collect();
            Tensor::from_array((shape, mask))?.into()
        }
        Element::Fp32 => {
            let mask: Vec<f32> = data.iter().map(|&one| if one == 0 { 0.0 } else { 1.0 }).collect();
            Tensor::from_array((shape, mask))?.into()
        }
    })
}

impl From<ort::Error> for EngineError {
    fn from(why: ort::Error) -> Self {
        Self(why.to_string())
    }
}
