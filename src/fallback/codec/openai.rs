//! OpenAI's embeddings API (<https://platform.openai.com/docs/api-reference/embeddings/create>).
//!
//! `user` is only read for its type, and a `model` that is none of ours is read past: the local model is what answers, and the answer says so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Serialize, Serializer};

use super::rejection::{Fault, Kind};
use super::texts::Input;
use super::{Catalogue, Embeddings, Form, Question, Scaling, dimensions, json, object, prompted, shortened};
use crate::fallback::engine::Cut;
use crate::fallback::manifest::Identity;

/// The most tokens of one request, as OpenAI's reference says of its embedding models.
const MAX_TOKENS: usize = 300_000;

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    /// A list of numbers.
    #[default]
    Float,
    /// Little-endian f32, in base64. What the Python SDK asks for when its caller says nothing.
    Base64,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    input: Input,
    model: Option<String>,
    /// Of no meaning here, and a text all the same.
    #[serde(rename = "user")]
    _user: Option<String>,
    #[serde(default, deserialize_with = "object::word")]
    encoding_format: Option<Encoding>,
    dimensions: Option<u64>,
    /// No field of OpenAI's; text-embeddings-inference's name for it.
    prompt_name: Option<String>,
}

/// Reads a request: its texts and how to write their vectors.
pub(super) fn parse(body: &[u8], catalogue: &Catalogue<'_>) -> Result<Question, Fault> {
    let request: Request = object::read(body)?;
    let (place, card) = catalogue.encoder(request.model.as_deref());
    let dimensions = dimensions(request.dimensions, card)?;
    let texts = request.input.texts("input")?;
    affordable(&texts)?;
    let prompt = card.prompt(request.prompt_name.as_deref()).map_err(|message| Fault::new("prompt_name", message))?;
    Ok(Question {
        place,
        texts: prompted(texts, prompt, Cut::Right),
        scaling: Scaling::Own,
        form: Form::OpenAi(request.encoding_format.unwrap_or_default(), dimensions),
    })
}

/// Refuses what has more tokens than a request may have, as far as its words show it: each is one token at least.
fn affordable(texts: &[String]) -> Result<(), Fault> {
    // A word and the space before the next are two bytes at least, so that most requests need not be counted.
    if texts.iter().map(|text| text.len() + 1).sum::<usize>() / 2 <= MAX_TOKENS {
        return Ok(());
    }
    let words = texts.iter().map(|text| text.split_whitespace().count()).sum::<usize>();
    if words <= MAX_TOKENS {
        return Ok(());
    }
    let message = format!(
        "Requested at least {words} tokens, max {MAX_TOKENS} tokens per request: send the texts in several requests"
    );
    Err(Fault { kind: Kind::TooManyTokens, message, param: None })
}

/// The models, or the one of a name, as `GET /v1/models` lists them.
pub(super) fn models(name: Option<&str>, catalogue: &Catalogue<'_>) -> Result<Vec<u8>, Fault> {
    let told = |name: &str| serde_json::json!({ "id": name, "object": "model", "created": 0, "owned_by": "overspill" });
    let Some(name) = name else {
        let all: Vec<_> = catalogue.names().into_iter().map(told).collect();
        return Ok(json(&serde_json::json!({ "object": "list", "data": all })));
    };
    match catalogue.named(name) {
        Some((_, card)) => Ok(json(&told(&card.identity.name))),
        None => Err(Fault::of(Kind::Of(StatusCode::NOT_FOUND), "model", format!("there is no model `{name}` here"))),
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Item<'a>>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Item<'a> {
    object: &'static str,
    index: usize,
    embedding: Vector<'a>,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

/// A vector with the way to write it.
struct Vector<'a>(&'a [f32], Encoding);

impl Serialize for Vector<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            Encoding::Float => {
                let mut list = serializer.serialize_seq(Some(self.0.len()))?;
                for value in self.0 {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Encoding::Base64 => {
                let bytes: Vec<u8> = self.0.iter().flat_map(|value| value.to_le_bytes()).collect();
                serializer.serialize_str(&STANDARD.encode(bytes))
            }
        }
    }
}

pub(super) fn answer(
    encoding: Encoding,
    dimensions: Option<usize>,
    identity: &Identity,
    embeddings: &Embeddings,
) -> Vec<u8> {
    let vectors = shortened(embeddings, dimensions);
    let data = vectors.iter().enumerate().map(|(index, vector)| Item {
        object: "embedding",
        index,
        embedding: Vector(vector, encoding),
    });
    json(&Answer {
        object: "list",
        data: data.collect(),
        model: &identity.name,
        usage: Usage { prompt_tokens: embeddings.tokens, total_tokens: embeddings.tokens },
    })
}

#[derive(Serialize)]
struct Error<'a> {
    error: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

pub(super) fn error(status: StatusCode, fault: &Fault) -> Vec<u8> {
    let (kind, code) = match status.as_u16() {
        _ if fault.kind == Kind::TooManyTokens => ("max_tokens_per_request", Some("max_tokens_per_request")),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("rate_limit_error", Some("rate_limit_exceeded")),
        400..=499 => ("invalid_request_error", None),
        _ => ("server_error", None),
    };
    json(&Error { error: Details { message: &fault.message, kind, param: fault.param, code } })
}

#[cfg(test)]
mod tests {
    use super::super::Api;
    use super::*;

    #[test]
    fn more_tokens_than_openai_s_api_takes_are_refused_as_it_refuses_them() {
        let asked = |words: usize, texts: usize| affordable(&vec!["a ".repeat(words / texts); texts]);
        assert!(asked(300_000, 1).is_ok() && asked(300_000, 1000).is_ok());
        for (words, texts) in [(300_001, 1), (302_000, 2000)] {
            let rejection = Api::OpenAi.reject(&asked(words, texts).unwrap_err());
            let error = &serde_json::from_slice::<serde_json::Value>(&rejection.body).unwrap()["error"];
            assert_eq!(rejection.status, StatusCode::BAD_REQUEST);
            let kind = "max_tokens_per_request";
            assert_eq!(
                (&error["type"], &error["param"], &error["code"]),
                (&kind.into(), &None::<u8>.into(), &kind.into())
            );
            let message = error["message"].as_str().unwrap();
            let expected = format!("Requested at least {words} tokens, max 300000 tokens per request");
            assert!(message.starts_with(&expected), "{message}");
        }
    }
}
