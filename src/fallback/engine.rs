//! What the threads need of a model. The real one is [`super::encoder::Encoder`]; the tests of the queue have their own.

/// A text as the model takes it: ids of its vocabulary, special tokens included. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tokens(pub(super) Vec<i64>);

/// What a batch went wrong by, in the words of the library that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EngineError(pub(super) String);

/// A model on one thread.
pub(super) trait Engine: Send + 'static {
    /// Cuts a text into tokens, at most as many as the model takes.
    fn tokenise(&self, text: &str) -> Result<Tokens, EngineError>;

    /// One vector for each of `texts`, in their order. Shorter texts are padded to the longest.
    fn embed(&mut self, texts: &[&Tokens]) -> Result<Vec<Vec<f32>>, EngineError>;
}
