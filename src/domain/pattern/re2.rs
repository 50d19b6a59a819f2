//! RE2's syntax of expressions, as Go's `regexp` reads it (Istio compiles every expression with it), in that of the
//! `regex` crate.
//!
//! The two differ where it matters: `{id}` is plain text in RE2, `\d`, `\w`, `\s` and `\b` know ASCII alone, `a**` and
//! `a{1001}` are refused, and `[` and `&&` mean nothing within a class.

mod class;
mod escape;
mod group;

use std::collections::BTreeSet;

/// The most that one counted repetition, or those nested in one another together, may repeat.
const MAX_REPEAT: u32 = 1000;

/// Writes `expression` for the `regex` crate.
///
/// # Errors
/// What is wrong with it, in a clause.
pub(super) fn translate(expression: &str) -> Result<String, String> {
    let mut reader = Reader {
        rest: expression,
        written: String::with_capacity(expression.len() + 16),
        groups: vec![Group::default()],
        names: BTreeSet::new(),
    };
    while !reader.rest.is_empty() {
        reader.item()?;
    }
    if reader.groups.len() > 1 {
        return Err("a `)` is missing".to_owned());
    }
    Ok(reader.written)
}

struct Reader<'a> {
    rest: &'a str,
    written: String,
    /// The groups that are open, the expression itself first.
    groups: Vec<Group>,
    names: BTreeSet<&'a str>,
}

/// What is known of the part of a group that has been read.
#[derive(Default)]
struct Group {
    /// What a repetition would repeat.
    last: Last,
    /// The most that any part of the group repeats.
    repeats: u32,
}

/// What was read last.
#[derive(Clone, Copy, Default)]
enum Last {
    /// Nothing yet, since the group or its alternative began.
    #[default]
    Nothing,
    /// Something that may be repeated, and how much its parts repeat.
    Atom(u32),
    Repetition,
}

impl<'a> Reader<'a> {
    fn item(&mut self) -> Result<(), String> {
        let next = self.rest.chars().next().unwrap_or_default();
        match next {
            '(' => self.open(),
            ')' => self.close(),
            '|' => {
                self.take(1);
                self.group().last = Last::Nothing;
                self.written.push('|');
                Ok(())
            }
            '*' | '+' | '?' => {
                self.take(1);
                self.repeat(next.encode_utf8(&mut [0; 4]), 1)
            }
            '{' => self.count(),
            '[' => self.class(),
            '\\' => self.escape(),
            '^' | '$' | '.' => {
                self.take(1);
                self.atom(next.encode_utf8(&mut [0; 4]));
                Ok(())
            }
            literal => {
                self.take(literal.len_utf8());
                self.literal(literal);
                Ok(())
            }
        }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    /// The group that is read, which is the expression itself at the least.
    fn group(&mut self) -> &mut Group {
        if self.groups.is_empty() {
            self.groups.push(Group::default());
        }
        let last = self.groups.len() - 1;
        &mut self.groups[last]
    }

    fn atom(&mut self, written: &str) {
        self.written.push_str(written);
        self.group().last = Last::Atom(1);
    }

    fn literal(&mut self, character: char) {
        push_literal(character, &mut self.written);
        self.group().last = Last::Atom(1);
    }

    /// Takes a repetition of up to `times`, whose sign has been read.
    fn repeat(&mut self, sign: &str, times: u32) -> Result<(), String> {
        let within = match self.group().last {
            Last::Nothing => return Err(format!("`{sign}` has nothing to repeat")),
            Last::Repetition => return Err(format!("`{sign}` repeats a repetition")),
            Last::Atom(within) => within,
        };
        let repeats = within.saturating_mul(times.max(1));
        if times > 1 && repeats > MAX_REPEAT {
            return Err(format!("it repeats more than {MAX_REPEAT} times"));
        }
        self.written.push_str(sign);
        if self.rest.starts_with('?') {
            self.take(1);
            self.written.push('?');
        }
        let group = self.group();
        group.repeats = group.repeats.max(repeats);
        group.last = Last::Repetition;
        Ok(())
    }

    /// Takes `{n}`, `{n,}` or `{n,m}`; anything else that begins with a brace is plain text.
    fn count(&mut self) -> Result<(), String> {
        let Some((bounds, length)) = bounds(self.rest) else {
            self.take(1);
            self.literal('{');
            return Ok(());
        };
        let sign = self.take(length);
        let (least, most) = bounds;
        if least > MAX_REPEAT || most.is_some_and(|most| most > MAX_REPEAT || most < least) {
            return Err(format!("`{sign}` is no count of repetitions, which goes to {MAX_REPEAT}"));
        }
        self.repeat(sign, most.unwrap_or(least))
    }
}

/// Writes a character as itself, outside a class and within one.
fn push_literal(character: char, written: &mut String) {
    if r"\.+*?()|[]{}^$&~-".contains(character) {
        written.push('\\');
    }
    written.push(character);
}

/// The bounds of a counted repetition at the beginning of `text`, and its length.
fn bounds(text: &str) -> Option<((u32, Option<u32>), usize)> {
    let inside = text.strip_prefix('{')?.split_once('}')?.0;
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let leads = text.len() > 1 && text.starts_with('0');
        (plain && !leads).then(|| text.parse().unwrap_or(u32::MAX))
    };
    let bounds = match inside.split_once(',') {
        None => number(inside).map(|exactly| (exactly, Some(exactly)))?,
        Some((least, "")) => (number(least)?, None),
        Some((least, most)) => (number(least)?, Some(number(most)?)),
    };
    Some((bounds, inside.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_they_mean_to_re2() {
        for (expression, matching, other) in [
            ("/api/{id}", "/api/{id}", "/api/1"),
            (r"\d+", "12", "\u{663}"),
            (r"[\D]", "a", "1"),
            (r"\w\s\b", "", "\u{e9} "),
            ("[[]", "[", "]"),
            ("[a&&b]", "&", "c"),
            ("[]a]", "]", "b"),
            ("[a-]", "-", "b"),
            ("[[:alpha:]-]", "-", "1"),
            ("[[:^digit:]]", "a", "1"),
            (r"\Qa.b\E+", "a.bb", "axb"),
            (r"\x{41}\x42\101", "ABA", "AB"),
            (r"\/\-\_\<", "/-_<", "/"),
            ("(?i)abc|D", "d", "e"),
            ("(?P<a>x)(?<b>y)", "xy", "x"),
            ("(?i-s:A)b", "ab", "aB"),
            ("a{2,3}?", "aa", "a"),
            ("a{,2}", "a{,2}", "aa"),
            ("x{02}", "x{02}", "xx"),
            (r"\p{Greek}\pL", "\u{3b1}a", "aa"),
            (r"\p{^Lu}", "a", "A"),
            ("(|a)b", "b", "c"),
            ("(?)a", "a", "b"),
            (".*(?:x|$)", "abx", "a\nb"),
        ] {
            let written = translate(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
            let regex = regex::Regex::new(&format!(r"\A(?:{written})\z"));
            let regex = regex.unwrap_or_else(|error| panic!("{expression} is written {written}: {error}"));
            assert!(matching.is_empty() || regex.is_match(matching), "{expression} {written} {matching}");
            assert!(!regex.is_match(other), "{expression} {written} {other}");
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for expression in [
            "*",
            "a**",
            "a*?+",
            "+a",
            "(*a)",
            "a|*",
            "a{2}{3}",
            "a{1001}",
            "a{2,1}",
            "(a{100}){100}",
            "(",
            "a)",
            "[",
            "[a",
            "[]",
            "[b-a]",
            r"[a-\d]",
            r"[\b]",
            "[[:foo:]]",
            "(?=a)",
            "(?!a)",
            "(?<=a)",
            "(?<!a)",
            "(?x)a",
            "(?P<n>a)(?P<n>b)",
            "(?P<a-b>c)",
            "(?P=n)",
            "(?",
            "(?-:a)",
            r"\1",
            r"\8",
            r"\Z",
            r"\C",
            r"\k",
            r"\u1234",
            r"\x{110000}",
            r"\xg1",
            "\\",
            r"\p{Foo}",
            r"\p{greek}",
            "\\\u{e9}",
        ] {
            assert!(translate(expression).is_err(), "{expression}");
        }
    }
}
