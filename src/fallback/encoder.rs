//! A sentence encoder on ONNX Runtime: tokens in, pooled vectors out.

use std::sync::Arc;

use ort::session::Session;
use ort::value::Tensor;
use tokenizers::Tokenizer;

use super::engine::{Engine, EngineError, Tokens};
use super::manifest::Pooling;

/// Where a text is cut before it is tokenised, in bytes: the tokenizer keeps some 20 bytes for each, and a text whose first
/// 64 KiB hold fewer tokens than a model takes is no language.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The output that holds one vector a token.
const OUTPUT: &str = "last_hidden_state";

/// One session with the facts that turn its output into vectors.
pub(super) struct Encoder {
    pub(super) session: Session,
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) dimension: usize,
    pub(super) pooling: Pooling,
    pub(super) normalised: bool,
}

impl Engine for Encoder {
    fn tokenise(&self, text: &str) -> Result<Tokens, EngineError> {
        let text = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
        let encoding = self.tokenizer.encode_fast(text, true).map_err(|why| EngineError(why.to_string()))?;
        if encoding.is_empty() {
            return Err(EngineError("the tokenizer adds no special tokens, and the text is empty".to_owned()));
        }
        Ok(Tokens(encoding.get_ids().iter().map(|&id| i64::from(id)).collect()))
    }

    fn embed(&mut self, texts: &[&Tokens]) -> Result<Vec<Vec<f32>>, EngineError> {
        let (dimension, pooling, normalised) = (self.dimension, self.pooling, self.normalised);
        let width = texts.iter().map(|tokens| tokens.0.len()).max().unwrap_or(0);
        let shape = [texts.len(), width];
        let padded = |value: fn(i64) -> i64| {
            let mut data = vec![0_i64; texts.len() * width];
            for (row, tokens) in data.chunks_exact_mut(width.max(1)).zip(texts) {
                for (cell, &id) in row.iter_mut().zip(&tokens.0) {
                    *cell = value(id);
                }
            }
            Tensor::from_array((shape, data))
        };
        let inputs = ort::inputs![
            "input_ids" => padded(|id| id)?,
            "attention_mask" => padded(|_| 1)?,
            "token_type_ids" => padded(|_| 0)?,
        ];
        let outputs = self.session.run(inputs)?;
        let output = outputs.get(OUTPUT).ok_or_else(|| EngineError(format!("it has no output `{OUTPUT}`")))?;
        let (shape, states) = output.try_extract_tensor::<f32>()?;
        if states.len() != texts.len() * width * dimension {
            return Err(EngineError(format!("its output is {shape:?} where vectors of {dimension} were expected")));
        }
        let rows = states.chunks_exact((width * dimension).max(1)).zip(texts);
        Ok(rows
            .map(|(states, tokens)| {
                let Pooling::Mean = pooling;
                let mut vector = mean(&states[..tokens.0.len() * dimension], dimension);
                if normalised {
                    normalise(&mut vector);
                }
                vector
            })
            .collect())
    }
}

impl From<ort::Error> for EngineError {
    fn from(why: ort::Error) -> Self {
        Self(why.to_string())
    }
}

/// The mean of the rows of `states`, which are `dimension` long; padding is not among them.
fn mean(states: &[f32], dimension: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; dimension];
    for row in states.chunks_exact(dimension) {
        for (total, value) in sum.iter_mut().zip(row) {
            *total += value;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a text has some hundred tokens")]
    let rows = (states.len() / dimension) as f32;
    for total in &mut sum {
        *total /= rows;
    }
    sum
}

/// Scales a vector to length 1. The floor is the one sentence-transformers has, for a vector of zeros.
fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
    for value in vector {
        *value /= length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_tokens_and_has_length_one_afterwards() {
        let mut vector = mean(&[1.0, 0.0, 5.0, 8.0], 2);
        assert_eq!(vector, [3.0, 4.0]);
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        let mut zeros = [0.0_f32; 2];
        normalise(&mut zeros);
        assert!(zeros.iter().all(|value| value.is_finite()));
    }
}
