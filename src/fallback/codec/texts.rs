//! The fields `input` of OpenAI and `inputs` of text-embeddings-inference: a text, a list of texts, or token ids, which are told
//! apart without building what is not wanted.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::rejection::{Fault, Kind};

/// The most texts of one request, as OpenAI's documentation says.
pub(super) const MAX_TEXTS: usize = 2048;

/// What the field holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Input {
    /// Nothing: it is left out or null.
    #[default]
    Missing,
    /// Texts, at most [`MAX_TEXTS`]. Not yet known to be other than empty.
    Texts(Vec<String>),
    /// Token ids, or lists of them.
    Tokens,
    /// More than [`MAX_TEXTS`] texts.
    TooMany,
    /// Anything else.
    Other,
}

impl Input {
    /// The texts, at least one, none empty.
    ///
    /// # Errors
    /// What the field `name` holds instead, and what to send.
    pub(super) fn texts(self, name: &'static str) -> Result<Vec<String>, Fault> {
        let fault = |kind, said: &str| Err(Fault::of(kind, name, format!("`{name}` {said}")));
        let texts = match self {
            Self::Missing => return fault(Kind::Invalid, "is missing: send a text or a list of texts"),
            Self::Tokens => {
                return fault(
                    Kind::Invalid,
                    "holds token ids, and the local model has another vocabulary: send text (LangChain's OpenAIEmbeddings \
                     does with check_embedding_ctx_length=False)",
                );
            }
            Self::TooMany => return fault(Kind::TooLarge, "has more than 2048 texts: send them in several requests"),
            Self::Other => return fault(Kind::Invalid, "is neither a text nor a list of texts"),
            Self::Texts(texts) => texts,
        };
        if texts.is_empty() || texts.iter().any(String::is_empty) {
            let said = "is empty or holds an empty text: send at least one text, and only texts with something in them";
            return fault(Kind::Empty, said);
        }
        Ok(texts)
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InputVisitor)
    }
}

struct InputVisitor;

impl<'de> Visitor<'de> for InputVisitor {
    type Value = Input;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E>(self, text: &str) -> Result<Input, E> {
        Ok(Input::Texts(vec![text.to_owned()]))
    }

    fn visit_unit<E>(self) -> Result<Input, E> {
        Ok(Input::Missing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Input, E> {
        Ok(Input::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Input, E> {
        Ok(Input::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Input, E> {
        Ok(Input::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Input, E> {
        Ok(Input::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Input, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Input::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Input, A::Error> {
        let mut texts = Vec::new();
        while let Some(element) = list.next_element::<Element>()? {
            match element {
                Element::Text(text) if texts.len() < MAX_TEXTS => texts.push(text),
                other => {
                    while list.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(match other {
                        Element::Text(_) => Input::TooMany,
                        Element::Tokens => Input::Tokens,
                        Element::Other => Input::Other,
                    });
                }
            }
        }
        Ok(Input::Texts(texts))
    }
}

/// One element of the list.
enum Element {
    Text(String),
    /// A token id, or a list that begins with one.
    Tokens,
    Other,
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Element, E> {
        Ok(Element::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Element, E> {
        Ok(Element::Text(text))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Element, E> {
        Ok(Element::Tokens)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Element, E> {
        Ok(Element::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Element, E> {
        Ok(Element::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Element, E> {
        Ok(Element::Other)
    }

    fn visit_unit<E>(self) -> Result<Element, E> {
        Ok(Element::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Element, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Element::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Element, A::Error> {
        let first = list.next_element::<Self::Value>()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(if matches!(first, Some(Element::Tokens)) { Element::Tokens } else { Element::Other })
    }
}
