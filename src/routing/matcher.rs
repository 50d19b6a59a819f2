//! Whether a request meets a rule's conditions, and which one it fails.

use std::fmt;

use http::HeaderName;

use super::{Head, lines};
use crate::domain::StringMatch;

/// One condition on a request: a field of Istio's `HTTPMatchRequest`.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The path, without the query.
    Uri(StringMatch),
    /// The path, upper and lower case being the same.
    UriIgnoringCase(StringMatch),
    /// The scheme.
    Scheme(StringMatch),
    /// The method.
    Method(StringMatch),
    /// The Host header or `:authority`.
    Authority(StringMatch),
    /// The port on which the request came in.
    Port(u16),
    /// A header must match.
    Header(HeaderName, StringMatch),
    /// A header must not match; one that is missing counts as empty, except where only its presence is asked for.
    WithoutHeader(HeaderName, StringMatch),
    /// A claim of a validated token must match, which never is: tokens are not validated here, so no request has claims.
    Claim(Box<str>, StringMatch),
    /// A query parameter must match.
    QueryParam(Box<str>, StringMatch),
}

impl Condition {
    /// Whether `head` meets this condition.
    pub fn holds(&self, head: &Head<'_>) -> bool {
        match self {
            Self::Uri(pattern) => pattern.matches(head.path),
            Self::UriIgnoringCase(pattern) => pattern.matches_ignoring_case(head.path),
            Self::Scheme(pattern) => pattern.matches(head.scheme),
            Self::Method(pattern) => pattern.matches(head.method.as_str()),
            Self::Authority(pattern) => pattern.matches(head.authority),
            Self::Port(port) => head.port == *port,
            Self::Header(name, pattern) => lines::matches(&head.headers.get_all(name), pattern).unwrap_or(false),
            Self::WithoutHeader(name, StringMatch::Present) => !head.headers.contains_key(name),
            Self::WithoutHeader(name, pattern) => {
                !lines::matches(&head.headers.get_all(name), pattern).unwrap_or_else(|| pattern.matches(""))
            }
            Self::Claim(..) => false,
            Self::QueryParam(name, pattern) => head.query_param(name).is_some_and(|value| pattern.matches(value)),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(pattern) => write!(f, "uri {pattern}"),
            Self::UriIgnoringCase(pattern) => write!(f, "uri {pattern} ignoring case"),
            Self::Scheme(pattern) => write!(f, "scheme {pattern}"),
            Self::Method(pattern) => write!(f, "method {pattern}"),
            Self::Authority(pattern) => write!(f, "authority {pattern}"),
            Self::Port(port) => write!(f, "port {port}"),
            Self::Header(name, pattern) => write!(f, "header {name} {pattern}"),
            Self::WithoutHeader(name, pattern) => write!(f, "without header {name} {pattern}"),
            Self::Claim(name, pattern) => write!(f, "claim {name} {pattern}"),
            Self::QueryParam(name, pattern) => write!(f, "query parameter {name} {pattern}"),
        }
    }
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    conditions: Box<[Condition]>,
}

impl Matcher {
    /// A matcher that holds when each of `conditions` does; with none it always holds.
    pub fn new(conditions: Vec<Condition>) -> Self {
        Self { conditions: conditions.into_boxed_slice() }
    }

    /// Whether `head` meets every condition.
    ///
    /// # Errors
    /// The first condition that does not hold.
    pub fn check(&self, head: &Head<'_>) -> Result<(), &Condition> {
        self.conditions.iter().find(|condition| !condition.holds(head)).map_or(Ok(()), Err)
    }

    /// What the path must be, where it is compared as it is.
    pub(super) fn path(&self) -> Option<&StringMatch> {
        self.conditions.iter().find_map(|condition| match condition {
            Condition::Uri(pattern) => Some(pattern),
            _ => None,
        })
    }

    /// What stands behind the part of `path` that this matcher matched, for a rewrite to keep: what follows the prefix, or
    /// nothing where the whole path was compared. Without a condition on the path, Istio's match is the prefix `/`.
    pub fn rest<'p>(&self, path: &'p str) -> &'p str {
        let uri = self.conditions.iter().find_map(|condition| match condition {
            Condition::Uri(pattern) | Condition::UriIgnoringCase(pattern) => Some(pattern),
            _ => None,
        });
        let matched = match uri {
            None => "/",
            Some(StringMatch::Prefix(prefix)) => prefix,
            Some(StringMatch::Exact(_) | StringMatch::Regex(_) | StringMatch::Present) => path,
        };
        path.get(matched.len()..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, Method};

    fn holds(condition: &Condition, headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        condition.holds(&Head {
            method: &Method::POST,
            scheme: "http",
            authority: "a.b:8080",
            path: "/v1/embeddings",
            query: Some("model=x&debug"),
            headers: &map,
            port: 8080,
            server_name: None,
        })
    }

    #[test]
    fn a_rewrite_keeps_what_follows_the_prefix() {
        let path = "/v1/x";
        for (conditions, rest) in [
            (vec![], "v1/x"),
            (vec![Condition::Port(1), Condition::Uri(StringMatch::Prefix("/v1".into()))], "/x"),
            (vec![Condition::UriIgnoringCase(StringMatch::Prefix("/V1/".into()))], "x"),
            (vec![Condition::Uri(StringMatch::Exact(path.into()))], ""),
            (vec![Condition::Uri(StringMatch::regex("/v.*").expect("a valid expression"))], ""),
        ] {
            assert_eq!(Matcher::new(conditions.clone()).rest(path), rest, "{conditions:?}");
        }
    }

    #[test]
    fn conditions_follow_istio() {
        let exact = |text: &str| StringMatch::Exact(text.into());
        let name = HeaderName::from_static;
        for (condition, headers, expected) in [
            (Condition::Uri(StringMatch::Prefix("/v1".into())), vec![], true),
            (Condition::Uri(exact("/V1/embeddings")), vec![], false),
            (Condition::UriIgnoringCase(exact("/V1/embeddings")), vec![], true),
            (Condition::Authority(exact("a.b:8080")), vec![], true),
            (Condition::Port(80), vec![], false),
            (Condition::Header(name("x-a"), exact("1")), vec![("x-a", "1")], true),
            (Condition::Header(name("x-a"), exact("1,2")), vec![("x-a", "1"), ("x-a", "2")], true),
            (Condition::Header(name("x-a"), StringMatch::Present), vec![], false),
            (Condition::Header(name("x-a"), exact("")), vec![], false),
            (Condition::WithoutHeader(name("x-a"), StringMatch::Present), vec![], true),
            (Condition::WithoutHeader(name("x-a"), StringMatch::Present), vec![("x-a", "")], false),
            (Condition::WithoutHeader(name("x-a"), exact("1")), vec![], true),
            (Condition::WithoutHeader(name("x-a"), exact("1")), vec![("x-a", "1")], false),
            (Condition::WithoutHeader(name("x-a"), exact("")), vec![], false),
            (Condition::Claim("@request.auth.claims.sub".into(), StringMatch::Present), vec![], false),
            (Condition::QueryParam("debug".into(), exact("")), vec![], true),
            (Condition::QueryParam("model".into(), StringMatch::Present), vec![], true),
            (Condition::QueryParam("other".into(), StringMatch::Present), vec![], false),
        ] {
            assert_eq!(holds(&condition, &headers), expected, "{condition} over {headers:?}");
        }
    }
}
