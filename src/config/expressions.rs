//! The expressions of all documents: each compiled once, and all together within a bound.
//!
//! A short expression may come to a large program, and hundreds of them to seconds of work at every reload.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;

use crate::domain::{PatternError, StringMatch};

/// What all expressions may cost together: as many of the usual size, or 32 of the largest.
const MOST: usize = 16_384;
/// What one of the largest costs, in those of the usual size. One that is too large costs as much: that is found out only by
/// compiling it.
const LARGEST: usize = 512;

/// What an expression costs whose program takes so many bytes.
const fn cost(bytes: usize) -> usize {
    match bytes {
        0..=0x2000 => 1,
        0x2001..=0x1_0000 => 32,
        _ => LARGEST,
    }
}

/// Why an expression is not used.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("{0}")]
    Wrong(#[from] PatternError),
    #[error("with those before it, the expressions are too many or too large")]
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
    cost: usize,
}

impl Compiled {
    fn within<T>(&mut self, compiled: Result<(T, usize), PatternError>) -> Result<T, Unusable> {
        self.cost += match &compiled {
            Ok((_, bytes)) => cost(*bytes),
            Err(PatternError::TooLarge) => LARGEST,
            Err(_) => 0,
        };
        let (compiled, _) = compiled?;
        if self.cost > MOST { Err(Unusable::TooMuch) } else { Ok(compiled) }
    }

    /// Whether there is no room for any other.
    const fn is_full(&self) -> bool {
        self.cost > MOST
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
        assert!((30..=32).contains(&judged), "{judged} of them are compiled");
        assert!(matches!(expressions.whole("a"), Err(Unusable::TooMuch)));
        assert!(matches!(expressions.parts("a"), Err(Unusable::TooMuch)));
        let expressions = Expressions::default();
        for number in 0..10_000 {
            expressions.whole(&format!("/v{number}/[a-z]+/.*")).expect("as many of the usual size fit");
        }
        assert!(matches!(expressions.parts("a)("), Err(Unusable::Wrong(_))));
    }
}
