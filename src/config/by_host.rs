//! Values by the hosts that they are for, found without trying each of them.

use std::collections::HashMap;

use crate::domain::HostPattern;

/// Values by host or wildcard.
#[derive(Debug)]
pub(super) struct ByHost<T> {
    exact: HashMap<Box<str>, T>,
    suffixes: HashMap<Box<str>, T>,
    any: Option<T>,
}

impl<T> Default for ByHost<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), suffixes: HashMap::new(), any: None }
    }
}

impl<T> ByHost<T> {
    /// The value of `pattern`, made where there is none yet.
    pub(super) fn get_or_insert_with(&mut self, pattern: &HostPattern, make: impl FnOnce() -> T) -> &mut T {
        match pattern {
            HostPattern::Exact(host) => self.exact.entry(host.as_str().into()).or_insert_with(make),
            HostPattern::Suffix(suffix) => self.suffixes.entry(suffix.clone()).or_insert_with(make),
            HostPattern::Any => self.any.get_or_insert_with(make),
        }
    }

    /// The value of exactly `pattern`.
    pub(super) fn get(&self, pattern: &HostPattern) -> Option<&T> {
        match pattern {
            HostPattern::Exact(host) => self.exact.get(host.as_str()),
            HostPattern::Suffix(suffix) => self.suffixes.get(suffix),
            HostPattern::Any => self.any.as_ref(),
        }
    }

    /// The values of all that stand for `host`, which is in lower case; the most specific first.
    pub(super) fn matching(&self, host: &str) -> impl Iterator<Item = &T> {
        // A wildcard stands for one character at least.
        let longest = if self.suffixes.is_empty() { host.len() } else { 1 };
        let suffixes = (longest..host.len()).filter_map(|at| self.suffixes.get(host.get(at..)?));
        self.exact.get(host).into_iter().chain(suffixes).chain(&self.any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_host_is_what_its_pattern_matches() {
        let patterns = ["*", "*.com", "*.example.com", "a.example.com", "*-eu.example.com", "*a.example.com"];
        let patterns = patterns.map(|text| HostPattern::parse(text).expect("a valid pattern"));
        let mut values = ByHost::default();
        for (at, pattern) in patterns.iter().enumerate() {
            assert_eq!(*values.get_or_insert_with(pattern, || at), at);
            assert_eq!(*values.get_or_insert_with(pattern, || usize::MAX), at, "the first keeps its place");
            assert_eq!(values.get(pattern), Some(&at));
        }
        for host in ["a.example.com", "b.example.com", "ba.example.com", "b-eu.example.com", "example.com", "com", ""] {
            let mut expected: Vec<usize> = (0..patterns.len()).filter(|at| patterns[*at].matches(host)).collect();
            expected.sort_by_key(|at| std::cmp::Reverse(patterns[*at].precedence()));
            assert_eq!(values.matching(host).copied().collect::<Vec<_>>(), expected, "{host}");
        }
    }
}
