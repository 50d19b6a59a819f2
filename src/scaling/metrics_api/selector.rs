//! Label selectors, in Kubernetes' grammar (`labels.Parse` of apimachinery): `a=b`, `a==b`, `a!=b`, `a in (b, c)`,
//! `a notin (b, c)`, `a`, `!a`, joined by commas.

use std::iter::Peekable;
use std::vec::IntoIter;

use serde_json::{Value, json};

use super::labels::LONGEST_VALUE;

/// What labels must be like. Without a requirement everything is selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    holds: Holds,
}

/// What must hold of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Holds {
    In(Vec<String>),
    /// As in Kubernetes, it holds where there is no such label, too.
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Comma,
    Open,
    Close,
    Not,
    Equal,
    NotEqual,
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = tokens(text)?.into_iter().peekable();
        let mut requirements = Vec::new();
        while tokens.peek().is_some() {
            requirements.push(requirement(&mut tokens)?);
            match tokens.next() {
                None => break,
                Some(Token::Comma) if tokens.peek().is_some() => {}
                Some(Token::Comma) => return Err("it ends in a comma".to_owned()),
                Some(other) => return Err(format!("a comma is missing before {other:?}")),
            }
        }
        Ok(Self(requirements))
    }

    /// Whether it selects what has the label of each key that `label` knows.
    pub(super) fn selects<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.0.iter().all(|requirement| {
            let value = label(&requirement.key);
            let among = |values: &[String]| value.is_some_and(|value| values.iter().any(|one| one == value));
            match &requirement.holds {
                Holds::In(values) => among(values),
                Holds::NotIn(values) => !among(values),
                Holds::Exists => value.is_some(),
                Holds::DoesNotExist => value.is_none(),
            }
        })
    }

    /// `metav1.LabelSelector`; null where everything is selected.
    pub(super) fn json(&self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        let expressions = self.0.iter().map(|Requirement { key, holds }| match holds {
            Holds::In(values) => json!({ "key": key, "operator": "In", "values": values }),
            Holds::NotIn(values) => json!({ "key": key, "operator": "NotIn", "values": values }),
            Holds::Exists => json!({ "key": key, "operator": "Exists" }),
            Holds::DoesNotExist => json!({ "key": key, "operator": "DoesNotExist" }),
        });
        json!({ "matchExpressions": expressions.collect::<Vec<_>>() })
    }
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let symbols = [
            ("!=", Token::NotEqual),
            ("==", Token::Equal),
            ("=", Token::Equal),
            ("!", Token::Not),
            (",", Token::Comma),
            ("(", Token::Open),
            (")", Token::Close),
        ];
        let symbol = symbols.into_iter().find(|(symbol, _)| rest.starts_with(symbol));
        let (length, token) = match symbol {
            Some((symbol, token)) => (symbol.len(), token),
            None if matches!(first, '<' | '>') => return Err("`<` and `>` are not known here".to_owned()),
            None => {
                let ends = |one: char| one.is_whitespace() || "=!,()<>".contains(one);
                let length = rest.find(ends).unwrap_or(rest.len());
                (length, Token::Word(&rest[..length]))
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn requirement(tokens: &mut Peekable<IntoIter<Token<'_>>>) -> Result<Requirement, String> {
    let key = |token: Option<Token<'_>>| match token {
        Some(Token::Word(key)) => check_key(key).map(|()| key.to_owned()),
        Some(other) => Err(format!("a label's name is missing before {other:?}")),
        None => Err("a label's name is missing at the end".to_owned()),
    };
    if tokens.next_if_eq(&Token::Not).is_some() {
        return Ok(Requirement { key: key(tokens.next())?, holds: Holds::DoesNotExist });
    }
    let key = key(tokens.next())?;
    let holds = match tokens.peek().copied() {
        None | Some(Token::Comma) => Holds::Exists,
        Some(operator) => {
            tokens.next();
            match operator {
                Token::Equal => Holds::In(vec![value(tokens)?]),
                Token::NotEqual => Holds::NotIn(vec![value(tokens)?]),
                Token::Word("in") => Holds::In(values(tokens)?),
                Token::Word("notin") => Holds::NotIn(values(tokens)?),
                other => return Err(format!("{other:?} after `{key}` is none of =, ==, !=, in and notin")),
            }
        }
    };
    Ok(Requirement { key, holds })
}

/// One value, which may be empty.
fn value(tokens: &mut Peekable<IntoIter<Token<'_>>>) -> Result<String, String> {
    let Some(Token::Word(value)) = tokens.next_if(|token| matches!(token, Token::Word(_))) else {
        return Ok(String::new());
    };
    check_value(value).map(|()| value.to_owned())
}

/// The values in parentheses.
fn values(tokens: &mut Peekable<IntoIter<Token<'_>>>) -> Result<Vec<String>, String> {
    if tokens.next() != Some(Token::Open) {
        return Err("`in` and `notin` take values in parentheses".to_owned());
    }
    let mut values = Vec::new();
    loop {
        values.push(value(tokens)?);
        match tokens.next() {
            Some(Token::Comma) => {}
            Some(Token::Close) => return Ok(values),
            Some(other) => return Err(format!("{other:?} stands among the values")),
            None => return Err("the parenthesis is not closed".to_owned()),
        }
    }
}

/// A label's name: 63 characters, with a domain and a slash before it or without.
fn check_key(key: &str) -> Result<(), String> {
    let (domain, name) = key.rsplit_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let is_domain = |domain: &str| {
        let one = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || "-.".contains(one);
        !domain.is_empty() && domain.len() <= 253 && domain.chars().all(one)
    };
    if name.is_empty() || !is_value(name) || !domain.is_none_or(is_domain) {
        return Err(format!("`{key}` is no name of a label"));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), String> {
    if is_value(value) {
        return Ok(());
    }
    Err(format!(
        "`{value}` is no value of a label: at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at each end"
    ))
}

/// Whether it is empty or 63 letters, digits, hyphens, underscores and dots, with a letter or digit at each end.
fn is_value(text: &str) -> bool {
    let ends = |one: char| one.is_ascii_alphanumeric();
    let inner = |one: char| ends(one) || "-_.".contains(one);
    text.is_empty()
        || text.len() <= LONGEST_VALUE && text.starts_with(ends) && text.ends_with(ends) && text.chars().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(key: &str) -> Option<&'static str> {
        match key {
            "pool" => Some("gpu_example_80"),
            "tier" => Some("gpu"),
            "empty" => Some(""),
            _ => None,
        }
    }

    #[test]
    fn what_is_selected_is_what_kubernetes_selects() {
        for (text, expected) in [
            ("", true),
            ("  ", true),
            ("pool=gpu_example_80", true),
            ("pool == gpu_example_80 , tier", true),
            ("pool=gpu_example_80,tier=cpu", false),
            ("tier in (cpu, gpu)", true),
            ("tier in(cpu)", false),
            ("tier notin (cpu)", true),
            ("tier notin (cpu,gpu)", false),
            ("tier!=cpu", true),
            ("tier != gpu", false),
            ("subset!=canary", true),
            ("subset notin (canary)", true),
            ("subset", false),
            ("!subset", true),
            ("! tier", false),
            ("empty=", true),
            ("empty in ()", true),
            ("tier=,pool", false),
            ("overspill.dev/tier", false),
            ("in in (in)", false),
        ] {
            let selector = Selector::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(selector.selects(label), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_said() {
        for text in [
            ",",
            "a,",
            ",a",
            "=a",
            "a=b=c",
            "a===b",
            "a b",
            "a in b",
            "a in (b",
            "a in (b c)",
            "!a=b",
            "!",
            "a>1",
            "a=b)",
            "pool=gpu.example:80",
            "-a=b",
            "a=-b",
            "/a=b",
            "A B/a",
            "a=b||c=d",
        ] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
        assert!(Selector::parse(&format!("a={}", "b".repeat(64))).is_err());
    }

    #[test]
    fn it_is_told_again_as_an_object() {
        let selector = Selector::parse("a=b,c notin (d),e,!f").expect("a selector");
        let operators: Vec<_> = selector.json()["matchExpressions"].as_array().into_iter().flatten().cloned().collect();
        let operators: Vec<_> = operators.iter().map(|one| one["operator"].as_str().unwrap_or_default()).collect();
        assert_eq!(operators, ["In", "NotIn", "Exists", "DoesNotExist"]);
        assert_eq!(Selector::default().json(), Value::Null);
    }
}
