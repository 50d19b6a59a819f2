//! Answers from the local models. What is computed, and large bodies both ways, are the inference threads' work.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode, Uri};
use http_body_util::BodyExt;

use super::attempt::Outbound;
use super::body::RequestBody;
use super::exchange::Exchange;
use super::refuse::name_server;
use super::relay::AnswerBody;
use super::request::Deadlines;
use crate::config::ModelKind;
use crate::domain::{Reason, Tier};
use crate::fallback::{Api, Asked, Catalogue, EmbedError, Endpoint, OwnedCatalogue, Rejection};
use crate::live::Engaged;

/// What `Proxy-Status` says of an answer of the local model's.
const NEXT_HOP: HeaderValue = HeaderValue::from_static("overspill; next-hop=\"local\"");
/// How long a text may wait for the local model on a route without any deadline.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Bodies of more bytes are read on an inference thread: more than half a millisecond's work would hold up the requests that
/// are forwarded on the same thread.
const LARGE_BODY: usize = 32 << 10;
/// Answers of more numbers are written there.
const LARGE_ANSWER: usize = 8192;

/// What a local model says to a request: what it computed, what is known of it, or what is wrong with the request.
pub(super) struct LocalAnswer {
    status: StatusCode,
    body: Bytes,
    field: Option<(HeaderName, &'static str)>,
}

/// Asks the local models. Where they cannot answer, the request is whole again, so that it can still go elsewhere.
pub(super) async fn answer(
    exchange: &mut Exchange,
    outbound: &mut Outbound,
    deadlines: Deadlines,
) -> Result<LocalAnswer, Reason> {
    let Some(request) = &mut outbound.request else { return Err(Reason::LocalUnsupported) };
    let uri = request.uri().clone();
    let Some(endpoint) = Endpoint::recognise(uri.path()) else { return Err(Reason::LocalUnsupported) };
    let live = Arc::clone(exchange.live());
    let policy = exchange.route().and_then(|route| live.snapshot.route(route).policy.as_deref());
    let accepted = policy.and_then(|policy| policy.local_model.as_ref());
    let local = exchange.worker().local.engage(exchange.worker().draw(), endpoint.named(), accepted)?;
    let catalogue = local.catalogue();
    if !endpoint.is_served_by(&catalogue) {
        return Err(Reason::LocalUnsupported);
    }
    let body = read_whole(request.body_mut()).await.ok_or(Reason::ClientDisconnected)?;
    if let Err(rejection) = endpoint.admit(request.method(), request.headers()) {
        return Ok(rejection.into());
    }
    let asked = match read(&local, (&endpoint, &uri), &body, &catalogue).await {
        Ok(Ok(Asked::Told(body))) => return Ok(LocalAnswer::of(body)),
        Ok(Ok(asked)) => asked,
        Ok(Err(rejection)) => return Ok(rejection.into()),
        Err(error) => return Err(error.reason()),
    };
    if let Asked::Texts(question) = &asked {
        let card = catalogue.card(question.place);
        if card.kind == ModelKind::Encoder && !accepted.is_none_or(|spaces| spaces.accept(&card.identity.space())) {
            return Err(Reason::LocalIdentityMismatch);
        }
    }
    let until = deadlines.head.unwrap_or_else(|| Instant::now() + LONGEST_WAIT);
    let computing = local.computing(until);
    let outcome = compute(exchange, &local, asked, until).await;
    exchange.trace_end(outcome.as_ref().err().map(EmbedError::reason));
    computing.over(outcome.as_ref().map(|_| ()).map_err(EmbedError::reason));
    match outcome {
        Ok(body) => Ok(LocalAnswer::of(body)),
        Err(error) if error.is_final() => Ok(endpoint.api.rejection_of(&error).into()),
        Err(error) => {
            if let EmbedError::Failed(_) = error {
                tracing::warn!(%error, "the local model did not answer");
            } else {
                tracing::debug!(%error, "the local model did not answer");
            }
            exchange.would_take(error.needed());
            Err(error.reason())
        }
    }
}

/// Reads a request's body; a large one on an inference thread.
async fn read(
    local: &Engaged,
    (endpoint, uri): (&Endpoint<'_>, &Uri),
    body: &Bytes,
    catalogue: &Catalogue<'_>,
) -> Result<Result<Asked, Rejection>, EmbedError> {
    if body.len() <= LARGE_BODY {
        return Ok(endpoint.read(body, catalogue));
    }
    let (uri, body, catalogue) = (uri.clone(), body.clone(), OwnedCatalogue::of(catalogue));
    let read = move || Some(Endpoint::recognise(uri.path())?.read(&body, &catalogue.borrowed()));
    local.tier().aside(read).await?.ok_or(EmbedError::Stopped)
}

/// Has the model that is asked compute, and writes its answer; a large one on an inference thread.
async fn compute(
    exchange: &mut Exchange,
    local: &Engaged,
    asked: Asked,
    until: Instant,
) -> Result<Vec<u8>, EmbedError> {
    match asked {
        Asked::Told(body) => Ok(body),
        Asked::Texts(question) => {
            let Some(tier) = local.beside().texts(local.tier(), question.place) else {
                return Err(EmbedError::Stopped);
            };
            exchange.trace_run(&tier.card().identity.name);
            // The copies share their texts with the question, which a ranking is answered with.
            let embeddings = tier.embed_scaled(question.texts.clone(), question.scaling, until).await?;
            exchange.queued(embeddings.queued);
            local.metrics().waited(embeddings.queued);
            if embeddings.vectors.iter().map(Vec::len).sum::<usize>() <= LARGE_ANSWER {
                return Ok(question.answer(tier.card(), &embeddings));
            }
            let card = tier.card().clone();
            tier.aside(move || question.answer(&card, &embeddings)).await
        }
        Asked::Tensors(mut question) => {
            let Some(model) = local.beside().tensors(question.place) else { return Err(EmbedError::Stopped) };
            exchange.trace_run(&model.card().identity.name);
            let asked = (mem::take(&mut question.inputs), mem::take(&mut question.outputs));
            let outputs = model.compute(asked.0, asked.1, until).await?;
            let numbers: usize = outputs.iter().map(|(_, tensor)| tensor.data.bytes() / size_of::<f32>()).sum();
            if numbers <= LARGE_ANSWER {
                return question.answer(model.card(), &outputs);
            }
            let card = model.card().clone();
            local.tier().aside(move || question.answer(&card, &outputs)).await?
        }
    }
}

impl LocalAnswer {
    fn of(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, body: body.into(), field: None }
    }
}

impl From<Rejection> for LocalAnswer {
    fn from(Rejection { status, body, field }: Rejection) -> Self {
        Self { status, body: body.into(), field }
    }
}

/// Reads the body to its end and leaves it in the request; `None` where it was broken off, for the reason on its meter.
async fn read_whole(body: &mut RequestBody) -> Option<Bytes> {
    let bytes = (&mut *body).collect().await.ok()?.to_bytes();
    body.read_whole(bytes.clone());
    Some(bytes)
}

/// The client's answer: JSON in the shape of the API that was asked.
pub(super) fn respond(mut exchange: Exchange, answer: LocalAnswer) -> Response<AnswerBody> {
    exchange.answered(answer.status.as_u16(), Some(Tier::Local));
    let mut response = Response::new(());
    *response.status_mut() = answer.status;
    if !answer.body.is_empty() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(Api::CONTENT_TYPE));
    }
    if let Some((name, value)) = answer.field {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    exchange.edit_answer(response.headers_mut());
    name_server(&mut response, &exchange, Some(Tier::Local), &NEXT_HOP);
    response.map(|()| AnswerBody::whole(answer.body, exchange))
}
