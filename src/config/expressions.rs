//! The expressions of all documents: each compiled once, and all together within a bound.
//!
//! A short expression may come to a large program, and hundreds of them to seconds of work at every reload.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;

use crate::domain::{PatternError, StringMatch};

/// What the programs of all expressions may take together, in bytes: some thousand of the usual size, or 128 of the largest.
const MOST: usize = 128 << 20;
/// What the largest takes.
const LARGEST: usize = 1 << 20;

/// Why an expression is not used.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("{0}")]
    Wrong(#[from] PatternError),
    #[error("with those before it, the expressions take more than {} MiB", MOST >> 20)]
    TooMuch,
}

impl Unusable {
    /// What to do about it.
    pub(super) const fn cure(&self) -> &'static str {
        match self {
            Self::Wrong(_) => "Write an RE2 expression of at most 1024 characters.",
            Self::TooMuch => {
                "Write fewer or simpler ones: classes such as `\\pL`, and repetitions such as `{40}`, cost most."
            }
        }
    }
}

/// What was compiled so far.
#[derive(Debug, Default)]
pub(super) struct Expressions(RefCell<Compiled>);

#[derive(Debug, Default)]
struct Compiled {
    whole: HashMap<String, Result<StringMatch, Unusable>>,
    parts: HashMap<String, Result<Regex, Unusable>>,
    bytes: usize,
}

impl Compiled {
    fn within<T>(&mut self, compiled: Result<(T, usize), PatternError>) -> Result<T, Unusable> {
        // One that is too large has taken as long as the largest that is not.
        let bytes = match &compiled {
            Ok((_, bytes)) => *bytes,
            Err(PatternError::TooLarge) => LARGEST,
            Err(_) => 0,
        };
        self.bytes += bytes;
        let (compiled, _) = compiled?;
        if self.bytes > MOST { Err(Unusable::TooMuch) } else { Ok(compiled) }
    }

    /// Whether there is no room for any other.
    const fn is_full(&self) -> bool {
        self.bytes > MOST
    }
}

impl Expressions {
    /// What matches whole texts.
    pub(super) fn whole(&self, expression: &str) -> Result<StringMatch, Unusable> {
        let mut compiled = self.0.borrow_mut();
        if let Some(known) = compiled.whole.get(expression) {
            return known.clone();
        }
        let new = if compiled.is_full() {
            Err(Unusable::TooMuch)
        } else {
            compiled.within(StringMatch::measured_regex(expression))
        };
        compiled.whole.insert(expression.to_owned(), new.clone());
        new
    }

    /// What finds in texts whatever matches.
    pub(super) fn parts(&self, expression: &str) -> Result<Regex, Unusable> {
        let mut compiled = self.0.borrow_mut();
        if let Some(known) = compiled.parts.get(expression) {
            return known.clone();
        }
        let new = if compiled.is_full() {
            Err(Unusable::TooMuch)
        } else {
            compiled.within(StringMatch::measured_search(expression))
        };
        compiled.parts.insert(expression.to_owned(), new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_bounded_together_and_compiled_once() {
        let expressions = Expressions::default();
        for _ in 0..1000 {
            expressions.whole(r"\pL{5}").expect("the same one costs no more");
        }
        let too_large = |number: &usize| {
            let judged = expressions.whole(&format!(r"{number}(?i)\pL{{40}}"));
            matches!(judged, Err(Unusable::Wrong(PatternError::TooLarge)))
        };
        let judged = (0..400).take_while(too_large).count();
        assert!((100..=128).contains(&judged), "{judged} of the largest are compiled");
        assert!(matches!(expressions.whole("a"), Err(Unusable::TooMuch)));
        assert!(matches!(expressions.parts("a"), Err(Unusable::TooMuch)));
        let expressions = Expressions::default();
        for number in 0..10_000 {
            expressions.whole(&format!("/v{number}/[a-z]+/.*")).expect("as many of the usual size fit");
        }
        assert!(matches!(expressions.parts("a)("), Err(Unusable::Wrong(_))));
    }
}
