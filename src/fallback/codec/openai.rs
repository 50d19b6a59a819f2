//! OpenAI's embeddings API (<https://platform.openai.com/docs/api-reference/embeddings/create>).
//!
//! `model` and `user` are read past: the local model is what answers, and the answer says so.

mod input;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Serialize, Serializer};

use super::{Embeddings, Fault, Identity, json};
use input::Input;

/// The most texts of one request, as OpenAI's documentation says.
const MAX_TEXTS: usize = 2048;

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
    encoding_format: Option<Encoding>,
    dimensions: Option<u64>,
}

/// Reads a request: its texts and how to write their vectors, which are `dimension` long.
pub(super) fn parse(body: &[u8], dimension: usize) -> Result<(Vec<String>, Encoding), Fault> {
    let request: Request = serde_json::from_slice(body).map_err(|why| Fault::unreadable(&why))?;
    if let Some(asked) = request.dimensions
        && usize::try_from(asked) != Ok(dimension)
    {
        let message = format!("the local model makes vectors of {dimension} numbers: leave `dimensions` out");
        return Err(Fault::new("dimensions", message));
    }
    let fault = |message: &str| Err(Fault::new("input", message));
    let texts = match request.input {
        Input::Missing => return fault("`input` is missing: send a text or a list of texts"),
        Input::Tokens => {
            return fault(
                "`input` holds token ids, and the local model has another vocabulary: send text (LangChain's \
                 OpenAIEmbeddings does with check_embedding_ctx_length=False)",
            );
        }
        Input::TooMany => return fault("`input` has more than 2048 texts: send them in several requests"),
        Input::Other => return fault("`input` is neither a text nor a list of texts"),
        Input::Texts(texts) => texts,
    };
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        return fault(
            "`input` is empty or holds an empty text: send at least one text, and only texts with something in them",
        );
    }
    Ok((texts, request.encoding_format.unwrap_or_default()))
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

pub(super) fn answer(encoding: Encoding, identity: &Identity, embeddings: &Embeddings) -> Vec<u8> {
    let data = embeddings.vectors.iter().enumerate().map(|(index, vector)| Item {
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
        429 => ("rate_limit_error", Some("rate_limit_exceeded")),
        400..=499 => ("invalid_request_error", None),
        _ => ("server_error", None),
    };
    json(&Error { error: Details { message: &fault.message, kind, param: fault.param, code } })
}
