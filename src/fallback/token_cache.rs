//! Texts that were tokenised not long ago, with their tokens.
//!
//! Two generations stand for an order of use: what is found in the older one moves to the younger, and once the younger is
//! half of all, the older is forgotten. So it costs a look-up or two, and never holds more than it is allowed.

use std::collections::HashMap;

use super::engine::Tokens;

/// The longest text that is kept, in bytes; longer ones seldom come twice, and this bounds the memory.
const LONGEST: usize = 4096;

/// Tokens by text.
#[derive(Debug)]
pub(super) struct TokenCache {
    /// The most texts that are kept; 0 keeps none.
    capacity: usize,
    young: HashMap<Box<str>, Tokens>,
    old: HashMap<Box<str>, Tokens>,
}

impl TokenCache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, young: HashMap::new(), old: HashMap::new() }
    }

    /// The tokens of `text`, if they are known.
    pub(super) fn get(&mut self, text: &str) -> Option<Tokens> {
        if let Some(tokens) = self.young.get(text) {
            return Some(tokens.clone());
        }
        let (text, tokens) = self.old.remove_entry(text)?;
        self.keep(text, tokens.clone());
        Some(tokens)
    }

    /// Notes the tokens of `text`.
    pub(super) fn put(&mut self, text: &str, tokens: &Tokens) {
        if text.len() <= LONGEST && self.capacity > 0 && !self.young.contains_key(text) {
            self.old.remove(text);
            self.keep(text.into(), tokens.clone());
        }
    }

    fn keep(&mut self, text: Box<str>, tokens: Tokens) {
        let half = self.capacity.div_ceil(2);
        if self.young.len() >= half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(text, tokens);
        if self.young.len() + self.old.len() > self.capacity {
            self.old.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(number: usize) -> Tokens {
        Tokens(vec![i64::try_from(number).expect("a small number")])
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut cache = TokenCache::new(10);
        cache.put("often", &tokens(0));
        for number in 1..100 {
            cache.put(&number.to_string(), &tokens(number));
            assert_eq!(cache.get("often"), Some(tokens(0)), "after {number}");
            assert!(cache.young.len() + cache.old.len() <= 10);
        }
        assert_eq!((cache.get("99"), cache.get("1")), (Some(tokens(99)), None));
    }

    #[test]
    fn the_bound_holds_whatever_it_is_and_long_texts_are_not_kept() {
        for capacity in 0..4 {
            let mut cache = TokenCache::new(capacity);
            for number in 0..20 {
                cache.put(&number.to_string(), &tokens(number));
                cache.get(&(number / 2).to_string());
                assert!(cache.young.len() + cache.old.len() <= capacity, "{capacity}");
            }
            assert_eq!(cache.get("19").is_some(), capacity > 0, "{capacity}");
        }
        let mut cache = TokenCache::new(4);
        cache.put(&"x".repeat(LONGEST + 1), &tokens(1));
        assert_eq!(cache.get(&"x".repeat(LONGEST + 1)), None);
    }
}
