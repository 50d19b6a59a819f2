//! The host table: exact names, then the longest suffix wildcard, then everything.

use rustc_hash::FxHashMap;

use crate::domain::HostPattern;

/// Values by host, looked up in the order of precedence that Istio gives hosts.
#[derive(Clone, Debug)]
pub struct HostTable<T> {
    exact: FxHashMap<Box<str>, T>,
    suffix: FxHashMap<Box<str>, T>,
    /// The lengths of the suffixes, in bytes, the longest first.
    lengths: Vec<usize>,
    any: Option<T>,
}

impl<T: Copy> Default for HostTable<T> {
    fn default() -> Self {
        Self { exact: FxHashMap::default(), suffix: FxHashMap::default(), lengths: Vec::new(), any: None }
    }
}

impl<T: Copy> HostTable<T> {
    /// Adds a pattern; the first to claim a host keeps it.
    pub fn insert(&mut self, pattern: &HostPattern, value: T) {
        match pattern {
            HostPattern::Exact(host) => {
                self.exact.entry(host.as_str().into()).or_insert(value);
            }
            HostPattern::Suffix(suffix) => {
                self.suffix.entry(suffix.clone()).or_insert(value);
                if let Err(at) = self.lengths.binary_search_by(|length| suffix.len().cmp(length)) {
                    self.lengths.insert(at, suffix.len());
                }
            }
            HostPattern::Any => {
                self.any.get_or_insert(value);
            }
        }
    }

    /// The value for `host`, which is in lower case and without a port.
    pub fn find(&self, host: &str) -> Option<T> {
        self.exact.get(host).or_else(|| self.find_suffix(host)).copied().or(self.any)
    }

    /// Tries every suffix that leaves at least one character for the wildcard, the longest first.
    fn find_suffix(&self, host: &str) -> Option<&T> {
        let lengths = self.lengths.iter().filter(|length| **length < host.len());
        lengths.filter_map(|length| host.get(host.len() - length..)).find_map(|suffix| self.suffix.get(suffix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_host_wins_and_the_first_keeps_it() {
        let mut table = HostTable::default();
        for (pattern, value) in [
            ("*", 0),
            ("*.com", 1),
            ("*.example.com", 2),
            ("a.example.com", 3),
            ("a.example.com", 4),
            ("*-eu.example.com", 5),
        ] {
            table.insert(&HostPattern::parse(pattern).expect("a valid pattern"), value);
        }
        for (host, value) in [
            ("a.example.com", 3),
            ("b.example.com", 2),
            ("c.b.example.com", 2),
            ("a-eu.example.com", 5),
            ("-eu.example.com", 2),
            ("example.com", 1),
            (".example.com", 1),
            ("com", 0),
            ("", 0),
        ] {
            assert_eq!(table.find(host), Some(value), "{host}");
        }
    }
}
