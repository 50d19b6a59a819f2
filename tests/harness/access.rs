//! The access log, read back.

use serde_json::Value;

/// One line of the access log.
#[derive(Clone, Debug)]
pub struct AccessLine(pub Value);

impl AccessLine {
    /// Reads a line; `None` where it is not a JSON object.
    pub fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok().filter(Value::is_object).map(Self)
    }

    /// A field as text; numbers are written out, and what is missing is empty.
    pub fn field(&self, name: &str) -> String {
        match &self.0[name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }
}
