//! `HTTPMatchRequest` into compiled conditions.

use std::collections::BTreeMap;

use super::Alternative;
use crate::config::admission::is_claim;
use crate::config::checked::RouteMatch;
use crate::config::document::Document;
use crate::config::expressions::Expressions;
use crate::config::finding::{Findings, NO_EFFECT, remark};
use crate::config::gateways::full_name;
use crate::config::path::Path;
use crate::config::unexecuted::CLAIMS;
use crate::config::viewpoint::Callers;
use crate::config::written::{HttpMatchRequest, Sourced, StringMatch as Written, VirtualService};
use crate::domain::StringMatch;

/// Compiles every alternative of a rule.
pub(super) fn read(
    (source, expressions): (&Sourced<VirtualService>, &Expressions),
    written: &[HttpMatchRequest],
    path: &Path,
    findings: &mut Findings,
) -> Vec<Alternative> {
    let mut reader = Reader { source, document: &source.document, intact: source.intact, expressions, findings };
    let alternative = |(at, request): (usize, &HttpMatchRequest)| Alternative {
        conditions: reader.request(request, &path.index(at)),
        callers: callers(request, &source.document.namespace),
    };
    written.iter().enumerate().map(alternative).collect()
}

fn callers(request: &HttpMatchRequest, namespace: &str) -> Callers {
    Callers {
        gateways: request.gateways.iter().map(|gateway| full_name(gateway, namespace)).collect(),
        labels: request.source_labels.clone(),
        namespace: request.source_namespace.clone(),
    }
}

struct Reader<'a> {
    source: &'a Sourced<VirtualService>,
    document: &'a Document,
    /// Whether an empty match was written so, and not left by a fault that is reported.
    intact: bool,
    expressions: &'a Expressions,
    findings: &'a mut Findings,
}

type Conditions<'a> = &'a BTreeMap<String, Option<Written>>;

impl Reader<'_> {
    fn wrong(&mut self, path: &Path, message: impl Into<String>, cure: impl Into<String>) {
        self.source.refuse(path, remark(message, cure), self.findings);
    }

    fn request(&mut self, request: &HttpMatchRequest, path: &Path) -> RouteMatch {
        RouteMatch {
            name: request.name.clone(),
            uri: self.line(request.uri.as_ref(), &path.key("uri")),
            ignore_uri_case: request.ignore_uri_case,
            scheme: self.line(request.scheme.as_ref(), &path.key("scheme")),
            method: self.line(request.method.as_ref(), &path.key("method")),
            authority: self.line(request.authority.as_ref(), &path.key("authority")),
            port: request.port.filter(|port| *port != 0).and_then(|port| u16::try_from(port).ok()),
            headers: self.headers(&request.headers, &path.key("headers")),
            without_headers: self.headers(&request.without_headers, &path.key("withoutHeaders")),
            claims: self.claims(&request.headers, &path.key("headers")),
            without_claims: self.claims(&request.without_headers, &path.key("withoutHeaders")),
            query_params: self.query_params(&request.query_params, &path.key("queryParams")),
        }
    }

    fn line(&mut self, written: Option<&Written>, path: &Path) -> Option<StringMatch> {
        let written = written?;
        if *written == Written::default() && !self.intact {
            return None;
        }
        if *written == Written::default() {
            let said = remark(
                "An empty match here lets every request through.",
                "Write `exact`, `prefix` or `regex`, or take it out.",
            );
            self.findings.warning(NO_EFFECT, self.document.place(path), said);
            return None;
        }
        self.pattern(written, path)
    }

    fn headers(&mut self, written: Conditions<'_>, path: &Path) -> Vec<(http::HeaderName, StringMatch)> {
        let mut headers = Vec::new();
        for (name, value) in written.iter().filter(|(name, _)| !is_claim(name)) {
            let path = path.key(name);
            if matches!(name.as_str(), "uri" | "scheme" | "method" | "authority") {
                let said = remark(
                    format!("`{name}` is ignored among the headers."),
                    format!("Match it by the field `{name}` beside `headers`."),
                );
                self.findings.warning(NO_EFFECT, self.document.place_of_key(&path), said);
                continue;
            }
            let Ok(header) = http::HeaderName::from_bytes(name.as_bytes()) else {
                let cure = "Write letters, digits and `-`, without a colon or spaces.";
                self.wrong(&path, format!("`{name}` is no header name."), cure);
                continue;
            };
            headers.extend(self.optional(value.as_ref(), &path).map(|pattern| (header, pattern)));
        }
        headers
    }

    /// Istio compares claims with what its authentication has found in a request's token; without that there are none.
    fn claims(&mut self, written: Conditions<'_>, path: &Path) -> Vec<(String, StringMatch)> {
        let mut claims = Vec::new();
        for (name, value) in written.iter().filter(|(name, _)| is_claim(name)) {
            let path = path.key(name);
            let said = remark(
                format!(
                    "`{name}` is not executed: no request has claims here, as none has in Istio before a token is validated."
                ),
                "Validate tokens before this router, and match a header that is made of the claim.",
            );
            self.findings.not_executed(&CLAIMS, self.document.place_of_key(&path), said);
            claims.extend(self.optional(value.as_ref(), &path).map(|pattern| (name.clone(), pattern)));
        }
        claims
    }

    fn query_params(&mut self, written: Conditions<'_>, path: &Path) -> Vec<(String, StringMatch)> {
        let one = |(name, value): (&String, &Option<Written>)| {
            self.optional(value.as_ref(), &path.key(name)).map(|pattern| (name.clone(), pattern))
        };
        written.iter().filter_map(one).collect()
    }

    fn optional(&mut self, written: Option<&Written>, path: &Path) -> Option<StringMatch> {
        match written {
            None => Some(StringMatch::Present),
            Some(written) if *written == Written::default() => Some(StringMatch::Present),
            Some(Written { regex: Some(regex), .. }) if regex == "*" => Some(StringMatch::Present),
            Some(written) => self.pattern(written, path),
        }
    }

    fn pattern(&mut self, written: &Written, path: &Path) -> Option<StringMatch> {
        match written {
            Written { exact: Some(exact), .. } => Some(StringMatch::Exact(exact.as_str().into())),
            Written { prefix: Some(prefix), .. } => Some(StringMatch::Prefix(prefix.as_str().into())),
            Written { regex: Some(regex), .. } => self.regex(regex, &path.key("regex")),
            Written { exact: None, prefix: None, regex: None } => None,
        }
    }

    fn regex(&mut self, regex: &str, path: &Path) -> Option<StringMatch> {
        let pattern = self.expressions.whole(regex);
        if let Err(error) = &pattern {
            self.wrong(path, format!("This regex cannot be used: {error}."), error.cure());
        }
        pattern.ok()
    }
}
