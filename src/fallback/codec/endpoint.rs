//! Which paths are an API's, and which methods and media types they take.

use std::borrow::Cow;

use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};

use super::kserve::{ModelTopic, Of, ServerTopic};
use super::rejection::Rejection;

/// An API that the local model can answer, as far as the shape of its errors goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// OpenAI's: `POST /v1/embeddings`, `GET /v1/models`.
    OpenAi,
    /// `POST /api/v1/embed`: one text, one vector.
    Seed,
    /// text-embeddings-inference's: `POST /embed`, `POST /rerank`, `GET /info`, `GET /health`.
    Tei,
    /// KServe's Open Inference Protocol: what is under `/v2`.
    KServe,
}

/// What a path is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint<'p> {
    /// Whose API it is.
    pub api: Api,
    pub(super) call: Call<'p>,
}

/// What is asked at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call<'p> {
    OpenAiEmbeddings,
    /// Every model, or the one of that name.
    OpenAiModels(Option<Cow<'p, str>>),
    Seed,
    Embed,
    Rerank,
    Info,
    Health,
    Infer(Of<'p>),
    Server(ServerTopic),
    Model(Of<'p>, ModelTopic),
}

impl Api {
    /// The media type of every body that is read and written here.
    pub const CONTENT_TYPE: &'static str = "application/json";

    /// The API whose clients ask for a path, also where the local model has no answer at it.
    pub fn of(path: &str) -> Option<Self> {
        if let Some(endpoint) = Endpoint::recognise(path) {
            return Some(endpoint.api);
        }
        match path {
            "/embed_all" | "/embed_sparse" | "/predict" | "/similarity" | "/tokenize" | "/decode" => Some(Self::Tei),
            other if other.starts_with("/v2/") => Some(Self::KServe),
            other if other.starts_with("/v1/") => Some(Self::OpenAi),
            _ => None,
        }
    }
}

impl<'p> Endpoint<'p> {
    /// The endpoint of a path without its query.
    pub fn recognise(path: &'p str) -> Option<Self> {
        let (api, call) = match path {
            "/v1/embeddings" => (Api::OpenAi, Call::OpenAiEmbeddings),
            "/v1/models" => (Api::OpenAi, Call::OpenAiModels(None)),
            "/api/v1/embed" => (Api::Seed, Call::Seed),
            "/embed" => (Api::Tei, Call::Embed),
            "/rerank" => (Api::Tei, Call::Rerank),
            "/info" => (Api::Tei, Call::Info),
            "/health" => (Api::Tei, Call::Health),
            "/v2" | "/v2/" => (Api::KServe, Call::Server(ServerTopic::Metadata)),
            "/v2/health/live" => (Api::KServe, Call::Server(ServerTopic::Live)),
            "/v2/health/ready" => (Api::KServe, Call::Server(ServerTopic::Ready)),
            other => match other.strip_prefix("/v1/models/") {
                Some(name) => (Api::OpenAi, Call::OpenAiModels(Some(decoded(name)))),
                None => (Api::KServe, of_model(other.strip_prefix("/v2/models/")?)?),
            },
        };
        Some(Self { api, call })
    }

    /// The model that its path names, and the version of it, where the path names one.
    pub fn named(&self) -> Option<(&str, Option<&str>)> {
        match &self.call {
            Call::OpenAiModels(name) => Some((name.as_deref()?, None)),
            Call::Infer(of) | Call::Model(of, _) => Some((&of.model, of.version.as_deref())),
            _ => None,
        }
    }

    /// Whether a request to it with this method and these fields can be read.
    ///
    /// # Errors
    /// A [`Rejection`]: 405 for another method, 415 for a body that is no JSON in UTF-8, or is compressed.
    pub fn admit(&self, method: &Method, headers: &HeaderMap) -> Result<(), Rejection> {
        let allowed = if self.takes_a_body() { "POST" } else { "GET, HEAD" };
        if !allowed.split(", ").any(|one| method.as_str() == one) {
            let message = format!("{method} is not allowed here: use {}", allowed.replace(", ", " or "));
            let rejection = self.api.rejection(StatusCode::METHOD_NOT_ALLOWED, &message);
            return Err(Rejection { field: Some((ALLOW, allowed)), ..rejection });
        }
        if !self.takes_a_body() {
            return Ok(());
        }
        let unsupported = |message: &str| self.api.rejection(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
        let is_plain = |coding: &str| coding.trim().is_empty() || coding.trim().eq_ignore_ascii_case("identity");
        if !values(headers, &CONTENT_ENCODING).all(|codings| codings.split(',').all(is_plain)) {
            let rejection = unsupported("compressed bodies are not read here: send the body without Content-Encoding");
            return Err(Rejection { field: Some((ACCEPT_ENCODING, "identity")), ..rejection });
        }
        if headers.contains_key("inference-header-content-length") {
            return Err(unsupported("binary tensors are not read here: send their data as JSON"));
        }
        if !values(headers, &CONTENT_TYPE).all(is_json) {
            return Err(unsupported("the body must be JSON in UTF-8: send it as `Content-Type: application/json`"));
        }
        Ok(())
    }

    fn takes_a_body(&self) -> bool {
        matches!(self.call, Call::OpenAiEmbeddings | Call::Seed | Call::Embed | Call::Rerank | Call::Infer(_))
    }
}

/// `MODEL[/versions/VERSION][/ready|/infer]`.
fn of_model(path: &str) -> Option<Call<'_>> {
    let mut parts = path.split('/');
    let model = parts.next().filter(|name| !name.is_empty())?;
    let mut next = parts.next();
    let mut version = None;
    if next == Some("versions") {
        version = Some(decoded(parts.next().filter(|version| !version.is_empty())?));
        next = parts.next();
    }
    let of = Of { model: decoded(model), version };
    let call = match next {
        None => Call::Model(of, ModelTopic::Metadata),
        Some("ready") => Call::Model(of, ModelTopic::Ready),
        Some("infer") => Call::Infer(of),
        Some(_) => return None,
    };
    parts.next().is_none().then_some(call)
}

/// A part of a path without its percent-encoding (RFC 3986, section 2.1). A name is text, so that octets which are none stand
/// as they were sent.
fn decoded(part: &str) -> Cow<'_, str> {
    if !part.contains('%') {
        return part.into();
    }
    let mut octets = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, behind @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        octets.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(octets).map_or(part.into(), Cow::from)
}

fn digit(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The field's values; one that is no text is none that is known.
fn values<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> impl Iterator<Item = &'h str> {
    headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or("?"))
}

/// Whether a media type is JSON in UTF-8 (RFC 8259 knows no other charset; ASCII is a part of it).
fn is_json(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_json = media == "application/json" || media.starts_with("application/") && media.ends_with("+json");
    is_json
        && parts.all(|parameter| {
            let (name, charset) = parameter.split_once('=').unwrap_or((parameter, ""));
            let charset = charset.trim_matches('"').to_ascii_lowercase();
            !name.eq_ignore_ascii_case("charset") || matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn paths_are_those_of_the_apis_and_no_others() {
        let of = |model: &'static str, version: Option<&'static str>| Of {
            model: model.into(),
            version: version.map(Into::into),
        };
        for (path, expected) in [
            ("/v1/embeddings", Some(Call::OpenAiEmbeddings)),
            ("/v1/models/a", Some(Call::OpenAiModels(Some("a".into())))),
            ("/v1/models/BAAI%2fbge-m3", Some(Call::OpenAiModels(Some("BAAI/bge-m3".into())))),
            ("/v1/models/BAAI/bge-m3", Some(Call::OpenAiModels(Some("BAAI/bge-m3".into())))),
            ("/embed", Some(Call::Embed)),
            ("/v2", Some(Call::Server(ServerTopic::Metadata))),
            ("/v2/models/a", Some(Call::Model(of("a", None), ModelTopic::Metadata))),
            ("/v2/models/a/versions/1", Some(Call::Model(of("a", Some("1")), ModelTopic::Metadata))),
            ("/v2/models/a/versions/1/ready", Some(Call::Model(of("a", Some("1")), ModelTopic::Ready))),
            ("/v2/models/a/infer", Some(Call::Infer(of("a", None)))),
            ("/v2/models/a/versions/1/infer", Some(Call::Infer(of("a", Some("1"))))),
            ("/v2/models/my%20%C3%A4%2fb/infer", Some(Call::Infer(of("my ä/b", None)))),
            ("/v2/models/a/versions/v%31", Some(Call::Model(of("a", Some("v1")), ModelTopic::Metadata))),
            ("/v2/models/%ff%zz%2", Some(Call::Model(of("%ff%zz%2", None), ModelTopic::Metadata))),
            ("/v2/models/", None),
            ("/v2/models/a/infer/", None),
            ("/v2/models/a/versions", None),
            ("/v2/models/a/generate", None),
            ("/v1/embeddings/", None),
            ("/v1/chat/completions", None),
        ] {
            assert_eq!(Endpoint::recognise(path).map(|endpoint| endpoint.call), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_has_no_answer_is_an_api_s_all_the_same() {
        for (path, api) in [
            ("/v2/models", Some(Api::KServe)),
            ("/v2/models/a/generate", Some(Api::KServe)),
            ("/v2/models/a/infer", Some(Api::KServe)),
            ("/embed_sparse", Some(Api::Tei)),
            ("/v1/completions", Some(Api::OpenAi)),
            ("/v2x", None),
            ("/", None),
        ] {
            assert_eq!(Api::of(path), api, "{path}");
        }
    }

    #[test]
    fn other_methods_and_bodies_are_refused_with_what_is_taken() {
        for (path, method, field, expected) in [
            ("/embed", Method::POST, None, 200),
            ("/embed", Method::GET, None, 405),
            ("/embed", Method::HEAD, None, 405),
            ("/info", Method::HEAD, None, 200),
            ("/info", Method::POST, None, 405),
            ("/embed", Method::POST, Some(("content-type", "application/json; charset=UTF-8")), 200),
            ("/embed", Method::POST, Some(("content-type", "application/problem+json")), 200),
            ("/embed", Method::POST, Some(("content-type", "text/plain")), 415),
            ("/embed", Method::POST, Some(("content-type", "application/json; charset=latin1")), 415),
            ("/embed", Method::POST, Some(("content-encoding", "identity")), 200),
            ("/embed", Method::POST, Some(("content-encoding", "gzip")), 415),
            ("/v2/models/a/infer", Method::POST, Some(("inference-header-content-length", "9")), 415),
        ] {
            let mut headers = HeaderMap::new();
            if let Some((name, value)) = field {
                headers.insert(name, HeaderValue::from_static(value));
            }
            let endpoint = Endpoint::recognise(path).unwrap();
            let status = endpoint.admit(&method, &headers).map_or_else(|rejection| rejection.status.as_u16(), |()| 200);
            assert_eq!(status, expected, "{method} {path} {field:?}");
        }
    }
}
