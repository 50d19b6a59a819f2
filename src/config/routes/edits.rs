//! Header operations and rewrites.

use std::collections::BTreeMap;

use http::uri::Authority;
use http::{HeaderName, HeaderValue};

use crate::config::finding::{NO_EFFECT, remark};
use crate::config::path::Path;
use crate::config::unexecuted::FORMATTERS;
use crate::config::written::{HeaderOperations, Headers as WrittenHeaders, HttpRewrite, RegexRewrite};
use crate::domain::{HeaderOps, Headers, PathRewrite, Rewrite};

use super::Reader;

/// What concerns one connection or the framing of one message: a router that let rules change it would break messages.
const OF_THE_CONNECTION: [&str; 8] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// Which way a header goes: only a request has an authority to set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Response,
}

fn is_authority(name: &str) -> bool {
    name.eq_ignore_ascii_case(":authority") || name.eq_ignore_ascii_case("host")
}

impl Reader<'_, '_> {
    pub(super) fn headers(&mut self, written: &WrittenHeaders, path: &Path) -> Headers {
        Headers {
            request: self.operations(&written.request, &path.key("request"), Way::Request),
            response: self.operations(&written.response, &path.key("response"), Way::Response),
            authority: None,
        }
    }

    fn operations(&mut self, written: &HeaderOperations, path: &Path, way: Way) -> HeaderOps {
        let mut ops = HeaderOps {
            set: self.pairs(&written.set, &path.key("set"), way),
            add: self.pairs(&written.add, &path.key("add"), way),
            remove: Vec::new(),
        };
        for (at, name) in written.remove.iter().enumerate() {
            ops.remove.extend(self.header_name(name, &path.key("remove").index(at)));
        }
        ops
    }

    fn pairs(&mut self, written: &BTreeMap<String, String>, path: &Path, way: Way) -> Vec<(HeaderName, HeaderValue)> {
        let mut pairs = Vec::new();
        for (name, value) in written {
            let path = path.key(name);
            if way == Way::Request && is_authority(name) {
                continue;
            }
            if value.is_empty() {
                let said = remark(
                    format!("An empty value does nothing: Envoy leaves `{name}` as it is."),
                    "Write a value, or name the header under `remove`.",
                );
                self.findings.warning(NO_EFFECT, self.source.document.place(&path), said);
                continue;
            }
            let name = self.header_name(name, &path);
            let value = self.header_value(value, &path);
            pairs.extend(name.zip(value));
        }
        pairs
    }

    fn header_name(&mut self, name: &str, path: &Path) -> Option<HeaderName> {
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            let cure = "Write letters, digits and `-`, without a colon or spaces.";
            self.wrong(path, format!("`{name}` is no header name."), cure);
            return None;
        };
        if OF_THE_CONNECTION.contains(&header.as_str()) {
            let said = remark(
                format!("`{header}` belongs to a connection or to the framing of a message, and is left as it is."),
                "Take it out.",
            );
            self.findings.warning(NO_EFFECT, self.source.document.place_of_key(path), said);
            return None;
        }
        Some(header)
    }

    fn header_value(&mut self, written: &str, path: &Path) -> Option<HeaderValue> {
        if written.matches('%').count() % 2 == 1 {
            let message = format!("`{written}` has a single `%`.");
            self.wrong(path, message, "Double it to `%%`, or put an Envoy variable between two of them.");
            return None;
        }
        let (text, formatters) = unescape(written);
        if let Some(first) = formatters.first() {
            let said = remark(
                format!("Envoy's `{first}` is not executed yet: it is sent as it is written."),
                "Write a fixed value, or double each `%` to mean the sign itself.",
            );
            self.findings.not_executed(&FORMATTERS, self.source.document.place(path), said);
        }
        let value = HeaderValue::from_str(&text).ok();
        if value.is_none() {
            self.wrong(path, format!("{text:?} is no header value."), "Write visible characters, spaces and tabs.");
        }
        value
    }

    /// The authority that `headers` set.
    pub(super) fn authority(&mut self, written: &WrittenHeaders, path: &Path) -> Option<Box<str>> {
        let request = &written.request;
        let set = request.set.iter().map(|pair| ("set", pair));
        let mut all = set.chain(request.add.iter().map(|pair| ("add", pair)));
        let (field, (name, value)) = all.find(|(_, (name, value))| is_authority(name) && !value.is_empty())?;
        self.authority_value(value, &path.key("request").key(field).key(name))
    }

    fn authority_value(&mut self, value: &str, path: &Path) -> Option<Box<str>> {
        if value.parse::<Authority>().is_err() {
            self.wrong(path, format!("`{value}` is no authority."), "Write a host, with a port if need be.");
            return None;
        }
        Some(value.into())
    }

    pub(super) fn rewrite(&mut self, written: &HttpRewrite, path: &Path) -> Rewrite {
        let authority = (!written.authority.is_empty())
            .then(|| self.authority_value(&written.authority, &path.key("authority")))
            .flatten();
        let uri = (!written.uri.is_empty()).then(|| PathRewrite::Matched(written.uri.as_str().into()));
        let regex = written.uri_regex_rewrite.as_ref();
        let regex = regex.and_then(|regex| self.regex_rewrite(regex, &path.key("uriRegexRewrite")));
        Rewrite { path: uri.or(regex), authority }
    }

    fn regex_rewrite(&mut self, written: &RegexRewrite, path: &Path) -> Option<PathRewrite> {
        let pattern = match self.documents.expressions.parts(&written.pattern) {
            Ok(pattern) => Box::new(pattern),
            Err(error) => {
                self.wrong(&path.key("match"), format!("This regex cannot be used: {error}."), error.cure());
                return None;
            }
        };
        let Some(substitution) = replacement(&written.rewrite, pattern.captures_len()) else {
            let message = format!("`{}` names a group that the expression does not have.", written.rewrite);
            self.wrong(&path.key("rewrite"), message, r"Name groups as `\1`, and double a backslash that is meant.");
            return None;
        };
        Some(PathRewrite::Regex { pattern, substitution: substitution.into() })
    }
}

/// `%%` as the sign that it stands for, and the formatters, which stay as they are.
fn unescape(written: &str) -> (String, Vec<&str>) {
    let (mut text, mut formatters, mut rest) = (String::new(), Vec::new(), written);
    while let Some(start) = rest.find('%') {
        let length = rest[start + 1..].find('%').map_or(rest.len() - start, |end| end + 2);
        let (before, formatter) = (&rest[..start], &rest[start..start + length]);
        text.push_str(before);
        if formatter == "%%" {
            text.push('%');
        } else {
            text.push_str(formatter);
            formatters.push(formatter);
        }
        rest = &rest[start + length..];
    }
    text.push_str(rest);
    (text, formatters)
}

/// RE2's syntax of replacements (`\0` to `\9`, `\\`) in that of the `regex` crate; `None` where RE2 would refuse it.
fn replacement(written: &str, groups: usize) -> Option<String> {
    let mut replacement = String::new();
    let mut characters = written.chars();
    while let Some(character) = characters.next() {
        match character {
            '$' => replacement.push_str("$$"),
            '\\' => match characters.next()? {
                '\\' => replacement.push('\\'),
                digit => {
                    let group =
                        digit.to_digit(10).filter(|group| usize::try_from(*group).is_ok_and(|at| at < groups))?;
                    replacement.extend(["${", &group.to_string(), "}"]);
                }
            },
            other => replacement.push(other),
        }
    }
    Some(replacement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_are_envoys() {
        for (written, text, formatters) in [
            ("plain", "plain", vec![]),
            ("100%%", "100%", vec![]),
            ("%PROTOCOL% %%%REQ(x)%", "%PROTOCOL% %%REQ(x)%", vec!["%PROTOCOL%", "%REQ(x)%"]),
        ] {
            assert_eq!(unescape(written), (text.to_owned(), formatters), "{written}");
        }
    }

    #[test]
    fn replacements_are_re2s() {
        for (written, expected) in [
            (r"\2/instance/\1", Some("${2}/instance/${1}")),
            (r"\0x$1\\", Some(r"${0}x$$1\")),
            (r"\3", None),
            (r"\x", None),
            (r"a\", None),
        ] {
            assert_eq!(replacement(written, 3).as_deref(), expected, "{written}");
        }
    }
}
