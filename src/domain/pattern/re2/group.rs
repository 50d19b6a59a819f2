//! Groups: capturing ones, those with a name, and those that set flags.

use super::{Group, Last, Reader};

impl Reader<'_> {
    pub(super) fn open(&mut self) -> Result<(), String> {
        let Some(inside) = self.rest.strip_prefix("(?") else {
            self.take(1);
            self.begin("(");
            return Ok(());
        };
        if let Some(named) = inside.strip_prefix("P<").or_else(|| inside.strip_prefix('<')) {
            let name = named.split_once('>').map_or("", |(name, _)| name);
            let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !plain || !self.names.insert(name) {
                return Err(format!("`{name}` is no name of a group, or names two"));
            }
            let length = self.rest.len() - named.len() + name.len() + 1;
            self.take(length);
            // The name says nothing that is used, and the crate would refuse some that RE2 takes.
            self.begin("(");
            return Ok(());
        }
        self.flags()
    }

    fn begin(&mut self, written: &str) {
        self.written.push_str(written);
        self.groups.push(Group::default());
    }

    pub(super) fn close(&mut self) -> Result<(), String> {
        self.take(1);
        if self.groups.len() < 2 {
            return Err("a `)` closes nothing".to_owned());
        }
        let repeats = self.groups.pop().map_or(1, |group| group.repeats.max(1));
        self.written.push(')');
        let group = self.group();
        group.last = Last::Atom(repeats);
        group.repeats = group.repeats.max(repeats);
        Ok(())
    }

    /// Takes `(?i)`, `(?i-s:` and their like.
    fn flags(&mut self) -> Result<(), String> {
        let wrong = |text: &str| Err(format!("`{text}` begins no group that RE2 knows"));
        let end = self.rest.find([':', ')']).unwrap_or(self.rest.len());
        let (text, flags) = (self.rest.get(..=end), &self.rest[2..end]);
        let Some(text) = text else { return wrong(self.rest) };
        let (on, off) = flags.split_once('-').map_or((flags, None), |(on, off)| (on, Some(off)));
        let known = |flags: &str| flags.chars().all(|flag| "imsU".contains(flag));
        if !known(on) || !off.is_none_or(|off| !off.is_empty() && known(off)) {
            return wrong(text);
        }
        let off = off.unwrap_or_default();
        let set = |flag: &char| on.contains(*flag) && !off.contains(*flag);
        let on: String = "imsU".chars().filter(set).collect();
        let off: String = "imsU".chars().filter(|flag| off.contains(*flag)).collect();
        let flags = if off.is_empty() { on } else { format!("{on}-{off}") };
        let closes = text.ends_with(')');
        self.take(text.len());
        match (closes, flags.is_empty()) {
            (true, true) => {}
            (true, false) => self.written.extend(["(?", &flags, ")"]),
            (false, _) => self.begin(&format!("(?{flags}:")),
        }
        Ok(())
    }
}
