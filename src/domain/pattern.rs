//! Istio's `StringMatch`, compiled.

mod re2;

use regex::Regex;

/// How a text is compared: Istio's `StringMatch`, with `Present` for the empty match that only asks for existence.
#[derive(Clone, Debug)]
pub enum StringMatch {
    /// The whole text, case-sensitive.
    Exact(Box<str>),
    /// The beginning of the text, case-sensitive; a plain string prefix, so `/foo` matches `/foobar`.
    Prefix(Box<str>),
    /// The whole text against an RE2 expression, anchored at both ends.
    Regex(Box<Expression>),
    /// Anything, so long as it is there.
    Present,
}

/// A compiled expression and its text.
#[derive(Clone, Debug)]
pub struct Expression {
    written: Box<str>,
    regex: Regex,
}

impl Expression {
    /// The expression as its document has it.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// Why a pattern is refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PatternError {
    /// Istio allows at most 1024 bytes in an expression.
    #[error("a regex has at most 1024 bytes, this one has {0}")]
    TooLong(usize),
    /// What it comes to is larger than any expression may be, which is found out only by compiling it.
    #[error("Compiled regex exceeds size limit of {MAX_REGEX_BYTES} bytes.")]
    TooLarge,
    /// The expression does not compile.
    #[error("{0}")]
    Syntax(String),
}

/// Istio's limit on a regex, in bytes (its validation package; RE2's own limit is on the compiled program).
const MAX_REGEX_LENGTH: usize = 1024;
/// What one compiled expression may occupy: enough for any sensible one, little enough that no document exhausts memory.
const MAX_REGEX_BYTES: usize = 1 << 20;
/// The sizes by which expressions are told apart: most fit the first, and to find that another is larger takes no longer than
/// to compile one of the size.
const SIZES: [usize; 3] = [1 << 13, 1 << 16, MAX_REGEX_BYTES];

impl StringMatch {
    /// Compiles `expression` to match whole texts.
    ///
    /// # Errors
    /// [`PatternError`] where it is too long or not a valid expression.
    pub fn regex(expression: &str) -> Result<Self, PatternError> {
        Self::measured_regex(expression).map(|(pattern, _)| pattern)
    }

    /// As [`StringMatch::regex`], with the bytes that it may occupy, rounded up to 8 KiB, 64 KiB or 1 MiB.
    ///
    /// # Errors
    /// The same.
    pub fn measured_regex(expression: &str) -> Result<(Self, usize), PatternError> {
        let (regex, bytes) = compile(&format!(r"\A(?:{})\z", translated(expression)?))?;
        Ok((Self::Regex(Box::new(Expression { written: expression.into(), regex })), bytes))
    }

    /// Compiles `expression` to find in texts what matches it; with the bytes that it may occupy, rounded up as above.
    ///
    /// # Errors
    /// [`PatternError`] where it is too long or not a valid expression.
    pub fn measured_search(expression: &str) -> Result<(Regex, usize), PatternError> {
        compile(&translated(expression)?)
    }

    /// Checks that Istio takes `expression`, whatever it would occupy here.
    ///
    /// # Errors
    /// [`PatternError`] where it is too long or not a valid expression.
    pub fn check(expression: &str) -> Result<(), PatternError> {
        translated(expression).map(drop)
    }

    /// Whether `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text == &**exact,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Regex(expression) => expression.regex.is_match(text),
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
            Self::Regex(expression) => write!(f, "regex {:?}", expression.written),
            Self::Present => f.write_str("present"),
        }
    }
}

fn translated(expression: &str) -> Result<String, PatternError> {
    if expression.len() > MAX_REGEX_LENGTH {
        return Err(PatternError::TooLong(expression.len()));
    }
    re2::translate(expression).map_err(PatternError::Syntax)
}

/// The program, and the least of [`SIZES`] that it fits.
fn compile(expression: &str) -> Result<(Regex, usize), PatternError> {
    let mut sizes = SIZES.into_iter();
    loop {
        let size = sizes.next().unwrap_or(MAX_REGEX_BYTES);
        match regex::RegexBuilder::new(expression).size_limit(size).build() {
            Ok(regex) => return Ok((regex, size)),
            Err(regex::Error::CompiledTooBig(_)) if size < MAX_REGEX_BYTES => {}
            Err(regex::Error::CompiledTooBig(_)) => return Err(PatternError::TooLarge),
            Err(error) => return Err(PatternError::Syntax(last_line(&error))),
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
