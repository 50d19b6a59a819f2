//! Classes of characters: `[...]`, `\d` and its like, `\p{...}`.

use regex::Regex;

use super::{Last, Reader, push_literal};

/// The classes that POSIX names, each as it stands within a class.
const POSIX: [(&str, &str); 14] = [
    ("alnum", "0-9A-Za-z"),
    ("alpha", "A-Za-z"),
    ("ascii", r"\x00-\x7F"),
    ("blank", r"\t\x20"),
    ("cntrl", r"\x00-\x1F\x7F"),
    ("digit", "0-9"),
    ("graph", r"!-\~"),
    ("lower", "a-z"),
    ("print", r"\x20-\~"),
    ("punct", r"!-/:-@\[-`\{-\~"),
    ("space", r"\t\n\x0B\x0C\r\x20"),
    ("upper", "A-Z"),
    ("word", "0-9A-Za-z_"),
    ("xdigit", "0-9A-Fa-f"),
];

/// Unicode's general categories.
const CATEGORIES: [&str; 37] = [
    "Any", "C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl",
    "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs",
];

impl Reader<'_> {
    pub(super) fn class(&mut self) -> Result<(), String> {
        self.take(1);
        let mut class = String::from("[");
        if self.rest.starts_with('^') {
            self.take(1);
            class.push('^');
        }
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if let Some(named) = self.posix_class()? {
                class.push_str(&named);
            } else if let Some(named) = self.named_class()? {
                class.push_str(&named);
            } else {
                self.range(&mut class)?;
            }
        }
        self.take(1);
        class.push(']');
        self.written.push_str(&class);
        self.group().last = Last::Atom(1);
        Ok(())
    }

    /// Takes a character or a range.
    fn range(&mut self, class: &mut String) -> Result<(), String> {
        let low = self.class_character()?;
        push_literal(low, class);
        let mut ahead = self.rest.chars();
        if ahead.next() != Some('-') || matches!(ahead.next(), None | Some(']')) {
            return Ok(());
        }
        self.take(1);
        let high = self.class_character()?;
        if high < low {
            return Err(format!("the range `{low}-{high}` is the wrong way round"));
        }
        class.push('-');
        push_literal(high, class);
        Ok(())
    }

    fn class_character(&mut self) -> Result<char, String> {
        match self.rest.chars().next() {
            None => Err("a `]` is missing".to_owned()),
            Some('\\') => self.escaped_character(),
            Some(character) => {
                self.take(character.len_utf8());
                Ok(character)
            }
        }
    }

    /// Takes `[:alpha:]` and its like within a class.
    fn posix_class(&mut self) -> Result<Option<String>, String> {
        let Some((name, _)) = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) else {
            return Ok(None);
        };
        let (bare, sign) = name.strip_prefix('^').map_or((name, ""), |bare| (bare, "^"));
        let known = POSIX.into_iter().find(|(known, _)| *known == bare);
        let (_, characters) = known.ok_or_else(|| format!("`[:{name}:]` is no class"))?;
        self.take(name.len() + 4);
        Ok(Some(format!("[{sign}{characters}]")))
    }

    /// Takes `\d` or `\p{...}` and their like; `None` where another escape, or none, stands here.
    pub(super) fn named_class(&mut self) -> Result<Option<String>, String> {
        let bytes = self.rest.as_bytes();
        if bytes.first() != Some(&b'\\') {
            return Ok(None);
        }
        let class = match bytes.get(1) {
            Some(b'd') => "0-9",
            Some(b'D') => "[^0-9]",
            Some(b's') => r"\t\n\x0C\r\x20",
            Some(b'S') => r"[^\t\n\x0C\r\x20]",
            Some(b'w') => "0-9A-Za-z_",
            Some(b'W') => "[^0-9A-Za-z_]",
            Some(b'p' | b'P') => return self.unicode_class().map(Some),
            _ => return Ok(None),
        };
        self.take(2);
        Ok(Some(class.to_owned()))
    }

    fn unicode_class(&mut self) -> Result<String, String> {
        let mut negated = self.rest.as_bytes().get(1) == Some(&b'P');
        let inside = &self.rest[2..];
        let (mut name, length) = if let Some(rest) = inside.strip_prefix('{') {
            let name = rest.split_once('}').map(|(name, _)| name).ok_or("a `}` is missing")?;
            (name, name.len() + 4)
        } else {
            let length = inside.chars().next().map_or(0, char::len_utf8);
            (&inside[..length], length + 2)
        };
        if let Some(bare) = name.strip_prefix('^') {
            (name, negated) = (bare, !negated);
        }
        let sign = if negated { 'P' } else { 'p' };
        let class =
            if CATEGORIES.contains(&name) { format!(r"\{sign}{{{name}}}") } else { format!(r"\{sign}{{sc={name}}}") };
        // Go spells a script with a capital, and knows no other properties.
        let spelt = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
        if !spelt || Regex::new(&class).is_err() {
            return Err(format!(r"`\p{{{name}}}` is no class"));
        }
        self.take(length);
        Ok(class)
    }
}
