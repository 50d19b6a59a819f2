//! Rewrites of a request's path.

use crate::domain::PathRewrite;

/// The path that `path` becomes; `rest` is what stands behind the part of it that matched. It begins with `/`, without
/// which it would be no request target.
pub fn rewrite_path(rewrite: &PathRewrite, path: &str, rest: &str) -> String {
    let rewritten = match rewrite {
        PathRewrite::Matched(replacement) => format!("{replacement}{rest}"),
        PathRewrite::Regex { pattern, substitution } => pattern.replace_all(path, &**substitution).into_owned(),
    };
    if rewritten.starts_with('/') { rewritten } else { format!("/{rewritten}") }
}

/// `path` with the query of the request, if it has one.
pub fn with_query(path: String, query: Option<&str>) -> String {
    match query {
        Some(query) => path + "?" + query,
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    #[test]
    fn paths_are_rewritten_as_envoy_does() {
        let matched = |text: &str| PathRewrite::Matched(text.into());
        let regex = |pattern: &str, substitution: &str| PathRewrite::Regex {
            pattern: Box::new(Regex::new(pattern).expect("a valid expression")),
            substitution: substitution.into(),
        };
        for (rewrite, path, rest, expected) in [
            (matched("/v2"), "/v1/embeddings", "/embeddings", "/v2/embeddings"),
            (matched("/"), "/v1/embeddings", "embeddings", "/embeddings"),
            (matched("/"), "/v1/x", "/x", "//x"),
            (matched("v2"), "/v1", "", "/v2"),
            (regex("^/service/([^/]+)(/.*)$", "${2}/instance/${1}"), "/service/foo/v1/api", "", "/v1/api/instance/foo"),
            (regex("one", "two"), "/xxx/one/yyy/one/zzz", "", "/xxx/two/yyy/two/zzz"),
            (regex("never", "x"), "/a", "", "/a"),
        ] {
            assert_eq!(rewrite_path(&rewrite, path, rest), expected, "{rewrite:?} of {path}");
        }
    }
}
