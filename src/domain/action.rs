//! What a rule does to a request beside choosing its destination: header operations, rewrites and answers of its own.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use regex::Regex;

/// Istio's `HeaderOperations`, in the order in which they take effect: what is removed, then what is set, then what is
/// added (Envoy's order; by name within each).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderOps {
    /// Headers that are taken out.
    pub remove: Vec<HeaderName>,
    /// Headers that replace whatever was there.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Headers that stand beside whatever was there.
    pub add: Vec<(HeaderName, HeaderValue)>,
}

impl HeaderOps {
    /// Whether they do nothing.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// Both in one, each kind of operation behind that of `self`.
    #[must_use]
    pub fn joined(mut self, other: &Self) -> Self {
        self.remove.extend_from_slice(&other.remove);
        self.set.extend_from_slice(&other.set);
        self.add.extend_from_slice(&other.add);
        self
    }
}

/// Istio's `Headers`: operations both ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Operations on the request as it goes to an endpoint.
    pub request: HeaderOps,
    /// Operations on the answer as it goes to the client.
    pub response: HeaderOps,
    /// The value that `Host` or `:authority` is set to, which rewrites the authority.
    pub authority: Option<Box<str>>,
}

impl Headers {
    /// Whether they do nothing.
    pub fn is_empty(&self) -> bool {
        self.request.is_empty() && self.response.is_empty() && self.authority.is_none()
    }

    /// Both in one: the operations of `other` behind those of `self`, whose authority counts where it has one.
    #[must_use]
    pub fn joined(self, other: &Self) -> Self {
        Self {
            request: self.request.joined(&other.request),
            response: self.response.joined(&other.response),
            authority: self.authority.or_else(|| other.authority.clone()),
        }
    }
}

/// How a path is rewritten; the query stays as it is.
#[derive(Clone, Debug)]
pub enum PathRewrite {
    /// Replaces the prefix that matched, or the whole path where it was matched exactly or by an expression.
    Matched(Box<str>),
    /// Replaces every match of an expression.
    Regex {
        /// The expression, not anchored.
        pattern: Box<Regex>,
        /// What each match becomes, in the `regex` crate's syntax of replacements.
        substitution: Box<str>,
    },
}

/// Istio's `HTTPRewrite`.
#[derive(Clone, Debug, Default)]
pub struct Rewrite {
    /// What becomes of the path.
    pub path: Option<PathRewrite>,
    /// What `Host` or `:authority` becomes.
    pub authority: Option<Box<str>>,
}

impl Rewrite {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.path.is_none() && self.authority.is_none()
    }
}

/// An answer that a rule gives itself, in place of a destination's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnAnswer {
    /// Istio's `HTTPRedirect`.
    Redirect(Redirect),
    /// Istio's `HTTPDirectResponse`.
    Direct(DirectResponse),
}

/// Where a client is sent instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub code: StatusCode,
    /// The new scheme; without one it stays.
    pub scheme: Option<Box<str>>,
    /// The new host, with its port if it has one; without one the request's stays.
    pub authority: Option<Box<str>>,
    /// The new port.
    pub port: Option<RedirectPort>,
    /// The new path.
    pub path: Option<RedirectPath>,
}

/// The port of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectPort {
    /// This port.
    Number(u16),
    /// The port that the request came in on.
    OfRequest,
    /// The one that the request's authority has, were it the default of another scheme: a Gateway's `httpsRedirect`.
    Kept,
}

/// The path of a redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectPath {
    /// Replaces the whole path; the request's query stays unless the text has one.
    Whole(Box<str>),
    /// Replaces what matched of the path; the query stays.
    Prefix(Box<str>),
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectResponse {
    /// The status.
    pub status: StatusCode,
    /// The body; empty for none.
    pub body: Bytes,
}
