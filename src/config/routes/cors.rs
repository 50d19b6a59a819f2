//! CORS policies.

use http::HeaderValue;

use crate::config::path::Path;
use crate::config::written::{CorsPolicy as Written, StringMatch as WrittenMatch};
use crate::domain::{CorsPolicy, StringMatch, UnmatchedPreflights, parse_duration};

use super::Reader;

impl Reader<'_, '_> {
    pub(super) fn cors(&mut self, written: &Written, path: &Path) -> CorsPolicy {
        let mut allow_origins = Vec::new();
        for (at, origin) in written.allow_origins.iter().enumerate() {
            allow_origins.extend(self.origin(origin, &path.key("allowOrigins").index(at)));
        }
        if written.allow_origins.is_empty() {
            allow_origins.extend(written.allow_origin.iter().map(|origin| StringMatch::Exact(origin.as_str().into())));
        }
        let max_age = written.max_age.as_deref().and_then(|text| parse_duration(text).ok());
        CorsPolicy {
            allow_origins,
            allow_methods: self.listed(&written.allow_methods, &path.key("allowMethods")),
            allow_headers: self.listed(&written.allow_headers, &path.key("allowHeaders")),
            expose_headers: self.listed(&written.expose_headers, &path.key("exposeHeaders")),
            max_age: max_age.map(|age| HeaderValue::from(age.as_secs())),
            allow_credentials: written.allow_credentials,
            unmatched: match written.unmatched_preflights.as_deref() {
                Some("IGNORE") => UnmatchedPreflights::Ignore,
                _ => UnmatchedPreflights::Forward,
            },
        }
    }

    fn origin(&mut self, written: &WrittenMatch, path: &Path) -> Option<StringMatch> {
        match written {
            WrittenMatch { exact: Some(exact), .. } => Some(StringMatch::Exact(exact.as_str().into())),
            WrittenMatch { prefix: Some(prefix), .. } => Some(StringMatch::Prefix(prefix.as_str().into())),
            WrittenMatch { regex: Some(regex), .. } => {
                let pattern = self.documents.expressions.whole(regex);
                if let Err(error) = &pattern {
                    self.wrong(&path.key("regex"), format!("This regex cannot be used: {error}."), error.cure());
                }
                pattern.ok()
            }
            WrittenMatch { exact: None, prefix: None, regex: None } => None,
        }
    }

    fn listed(&mut self, written: &[String], path: &Path) -> Option<HeaderValue> {
        let value = HeaderValue::from_str(&written.join(","));
        if value.is_err() {
            self.wrong(path, "A name here cannot stand in a header.", "Write letters, digits and `-`.");
        }
        value.ok().filter(|value| !value.is_empty())
    }
}
