//! `HTTPMatchRequest` into compiled conditions.

use std::collections::BTreeMap;

use super::Alternative;
use crate::config::checked::RouteMatch;
use crate::config::document::Document;
use crate::config::finding::{Findings, INEFFECTIVE, remark};
use crate::config::gateways::full_name;
use crate::config::path::Path;
use crate::config::viewpoint::Callers;
use crate::config::written::{HttpMatchRequest, Sourced, StringMatch as Written, VirtualService};
use crate::domain::StringMatch;

/// Compiles every alternative of a rule.
pub(super) fn read(
    source: &Sourced<VirtualService>,
    written: &[HttpMatchRequest],
    path: &Path,
    findings: &mut Findings,
) -> Vec<Alternative> {
    let mut reader = Reader { source, document: &source.document, intact: source.intact, findings };
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

/// What an empty match means where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The path: an empty prefix is allowed and matches everything.
    Uri,
    /// Another part of the request's head that is always there.
    Line,
    /// Something that may be absent: the empty match and the regex `*` ask whether it is there.
    Optional,
}

struct Reader<'a> {
    source: &'a Sourced<VirtualService>,
    document: &'a Document,
    /// Whether an empty match was written so, and not left by a fault that is reported.
    intact: bool,
    findings: &'a mut Findings,
}

type Conditions<'a> = &'a BTreeMap<String, Option<Written>>;

impl Reader<'_> {
    fn wrong(&mut self, path: &Path, message: impl Into<String>, cure: impl Into<String>) {
        self.source.refuse(path, remark(message, cure), self.findings);
    }

    fn request(&mut self, request: &HttpMatchRequest, path: &Path) -> RouteMatch {
        let port = request.port.filter(|port| *port != 0).map(u16::try_from);
        if let Some(Err(_)) = port {
            self.wrong(&path.key("port"), "A port is at most 65535.", "Write a number from 1 to 65535.");
        }
        RouteMatch {
            name: request.name.clone(),
            uri: self.line(request.uri.as_ref(), &path.key("uri"), Role::Uri),
            ignore_uri_case: request.ignore_uri_case,
            scheme: self.line(request.scheme.as_ref(), &path.key("scheme"), Role::Line),
            method: self.line(request.method.as_ref(), &path.key("method"), Role::Line),
            authority: self.line(request.authority.as_ref(), &path.key("authority"), Role::Line),
            port: port.and_then(Result::ok),
            headers: self.headers(&request.headers, &path.key("headers")),
            without_headers: self.headers(&request.without_headers, &path.key("withoutHeaders")),
            query_params: self.query_params(&request.query_params, &path.key("queryParams")),
        }
    }

    fn line(&mut self, written: Option<&Written>, path: &Path, role: Role) -> Option<StringMatch> {
        let written = written?;
        if *written == Written::default() && !self.intact {
            return None;
        }
        if *written == Written::default() {
            let said = remark(
                "An empty match here lets every request through.",
                "Write `exact`, `prefix` or `regex`, or take it out.",
            );
            self.findings.warning(INEFFECTIVE, self.document.place(path), said);
            return None;
        }
        self.pattern(written, path, role)
    }

    fn headers(&mut self, written: Conditions<'_>, path: &Path) -> Vec<(http::HeaderName, StringMatch)> {
        let mut headers = Vec::new();
        for (name, value) in written {
            let path = path.key(name);
            if matches!(name.as_str(), "uri" | "scheme" | "method" | "authority") {
                let said = remark(
                    format!("`{name}` is ignored among the headers."),
                    format!("Match it by the field `{name}` beside `headers`."),
                );
                self.findings.warning(INEFFECTIVE, self.document.place_of_key(&path), said);
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
            Some(written) => self.pattern(written, path, Role::Optional),
        }
    }

    fn pattern(&mut self, written: &Written, path: &Path, role: Role) -> Option<StringMatch> {
        match written {
            Written { exact: Some(exact), .. } => Some(StringMatch::Exact(exact.as_str().into())),
            Written { prefix: Some(prefix), .. } if prefix.is_empty() && role != Role::Uri => {
                let cure = "Write the beginning to match; `{}` asks for presence alone.";
                self.wrong(&path.key("prefix"), "The prefix is empty.", cure);
                None
            }
            Written { prefix: Some(prefix), .. } => Some(StringMatch::Prefix(prefix.as_str().into())),
            Written { regex: Some(regex), .. } => self.regex(regex, &path.key("regex"), role),
            Written { exact: None, prefix: None, regex: None } => None,
        }
    }

    fn regex(&mut self, regex: &str, path: &Path, role: Role) -> Option<StringMatch> {
        if regex == "*" && role == Role::Optional {
            return Some(StringMatch::Present);
        }
        if regex.is_empty() {
            self.wrong(path, "The regex is empty.", "Write an RE2 expression for the whole text.");
            return None;
        }
        let pattern = StringMatch::regex(regex);
        if let Err(error) = &pattern {
            self.wrong(
                path,
                format!("This regex cannot be used: {error}."),
                "Write an RE2 expression of at most 1024 characters.",
            );
        }
        pattern.ok()
    }
}
