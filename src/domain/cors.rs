//! Istio's `CorsPolicy`, with its lists as the header values that they become.

use http::HeaderValue;

use super::StringMatch;

/// What scripts of other origins may do.
#[derive(Clone, Debug, Default)]
pub struct CorsPolicy {
    /// The origins that are allowed; `*` among them allows every one.
    pub allow_origins: Vec<StringMatch>,
    /// `Access-Control-Allow-Methods`.
    pub allow_methods: Option<HeaderValue>,
    /// `Access-Control-Allow-Headers`.
    pub allow_headers: Option<HeaderValue>,
    /// `Access-Control-Expose-Headers`.
    pub expose_headers: Option<HeaderValue>,
    /// `Access-Control-Max-Age`, in seconds.
    pub max_age: Option<HeaderValue>,
    /// Whether a script may send credentials.
    pub allow_credentials: bool,
    /// What becomes of a preflight whose origin is not allowed.
    pub unmatched: UnmatchedPreflights,
}

/// What becomes of a preflight whose origin is not allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnmatchedPreflights {
    /// It goes to the destination, as any request: Istio's default.
    #[default]
    Forward,
    /// It is answered without a permission.
    Ignore,
}

impl CorsPolicy {
    /// Whether scripts of `origin` are allowed. As in Envoy, a pattern that matches `*` matches everything.
    pub fn allows(&self, origin: &str) -> bool {
        self.allow_origins.iter().any(|pattern| pattern.matches("*") || pattern.matches(origin))
    }
}
