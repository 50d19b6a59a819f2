//! Answers of their own to requests that cannot be computed, in the shape that each API's clients read.

use http::{HeaderName, StatusCode};
use serde::Serialize;

use super::super::error::EmbedError;
use super::endpoint::Api;
use super::{json, openai};

/// An answer of its own to a request that cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The HTTP status.
    pub status: StatusCode,
    /// A JSON body in the shape that the API's clients read.
    pub body: Vec<u8>,
    /// A field that the status asks for: `Allow` of 405, `Accept-Encoding` of 415.
    pub field: Option<(HeaderName, &'static str)>,
}

/// What is wrong with a request, before it has the API's shape.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) message: String,
    /// The field at fault, where there is one.
    pub(super) param: Option<&'static str>,
}

/// Of which kind a fault is; the APIs have statuses of their own for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not what the API takes.
    Invalid,
    /// Nothing to compute.
    Empty,
    /// More texts, or longer ones, than are computed.
    TooLarge,
    /// More tokens than OpenAI's API takes in one request.
    TooManyTokens,
    /// Of this status in every API.
    Of(StatusCode),
}

#[derive(Serialize)]
struct Plain<'a> {
    error: &'a str,
}

#[derive(Serialize)]
struct Typed<'a> {
    error: &'a str,
    error_type: &'static str,
}

impl Api {
    /// A refusal in the shape that this API's clients read; `message` is for people.
    pub fn rejection(self, status: StatusCode, message: &str) -> Rejection {
        self.reject(&Fault { kind: Kind::Of(status), message: message.to_owned(), param: None })
    }

    /// The refusal of a request that got no embeddings, with the status of its [reason](EmbedError::reason).
    pub fn rejection_of(self, error: &EmbedError) -> Rejection {
        let kind = match error {
            EmbedError::TooLong { .. } => Kind::TooLarge,
            other => {
                Kind::Of(StatusCode::from_u16(other.reason().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
            }
        };
        self.reject(&Fault { kind, message: error.to_string(), param: None })
    }

    pub(super) fn reject(self, fault: &Fault) -> Rejection {
        let status = match (self, fault.kind) {
            (_, Kind::Of(status)) => status,
            (Self::Tei, Kind::Invalid) => StatusCode::UNPROCESSABLE_ENTITY,
            (Self::Tei | Self::Seed, Kind::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        let error = fault.message.as_str();
        let body = match self {
            Self::OpenAi => openai::error(status, fault),
            Self::Tei => json(&Typed { error, error_type: error_type(fault.kind, status) }),
            Self::Seed | Self::KServe => json(&Plain { error }),
        };
        Rejection { status, body, field: None }
    }
}

/// The kind of an error in text-embeddings-inference's words.
fn error_type(kind: Kind, status: StatusCode) -> &'static str {
    match status.as_u16() {
        _ if kind == Kind::Empty => "Empty",
        429 => "Overloaded",
        424 | 504 => "Backend",
        500.. => "Unhealthy",
        _ => "Validation",
    }
}

impl Fault {
    pub(super) fn new(param: &'static str, message: impl Into<String>) -> Self {
        Self { kind: Kind::Invalid, message: message.into(), param: Some(param) }
    }

    pub(super) fn of(kind: Kind, param: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), param: Some(param) }
    }

    /// A body that is no JSON object of the API's fields; `serde_json` says where.
    pub(super) fn unreadable(why: &serde_json::Error) -> Self {
        Self { kind: Kind::Invalid, message: format!("the request body cannot be read: {why}"), param: None }
    }
}
