//! What the threads need of a model. The real one is [`super::encoder::Encoder`]; the tests of the queue have their own.

use std::sync::Arc;

use super::error::EmbedError;

/// A text to compute, as a request gives it. A copy shares its text, and so do the pairs of one query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence {
    /// The text, with the prompt before it.
    pub content: Arc<str>,
    /// The text that it is scored with, for a cross-encoder.
    pub pair: Option<Arc<str>>,
    /// What becomes of tokens beyond those that the model takes.
    pub cut: Cut,
}

/// What becomes of tokens beyond those that the model takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cut {
    /// The last ones are left out.
    #[default]
    Right,
    /// The first ones are left out.
    Left,
    /// The request is refused.
    Refuse,
}

impl Sequence {
    /// Its length in bytes, with the pair's.
    pub(super) fn bytes(&self) -> usize {
        self.content.len() + self.pair.as_ref().map_or(0, |pair| pair.len())
    }

    /// Its length in bytes without what it shares with `next`.
    pub(super) fn bytes_beside(&self, next: Option<&Self>) -> usize {
        let is_shared = next.is_some_and(|next| Arc::ptr_eq(&self.content, &next.content));
        self.bytes() - if is_shared { self.content.len() } else { 0 }
    }

    /// The text, where its tokens are those of the text alone.
    pub(super) fn plain(&self) -> Option<&str> {
        (self.pair.is_none() && self.cut == Cut::Right).then_some(&self.content)
    }
}

impl From<String> for Sequence {
    fn from(content: String) -> Self {
        Self { content: content.into(), ..Self::default() }
    }
}

impl From<&str> for Sequence {
    fn from(content: &str) -> Self {
        Self { content: content.into(), ..Self::default() }
    }
}

/// A text as the model takes it: ids of its vocabulary, special tokens included. Those of a pair's second text have the bit
/// [`SECOND`] set. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tokens(pub(super) Vec<i64>);

/// Marks an id of the second text of a pair; no vocabulary is as large.
pub(super) const SECOND: i64 = 1 << 40;

/// How long a token is at most, in bytes, where a text is one of a language: few are longer.
pub(super) const MAX_TOKEN_BYTES: usize = 32;

/// What a batch went wrong by, in the words of the library that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EngineError(pub(super) String);

impl From<EngineError> for EmbedError {
    fn from(error: EngineError) -> Self {
        Self::Failed(error.0)
    }
}

/// A model on one thread.
pub(super) trait Engine: Send + 'static {
    /// Cuts a text into tokens, at most as many as the model takes.
    fn tokenise(&self, text: &Sequence) -> Result<Tokens, EmbedError>;

    /// One vector for each of `texts`, in their order, not yet scaled. Shorter texts are padded to the longest.
    fn embed(&mut self, texts: &[&Tokens]) -> Result<Vec<Vec<f32>>, EngineError>;
}
