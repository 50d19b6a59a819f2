//! The rules of one host by the paths that they take, so that a host with many of them does not try each.

use rustc_hash::FxHashMap;

use super::Matcher;
use crate::domain::StringMatch;

/// An alternative of a rule: which rule it is of those of its host, and which of that rule's alternatives. The order is
/// the one in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The rule.
    pub rule: u32,
    /// The alternative; 0 for a rule without any, which takes everything.
    pub alternative: u32,
}

/// Alternatives by what they ask of a path, each list in the order in which it is tried.
#[derive(Clone, Debug, Default)]
pub struct PathIndex {
    exact: FxHashMap<Box<str>, Vec<Place>>,
    /// In the order of their texts.
    prefixes: Vec<Prefix>,
    /// What must be tried whatever the path is.
    others: Vec<Place>,
}

#[derive(Clone, Debug)]
struct Prefix {
    text: Box<str>,
    places: Vec<Place>,
    /// The longest of the other prefixes that this one begins with.
    within: Option<usize>,
}

impl PathIndex {
    /// An index over the alternatives of each rule, in their order.
    pub fn new<'m>(rules: impl IntoIterator<Item = &'m [Matcher]>) -> Self {
        let mut index = Self::default();
        let mut prefixes: FxHashMap<&str, Vec<Place>> = FxHashMap::default();
        for (rule, alternatives) in (0..).zip(rules) {
            if alternatives.is_empty() {
                index.others.push(Place { rule, alternative: 0 });
            }
            for (alternative, matcher) in (0..).zip(alternatives) {
                let place = Place { rule, alternative };
                match matcher.path() {
                    Some(StringMatch::Exact(path)) => index.exact.entry(path.clone()).or_default().push(place),
                    Some(StringMatch::Prefix(prefix)) => prefixes.entry(prefix).or_default().push(place),
                    Some(StringMatch::Regex(_) | StringMatch::Present) | None => index.others.push(place),
                }
            }
        }
        index.prefixes = nested(prefixes);
        index
    }

    /// The first alternative that `holds`, of those that `path` does not rule out.
    pub fn first(&self, path: &str, holds: impl Fn(Place) -> bool) -> Option<Place> {
        let lists = self.exact.get(path).into_iter().chain(self.prefixes_of(path)).chain([&self.others]);
        lists.fold(None, |first: Option<Place>, list| {
            let earlier = list.iter().take_while(|place| first.is_none_or(|first| **place < first));
            earlier.copied().find(|place| holds(*place)).or(first)
        })
    }

    /// The alternatives of every prefix of `path`, the longest prefix first.
    fn prefixes_of<'i>(&'i self, path: &str) -> impl Iterator<Item = &'i Vec<Place>> {
        // All prefixes of the path are prefixes of the last text that does not stand behind it, or that text itself.
        let last = self.prefixes.partition_point(|prefix| *prefix.text <= *path).checked_sub(1);
        let chain = std::iter::successors(last, |at| self.prefixes[*at].within).map(|at| &self.prefixes[at]);
        chain.skip_while(move |prefix| !path.starts_with(&*prefix.text)).map(|prefix| &prefix.places)
    }
}

/// Sorts the prefixes, and says of each within which it stands.
fn nested(prefixes: FxHashMap<&str, Vec<Place>>) -> Vec<Prefix> {
    let mut sorted: Vec<Prefix> =
        prefixes.into_iter().map(|(text, places)| Prefix { text: text.into(), places, within: None }).collect();
    sorted.sort_unstable_by(|a, b| a.text.cmp(&b.text));
    for at in 1..sorted.len() {
        let chain = std::iter::successors(Some(at - 1), |before| sorted[*before].within);
        let within = chain.into_iter().find(|before| sorted[at].text.starts_with(&*sorted[*before].text));
        sorted[at].within = within;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::Condition;

    const WORDS: [&str; 12] = ["", "/", "/a", "/a/", "/ab", "/a/b", "/a/b/c", "/b", "/b/", "b", "/é", "/a\u{ffff}"];

    fn condition(random: &mut fastrand::Rng) -> Condition {
        let word: Box<str> = WORDS[random.usize(..WORDS.len())].into();
        match random.u8(..8) {
            0..=2 => Condition::Uri(StringMatch::Exact(word)),
            3..=5 => Condition::Uri(StringMatch::Prefix(word)),
            6 => Condition::UriIgnoringCase(StringMatch::Prefix(word)),
            _ => Condition::Port(80),
        }
    }

    /// Whether `condition` lets a request for `path` to an odd port through.
    fn lets(condition: &Condition, path: &str) -> bool {
        match condition {
            Condition::Uri(pattern) => pattern.matches(path),
            Condition::UriIgnoringCase(pattern) => pattern.matches_ignoring_case(path),
            _ => path.len().is_multiple_of(2),
        }
    }

    #[test]
    fn the_first_that_holds_is_the_first_of_all() {
        let mut random = fastrand::Rng::with_seed(3);
        for round in 0..500 {
            let count = random.usize(..12);
            let rules: Vec<Vec<Condition>> =
                (0..count).map(|_| (0..random.usize(..4)).map(|_| condition(&mut random)).collect()).collect();
            let matchers: Vec<Vec<Matcher>> = rules
                .iter()
                .map(|rule| rule.iter().map(|condition| Matcher::new(vec![condition.clone()])).collect())
                .collect();
            let index = PathIndex::new(matchers.iter().map(Vec::as_slice));
            for path in WORDS.into_iter().chain(["/a/b/c/d", "/abc", "/c", "/a\u{10ffff}"]) {
                let holds = |place: Place| {
                    let conditions = &rules[place.rule as usize];
                    conditions.get(place.alternative as usize).is_none_or(|condition| lets(condition, path))
                };
                let mut all = (0..).zip(&rules).flat_map(|(rule, conditions)| {
                    (0..).take(conditions.len().max(1)).map(move |alternative| Place { rule, alternative })
                });
                let expected = all.find(|place| holds(*place));
                assert_eq!(index.first(path, holds), expected, "round {round}, {path:?} of {rules:?}");
            }
        }
    }
}
