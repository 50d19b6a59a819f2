//! Istio's `StringMatch`, compiled.

use regex::Regex;

/// How a text is compared: Istio's `StringMatch`, with `Present` for the empty match that only asks for existence.
#[derive(Clone, Debug)]
pub enum StringMatch {
    /// The whole text, case-sensitive.
    Exact(Box<str>),
    /// The beginning of the text, case-sensitive; a plain string prefix, so `/foo` matches `/foobar`.
    Prefix(Box<str>),
    /// The whole text against an RE2 expression, anchored at both ends.
    Regex(Box<Regex>),
    /// Anything, so long as it is there.
    Present,
}

/// Why a pattern is refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PatternError {
    /// Istio allows at most 1024 characters in an expression.
    #[error("a regex has at most 1024 characters, this one has {0}")]
    TooLong(usize),
    /// The expression does not compile.
    #[error("the regex does not compile: {0}")]
    Syntax(String),
}

/// Istio's limit on a regex (`security.MaxRegexLength` of its validation package).
const MAX_REGEX_CHARS: usize = 1024;
/// What one compiled expression may occupy: enough for any sensible one, little enough that no document exhausts memory.
const MAX_REGEX_BYTES: usize = 1 << 20;

impl StringMatch {
    /// Compiles `expression` to match whole texts.
    ///
    /// # Errors
    /// [`PatternError`] where it is too long or not a valid expression.
    pub fn regex(expression: &str) -> Result<Self, PatternError> {
        let chars = expression.chars().count();
        if chars > MAX_REGEX_CHARS {
            return Err(PatternError::TooLong(chars));
        }
        // RE2 syntax is nearly this crate's; compiling the bare text first keeps errors free of the anchors around it.
        Regex::new(expression).map_err(|error| PatternError::Syntax(last_line(&error)))?;
        regex::RegexBuilder::new(&format!(r"\A(?:{expression})\z"))
            .size_limit(MAX_REGEX_BYTES)
            .build()
            .map(|regex| Self::Regex(Box::new(regex)))
            .map_err(|error| PatternError::Syntax(last_line(&error)))
    }

    /// Whether `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text == &**exact,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Regex(regex) => regex.is_match(text),
            Self::Present => true,
        }
    }

    /// Whether `text` matches when upper and lower case are the same (Istio's `ignoreUriCase`, which leaves expressions alone).
    pub fn matches_ignoring_case(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text.eq_ignore_ascii_case(exact),
            Self::Prefix(prefix) => text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
            Self::Regex(_) | Self::Present => self.matches(text),
        }
    }
}

impl std::fmt::Display for StringMatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(exact) => write!(f, "exact {exact:?}"),
            Self::Prefix(prefix) => write!(f, "prefix {prefix:?}"),
            Self::Regex(regex) => {
                let anchored = regex.as_str();
                let written = anchored.strip_prefix(r"\A(?:").and_then(|rest| rest.strip_suffix(r")\z"));
                write!(f, "regex {:?}", written.unwrap_or(anchored))
            }
            Self::Present => f.write_str("present"),
        }
    }
}

fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regex_matches_whole_texts_only() {
        let either = StringMatch::regex("a|bc").expect("a valid expression");
        assert!(either.matches("a") && either.matches("bc"));
        assert!(!either.matches("abc") && !either.matches("a\n"));
        assert_eq!(either.to_string(), r#"regex "a|bc""#);
    }

    #[test]
    fn a_bad_regex_says_why() {
        assert!(matches!(StringMatch::regex("a)(b"), Err(PatternError::Syntax(_))));
        assert!(matches!(StringMatch::regex(&"a".repeat(1025)), Err(PatternError::TooLong(1025))));
    }

    #[test]
    fn case_is_ignored_in_plain_patterns_alone() {
        assert!(StringMatch::Prefix("/V1/".into()).matches_ignoring_case("/v1/embeddings"));
        assert!(!StringMatch::Prefix("/v1/é".into()).matches_ignoring_case("/v1/a"));
        assert!(!StringMatch::regex("/V1").expect("a valid expression").matches_ignoring_case("/v1"));
    }
}
