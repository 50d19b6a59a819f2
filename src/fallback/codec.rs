//! The HTTP APIs that the local model answers: which request is one, what it asks, and how its client wants to be answered.
//!
//! Bytes in, bytes out: no connection, no queue. Errors take the shape that the API's own clients read.

mod openai;
mod seed;

use http::{Method, StatusCode};

use super::error::EmbedError;
use super::job::Embeddings;
use super::manifest::Identity;

/// An API that the local model can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// OpenAI's `POST /v1/embeddings`.
    OpenAi,
    /// `POST /api/v1/embed`: one text, one vector.
    Seed,
}

/// A request that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What to embed: at least one text, none empty.
    pub texts: Vec<String>,
    form: Form,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    OpenAi(openai::Encoding),
    Seed,
}

/// An answer of its own to a request that cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The HTTP status.
    pub status: StatusCode,
    /// A JSON body in the shape that the API's clients read.
    pub body: Vec<u8>,
}

/// What is wrong with a request, before it has the API's shape.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    message: String,
    /// The field at fault, where there is one.
    param: Option<&'static str>,
}

impl Api {
    /// The media type of every body that is read and written here.
    pub const CONTENT_TYPE: &'static str = "application/json";

    /// The API that a request is for, by its method and its path without the query.
    pub fn recognise(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (&Method::POST, "/v1/embeddings") => Some(Self::OpenAi),
            (&Method::POST, "/api/v1/embed") => Some(Self::Seed),
            _ => None,
        }
    }

    /// Reads a request's body.
    ///
    /// # Errors
    /// A [`Rejection`] with status 400 that says what is wrong and what to send.
    pub fn parse(self, body: &[u8], identity: &Identity) -> Result<Question, Rejection> {
        let question = match self {
            Self::OpenAi => openai::parse(body, identity.dimension)
                .map(|(texts, encoding)| Question { texts, form: Form::OpenAi(encoding) }),
            Self::Seed => seed::parse(body).map(|text| Question { texts: vec![text], form: Form::Seed }),
        };
        question.map_err(|fault| self.reject(StatusCode::BAD_REQUEST, &fault))
    }

    /// A refusal in the shape that this API's clients read; `message` is for people.
    pub fn rejection(self, status: StatusCode, message: &str) -> Rejection {
        self.reject(status, &Fault { message: message.to_owned(), param: None })
    }

    /// The refusal of a request that got no embeddings, with the status of its [reason](EmbedError::reason).
    pub fn rejection_of(self, error: &EmbedError) -> Rejection {
        let status = StatusCode::from_u16(error.reason().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.rejection(status, &error.to_string())
    }

    fn reject(self, status: StatusCode, fault: &Fault) -> Rejection {
        let body = match self {
            Self::OpenAi => openai::error(status, fault),
            Self::Seed => seed::error(fault),
        };
        Rejection { status, body }
    }
}

impl Question {
    /// The body of the answer (status 200). It names the model that really computed.
    pub fn answer(&self, identity: &Identity, embeddings: &Embeddings) -> Vec<u8> {
        match self.form {
            Form::OpenAi(encoding) => openai::answer(encoding, identity, embeddings),
            Form::Seed => seed::answer(embeddings),
        }
    }
}

impl Fault {
    fn new(param: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), param: Some(param) }
    }

    /// A body that is no JSON object of the API's fields; `serde_json` says where.
    fn unreadable(why: &serde_json::Error) -> Self {
        Self { message: format!("the request body cannot be read: {why}"), param: None }
    }
}

/// JSON of something that serialises without fail: no maps with keys other than strings, no I/O.
fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
