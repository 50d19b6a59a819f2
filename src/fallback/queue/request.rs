//! One request's texts while they wait.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::engine::{Sequence, Tokens};
use super::super::job::Job;
use super::{Load, Waiting};

/// What waits of one request.
pub(super) struct Request {
    pub(super) job: Arc<Job>,
    /// Whether it came while nothing waited and nothing was computed.
    pub(super) is_alone: bool,
    /// Texts, with their places among the job's.
    raw: VecDeque<(usize, Sequence)>,
    tokenised: Vec<(usize, Tokens)>,
    /// What each of the job's texts counts for until it is tokenised, with the tokens that are expected of it. A text that
    /// several pairs share counts once, with the last of them.
    expected: Vec<Load>,
    left: Load,
}

impl Request {
    /// The request of `job`; `expect` tells the tokens of a text by its bytes.
    pub(super) fn new(job: Arc<Job>, texts: Vec<Sequence>, expect: impl Fn(usize) -> usize) -> Self {
        let mut request = Self {
            job,
            is_alone: false,
            raw: VecDeque::new(),
            tokenised: Vec::new(),
            expected: Vec::with_capacity(texts.len()),
            left: Load::default(),
        };
        let mut texts = texts.into_iter().enumerate().peekable();
        while let Some((index, text)) = texts.next() {
            let bytes = text.bytes_beside(texts.peek().map(|(_, next)| next));
            let load = Load { texts: 1, tokens: expect(text.bytes()), bytes };
            request.left = request.left.plus(load);
            request.expected.push(load);
            request.raw.push_back((index, text));
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

    pub(super) fn has_raw(&self) -> bool {
        !self.raw.is_empty()
    }

    pub(super) fn has_tokens(&self) -> bool {
        !self.tokenised.is_empty()
    }

    /// The lengths of its tokenised texts, the first first.
    pub(super) fn lengths(&self) -> impl ExactSizeIterator<Item = usize> + Clone {
        self.tokenised.iter().map(|(_, tokens)| tokens.0.len())
    }

    /// Gives out its first raw text to be tokenised.
    pub(super) fn take_raw(&mut self) -> Option<Waiting<Sequence>> {
        let (index, content) = self.raw.pop_front()?;
        Some(Waiting { job: Arc::clone(&self.job), index, content })
    }

    /// Takes back the text at `index`.
    pub(super) fn tokenised(&mut self, index: usize, tokens: Tokens) {
        let expected = self.expected.get(index).copied().unwrap_or_default();
        self.left.tokens = self.left.tokens.saturating_sub(expected.tokens) + tokens.0.len();
        self.left.bytes = self.left.bytes.saturating_sub(expected.bytes);
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::super::engine::Cut;
    use super::*;

    #[test]
    fn a_query_is_counted_once_however_many_texts_it_is_scored_with() {
        let now = Instant::now();
        let (job, _outcome) = Job::new(3, now, now);
        let query: Arc<str> = "x".repeat(1000).into();
        let pair = |text: &str| Sequence { content: Arc::clone(&query), pair: Some(text.into()), cut: Cut::Right };
        let texts = vec![pair("a"), pair("bb"), pair("ccc")];
        let mut request = Request::new(Arc::new(job), texts, |bytes| bytes);
        assert_eq!(request.left(), Load { texts: 3, tokens: 3006, bytes: 1006 });
        for (index, bytes) in [(0, 1005), (1, 1003), (2, 0)] {
            request.tokenised(index, Tokens(vec![1]));
            assert_eq!(request.left().bytes, bytes, "after {index}");
        }
        assert_eq!(request.left().tokens, 3);
    }
}
