//! Requests of other origins: which are preflights, and what their answers permit.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    ORIGIN,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::domain::{CorsPolicy, UnmatchedPreflights};

/// What a policy makes of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cors {
    /// Nothing: it is of no other origin, or of one that is not allowed.
    Pass,
    /// Its answer is to permit this origin.
    Permit(HeaderValue),
    /// It is a preflight, to be answered at once with these headers.
    Preflight(HeaderMap),
}

/// Holds a request against `policy`.
pub fn cors(policy: &CorsPolicy, method: &Method, headers: &HeaderMap) -> Cors {
    let Some(origin) = headers.get(ORIGIN).filter(|origin| !origin.is_empty()) else { return Cors::Pass };
    let asks = headers.get(ACCESS_CONTROL_REQUEST_METHOD).is_some_and(|asked| !asked.is_empty());
    let preflight = method == Method::OPTIONS && asks;
    let allowed = std::str::from_utf8(origin.as_bytes()).is_ok_and(|origin| policy.allows(origin));
    match (preflight, allowed) {
        (false, true) => Cors::Permit(origin.clone()),
        (true, true) => Cors::Preflight(permission(policy, origin)),
        (true, false) if policy.unmatched == UnmatchedPreflights::Ignore => Cors::Preflight(HeaderMap::new()),
        (_, false) => Cors::Pass,
    }
}

fn permission(policy: &CorsPolicy, origin: &HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::new();
    allow(policy, origin, &mut headers);
    let fields = [
        (ACCESS_CONTROL_ALLOW_METHODS, &policy.allow_methods),
        (ACCESS_CONTROL_ALLOW_HEADERS, &policy.allow_headers),
        (ACCESS_CONTROL_MAX_AGE, &policy.max_age),
    ];
    headers.extend(fields.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    headers
}

fn allow(policy: &CorsPolicy, origin: &HeaderValue, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if policy.allow_credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

/// Says on the answer to a permitted request what its script may read.
pub fn permit(policy: &CorsPolicy, origin: &HeaderValue, headers: &mut HeaderMap) {
    allow(policy, origin, headers);
    if let Some(exposed) = &policy.expose_headers {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::StringMatch;

    #[test]
    fn only_allowed_origins_are_permitted() {
        let policy = |unmatched| CorsPolicy {
            allow_origins: vec![StringMatch::Exact("https://a.b".into()), StringMatch::Prefix("http://dev.".into())],
            unmatched,
            ..CorsPolicy::default()
        };
        let verdict = |unmatched, method: &Method, origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.extend(origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))));
            headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PUT"));
            cors(&policy(unmatched), method, &headers)
        };
        let (forward, ignore) = (UnmatchedPreflights::Forward, UnmatchedPreflights::Ignore);
        let origin = HeaderValue::from_static("https://a.b");
        assert_eq!(verdict(forward, &Method::OPTIONS, None), Cors::Pass);
        assert_eq!(verdict(forward, &Method::GET, Some("https://a.b")), Cors::Permit(origin));
        assert_eq!(verdict(forward, &Method::GET, Some("https://a.bc")), Cors::Pass);
        assert!(
            matches!(verdict(forward, &Method::OPTIONS, Some("http://dev.x")), Cors::Preflight(headers) if headers.len() == 1)
        );
        assert_eq!(verdict(forward, &Method::OPTIONS, Some("https://c.d")), Cors::Pass);
        assert_eq!(verdict(ignore, &Method::OPTIONS, Some("https://c.d")), Cors::Preflight(HeaderMap::new()));
    }
}
