//! One request's texts while they wait.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::engine::Tokens;
use super::super::job::Job;
use super::{Load, Waiting};

/// A text as it comes into the queue.
pub(super) enum Text {
    Raw(String),
    /// Its tokens were remembered.
    Tokenised(Tokens),
}

/// What waits of one request.
pub(super) struct Request {
    pub(super) job: Arc<Job>,
    /// Whether it came while nothing waited and nothing was computed.
    pub(super) is_alone: bool,
    /// Texts, with their places among the job's.
    raw: VecDeque<(usize, String)>,
    tokenised: Vec<(usize, Tokens)>,
    /// The tokens that each of the job's texts is expected to have until it is tokenised.
    expected: Vec<usize>,
    left: Load,
}

impl Request {
    /// The request of `job`; `expect` tells the tokens of a text by its bytes.
    pub(super) fn new(job: Arc<Job>, texts: Vec<Text>, expect: impl Fn(usize) -> usize) -> Self {
        let mut request = Self {
            job,
            is_alone: false,
            raw: VecDeque::new(),
            tokenised: Vec::new(),
            expected: Vec::with_capacity(texts.len()),
            left: Load::default(),
        };
        for (index, text) in texts.into_iter().enumerate() {
            let load = match &text {
                Text::Raw(text) => Load { texts: 1, tokens: expect(text.len()), bytes: text.len() },
                Text::Tokenised(tokens) => Load { texts: 1, tokens: tokens.0.len(), bytes: 0 },
            };
            request.left = request.left.plus(load);
            request.expected.push(load.tokens);
            match text {
                Text::Raw(text) => request.raw.push_back((index, text)),
                Text::Tokenised(tokens) => request.tokenised.push((index, tokens)),
            }
        }
        request
    }

    /// What of it has not been given out to be computed.
    pub(super) fn left(&self) -> Load {
        self.left
    }

    /// Whether every text has been.
    pub(super) fn is_given_out(&self) -> bool {
        self.left.texts == 0
    }

    pub(super) fn has_tokens(&self) -> bool {
        !self.tokenised.is_empty()
    }

    /// The lengths of its tokenised texts, the first first.
    pub(super) fn lengths(&self) -> impl ExactSizeIterator<Item = usize> + Clone {
        self.tokenised.iter().map(|(_, tokens)| tokens.0.len())
    }

    /// Gives out its first raw text to be tokenised.
    pub(super) fn take_raw(&mut self) -> Option<Waiting<String>> {
        let (index, content) = self.raw.pop_front()?;
        Some(Waiting { job: Arc::clone(&self.job), index, content })
    }

    /// Takes back a text of `bytes` bytes.
    pub(super) fn tokenised(&mut self, index: usize, bytes: usize, tokens: Tokens) {
        let expected = self.expected.get(index).copied().unwrap_or(0);
        self.left.tokens = self.left.tokens.saturating_sub(expected) + tokens.0.len();
        self.left.bytes = self.left.bytes.saturating_sub(bytes);
        self.tokenised.push((index, tokens));
    }

    /// Gives out the `nth` of its tokenised texts to be computed.
    pub(super) fn take(&mut self, nth: usize) -> Option<Waiting<Tokens>> {
        if nth >= self.tokenised.len() {
            return None;
        }
        let (index, content) = self.tokenised.remove(nth);
        self.left.texts -= 1;
        self.left.tokens = self.left.tokens.saturating_sub(content.0.len());
        Some(Waiting { job: Arc::clone(&self.job), index, content })
    }
}
