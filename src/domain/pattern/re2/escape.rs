//! What stands behind a backslash.

use super::Reader;

impl Reader<'_> {
    pub(super) fn escape(&mut self) -> Result<(), String> {
        let written = match self.rest.as_bytes().get(1) {
            Some(b'A') => r"\A",
            Some(b'z') => r"\z",
            Some(b'b') => r"(?-u:\b)",
            Some(b'B') => r"(?-u:\B)",
            Some(b'Q') => {
                self.take(2);
                let quoted = self.rest.find(r"\E").unwrap_or(self.rest.len());
                for character in self.take(quoted).chars() {
                    self.literal(character);
                }
                self.take(self.rest.len().min(2));
                return Ok(());
            }
            _ => {
                if let Some(class) = self.named_class()? {
                    self.atom(&format!("[{class}]"));
                } else {
                    let character = self.escaped_character()?;
                    self.literal(character);
                }
                return Ok(());
            }
        };
        self.take(2);
        self.atom(written);
        Ok(())
    }

    /// Takes an escape that stands for one character.
    pub(super) fn escaped_character(&mut self) -> Result<char, String> {
        self.take(1);
        let Some(character) = self.rest.chars().next() else {
            return Err(r"it ends with a `\`".to_owned());
        };
        let wrong = || Err(format!(r"`\{character}` is no escape"));
        self.take(character.len_utf8());
        Ok(match character {
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => return self.hexadecimal(),
            '0'..='7' => {
                let digits = self.rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                // One digit alone would refer back to a group, which RE2 cannot.
                if character != '0' && digits == 0 {
                    return wrong();
                }
                let octal = format!("{character}{}", self.take(digits));
                u32::from_str_radix(&octal, 8).ok().and_then(char::from_u32).unwrap_or_default()
            }
            sign if sign.is_ascii() && !sign.is_ascii_alphanumeric() => sign,
            _ => return wrong(),
        })
    }

    fn hexadecimal(&mut self) -> Result<char, String> {
        let wrong = || r"`\x` needs two hexadecimal digits, or some in braces".to_owned();
        let digits = if let Some(rest) = self.rest.strip_prefix('{') {
            let digits = &rest[..rest.find('}').ok_or_else(wrong)?];
            self.take(digits.len() + 2);
            digits
        } else {
            let digits = self.rest.get(..2).ok_or_else(wrong)?;
            self.take(2);
            digits
        };
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let code = u32::from_str_radix(digits, 16).ok().filter(|_| plain);
        code.and_then(char::from_u32).ok_or_else(wrong)
    }
}
