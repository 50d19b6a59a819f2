//! The series and labels that a `PromQL` expression names. Not a parser: it knows the expressions of the manifests, and what it
//! takes for a series and is none fails a test.

use std::collections::BTreeSet;

use regex::Regex;

/// A series as an expression selects it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Selector {
    /// Its name.
    pub(super) name: String,
    /// The labels that are asked for, each with the value where it must be just that.
    pub(super) labels: Vec<(String, Option<String>)>,
}

/// Words that are no series.
const WORDS: [&str; 14] = [
    "by",
    "on",
    "without",
    "ignoring",
    "group_left",
    "group_right",
    "and",
    "or",
    "unless",
    "bool",
    "offset",
    "sum",
    "max",
    "le",
];

fn expression(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a valid expression")
}

/// The series that `expr` selects.
pub(super) fn selectors(expr: &str) -> BTreeSet<Selector> {
    let mut found = BTreeSet::new();
    let matcher = expression(r#"([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)""#);
    let braced = expression(r#"([a-zA-Z_:][\w:]*)?\{((?:[^{}"]|"(?:[^"\\]|\\.)*")*)\}"#);
    for captures in braced.captures_iter(expr) {
        let mut name = captures.get(1).map_or(String::new(), |name| name.as_str().to_owned());
        let mut labels = Vec::new();
        for matched in matcher.captures_iter(&captures[2]) {
            let exact = (&matched[2] == "=").then(|| matched[3].to_owned());
            match exact {
                Some(exact) if &matched[1] == "__name__" => name = exact,
                exact => labels.push((matched[1].to_owned(), exact)),
            }
        }
        // Braces inside a text select nothing.
        if !name.is_empty() {
            found.insert(Selector { name, labels });
        }
    }
    let bare = braced.replace_all(expr, " ");
    let bare = expression(r#""(?:[^"\\]|\\.)*""#).replace_all(&bare, " ");
    let bare = expression(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)").replace_all(&bare, " ");
    let bare = expression(r"\[[^\]]*\]").replace_all(&bare, " ");
    for captures in expression(r"([a-zA-Z_:][\w:]*)\s*(\()?").captures_iter(&bare) {
        if captures.get(2).is_none() && !WORDS.contains(&&captures[1]) {
            found.insert(Selector { name: captures[1].to_owned(), labels: Vec::new() });
        }
    }
    found
}

/// The labels that `expr` groups or joins by.
pub(super) fn groupings(expr: &str) -> BTreeSet<String> {
    let lists = expression(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)");
    let lists: Vec<String> = lists.captures_iter(expr).map(|captures| captures[1].to_owned()).collect();
    lists
        .iter()
        .flat_map(|list| list.split(','))
        .map(|label| label.trim().to_owned())
        .filter(|label| !label.is_empty())
        .collect()
}

#[test]
fn what_an_expression_names_is_found() {
    let expr = r#"histogram_quantile(0.99, sum by (pool, le) (rate(a_bucket{pool=~"$pool",code!="5{2}",x="y"}[5m]))) > on (z) group_left () max(b) or c:d"#;
    let named: Vec<_> = selectors(expr).into_iter().map(|one| (one.name, one.labels.len())).collect();
    assert_eq!(named, [("a_bucket".to_owned(), 3), ("b".to_owned(), 0), ("c:d".to_owned(), 0)]);
    assert_eq!(groupings(expr).into_iter().collect::<Vec<_>>(), ["le", "pool", "z"]);
}
