//! Paths in their normal form, as Envoy makes it where Istio asks for its default (`pathNormalization: BASE`).
//!
//! The rules are those of the URL library that Envoy uses: dot segments are resolved (RFC 3986, section 5.2.4), a `\` is a
//! `/`, escaped unreserved characters (section 2.3) stand for themselves, and characters that a path cannot hold are
//! escaped. Slashes in a row stay, and so do escaped slashes and the case of escapes.

use std::borrow::Cow;

use http::Uri;

use super::with_query;

/// A path without a normal form: Envoy refuses its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its path holds `%00`, or is too long once all that needs it is escaped")]
pub struct UnusablePath;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// `uri` with its path in the normal form and its query as it is; `None` where that is `uri` itself.
///
/// # Errors
/// [`UnusablePath`] where the path has no normal form.
pub fn normal_uri(uri: &Uri) -> Result<Option<Uri>, UnusablePath> {
    let path = match normal_path(uri.path())? {
        Cow::Borrowed(_) => return Ok(None),
        Cow::Owned(path) => path,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(with_query(path, uri.query()).try_into().map_err(|_| UnusablePath)?);
    Uri::from_parts(parts).map(Some).map_err(|_| UnusablePath)
}

/// The normal form of `path`, which has no query. What does not begin with `/`, as the `*` of OPTIONS, is left alone.
fn normal_path(path: &str) -> Result<Cow<'_, str>, UnusablePath> {
    if !path.starts_with('/') || is_plain(path) {
        return Ok(Cow::Borrowed(path));
    }
    let mut normal = Normal { input: path.as_bytes(), at: 0, output: String::with_capacity(path.len()), stray: None };
    while normal.at < path.len() {
        normal.step()?;
    }
    Ok(if normal.output == path { Cow::Borrowed(path) } else { Cow::Owned(normal.output) })
}

/// Whether nothing of `path` needs a look: no segment begins with a dot, and every character stands for itself.
fn is_plain(path: &str) -> bool {
    let mut before = b'/';
    path.bytes().all(|byte| {
        let plain = STANDS_FOR_ITSELF[usize::from(byte)] && !(byte == b'.' && before == b'/');
        before = byte;
        plain
    })
}

/// By byte, so that most paths cost a look-up a byte and nothing else.
const STANDS_FOR_ITSELF: [bool; 256] = {
    let (mut table, mut at) = ([false; 256], 0_u8);
    while at < 0x7f {
        table[at as usize] = !matches!(at, b'%' | b'\\') && !is_escaped(at);
        at += 1;
    }
    table
};

/// Whether a path holds `byte` only in its escaped form.
const fn is_escaped(byte: u8) -> bool {
    !byte.is_ascii_graphic() || matches!(byte, b'"' | b'#' | b'<' | b'>' | b'?' | b'^' | b'`' | b'{' | b'|' | b'}')
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// A path on its way to its normal form, which is ASCII.
struct Normal<'p> {
    input: &'p [u8],
    at: usize,
    output: String,
    /// Where in the output a `%` stands that begins no escape, if there is one.
    stray: Option<usize>,
}

impl Normal<'_> {
    fn step(&mut self) -> Result<(), UnusablePath> {
        let byte = self.input[self.at];
        if let Some(after) = self.dot(self.at) {
            self.dots(after);
            return Ok(());
        }
        match (byte, self.escape(self.at)) {
            (b'%', Some(0)) => return Err(UnusablePath),
            (b'%', Some(escaped)) if is_unreserved(escaped) => {
                self.at += 3;
                self.output.push(char::from(escaped));
                self.part_from_stray();
                return Ok(());
            }
            (b'%', Some(_)) => {
                self.output.extend(self.input[self.at..self.at + 3].iter().copied().map(char::from));
                self.at += 3;
                return Ok(());
            }
            (b'%', None) => {
                self.stray = Some(self.output.len());
                self.output.push('%');
            }
            (b'\\', _) => self.output.push('/'),
            (byte, _) if is_escaped(byte) => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                self.output.extend(['%', char::from(digits[0]), char::from(digits[1])]);
            }
            (byte, _) => self.output.push(char::from(byte)),
        }
        self.at += 1;
        Ok(())
    }

    /// Takes the dot that ends before `after`, with what follows it where it is or begins a dot segment.
    fn dots(&mut self, after: usize) {
        if self.output.ends_with('/') {
            if let Some(next) = self.end_of_segment(after) {
                self.at = next;
                return;
            }
            if let Some(next) = self.dot(after).and_then(|after| self.end_of_segment(after)) {
                self.at = next;
                self.leave_segment();
                return;
            }
        }
        self.output.push('.');
        self.at = after;
    }

    /// Takes the last segment out again, but never the first slash.
    fn leave_segment(&mut self) {
        let parent = self.output[..self.output.len() - 1].rfind('/').unwrap_or_default();
        self.output.truncate(parent + 1);
        self.stray = self.stray.filter(|stray| *stray < self.output.len());
    }

    /// Keeps a `%` that begins no escape from beginning one with what was escaped behind it.
    fn part_from_stray(&mut self) {
        let Some(stray) = self.stray else { return };
        let follow = &self.output.as_bytes()[stray + 1..];
        let digits = match *follow {
            [first] => [Some(first), self.input.get(self.at).copied()],
            [first, second] => [Some(first), Some(second)],
            _ => return,
        };
        if digits.iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())) {
            self.output.insert_str(stray + 1, "25");
            self.stray = None;
        }
    }

    /// What stands behind a dot at `at`, written out or escaped.
    fn dot(&self, at: usize) -> Option<usize> {
        match self.input.get(at)? {
            b'.' => Some(at + 1),
            b'%' if self.escape(at) == Some(b'.') => Some(at + 3),
            _ => None,
        }
    }

    /// What stands behind the end of a segment at `at`.
    fn end_of_segment(&self, at: usize) -> Option<usize> {
        match self.input.get(at) {
            None => Some(at),
            Some(b'/' | b'\\') => Some(at + 1),
            Some(_) => None,
        }
    }

    /// The byte that is escaped at `at`.
    fn escape(&self, at: usize) -> Option<u8> {
        let digit =
            |at: usize| char::from(*self.input.get(at)?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        (self.input[at] == b'%').then(|| Some(digit(at + 1)? << 4 | digit(at + 2)?))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_form_is_its_own() {
        for path in ["/", "/a/b.c", "/a%2Fb", "/,%D2%8B", "*"] {
            assert!(matches!(normal_path(path), Ok(Cow::Borrowed(_))), "{path}");
        }
    }

    #[test]
    fn paths_become_what_envoy_makes_of_them() {
        for (path, normal) in [
            ("/app//../admin", "/app/admin"),
            ("/app//../../admin", "/admin"),
            ("/app/../admin", "/admin"),
            ("/a/b/../../../../c", "/c"),
            ("/../a", "/a"),
            ("/./a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/..", "/"),
            ("/app/%2E./admin", "/admin"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/..\\b", "/b"),
            ("/a\\..\\b", "/b"),
            ("/app\\admin", "/app/admin"),
            ("/app/\\/\\/\\admin", "/app//////admin"),
            ("/xyz%30..//abc", "/xyz0..//abc"),
            ("/%61%7E%2d%5f", "/a~-_"),
            ("/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc", "/%5Capp%2f%5c%2F..%2fadmin%5c/abc"),
            ("/a/...", "/a/..."),
            ("/a%2e%2e/b", "/a../b"),
            ("/a/..b/.c", "/a/..b/.c"),
            ("/%c0%af%25%20", "/%c0%af%25%20"),
            ("/a^b{c}|\"é", "/a%5Eb%7Bc%7D%7C%22%C3%A9"),
            ("/100%", "/100%"),
            ("/%zz%4", "/%zz%4"),
            ("/%%34%31", "/%2541"),
            ("/%%341", "/%2541"),
            ("/%4%31", "/%2541"),
            ("/%%34g", "/%4g"),
            ("/%/%34%31", "/%/41"),
            ("/%/../%34%31", "/41"),
            ("*", "*"),
            ("a/../b", "a/../b"),
            ("", ""),
        ] {
            assert_eq!(normal_path(path).as_deref(), Ok(normal), "{path}");
            assert_eq!(normal_path(normal).as_deref(), Ok(normal), "the normal form of {path} is its own");
        }
        for path in ["/xyz/.%00../abc", "/xyz/AAAAA%%0000/abc"] {
            assert_eq!(normal_path(path), Err(UnusablePath), "{path}");
        }
    }

    #[test]
    fn a_query_stays_as_it_is() {
        for (uri, normal) in [
            ("/a/../b?x=/../%61", Some("/b?x=/../%61")),
            ("/%61?", Some("/a?")),
            ("/a?%61", None),
            ("http://a.b/%61?q", Some("http://a.b/a?q")),
            ("http://a.b?q", None),
        ] {
            assert_eq!(normal_uri(&Uri::from_static(uri)), Ok(normal.map(Uri::from_static)), "{uri}");
        }
    }

    #[test]
    fn a_normal_path_is_borrowed() {
        for path in ["/", "/v1/embeddings", "/a.b/c..d//e", "/a:b;c=d,e+f@g!$&'()*[]~-_"] {
            assert!(matches!(normal_path(path), Ok(Cow::Borrowed(same)) if same == path), "{path}");
        }
    }
}
