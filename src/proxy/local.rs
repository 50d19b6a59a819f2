//! Answers from the local models.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;

use super::attempt::Outbound;
use super::body::RequestBody;
use super::exchange::Exchange;
use super::refuse::name_server;
use super::relay::AnswerBody;
use super::request::Deadlines;
use crate::config::ModelKind;
use crate::domain::{Reason, Tier};
use crate::fallback::{Api, Asked, EmbedError, Embeddings, Endpoint, Question, Rejection, Scaling};
use crate::live::Engaged;

/// What `Proxy-Status` says of an answer of the local model's.
const NEXT_HOP: HeaderValue = HeaderValue::from_static("overspill; next-hop=\"local\"");
/// How long a text may wait for the local model on a route without any deadline.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

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
    let asked = endpoint.admit(request.method(), request.headers()).and_then(|()| endpoint.read(&body, &catalogue));
    let until = deadlines.head.unwrap_or_else(|| Instant::now() + LONGEST_WAIT);
    let outcome = match asked {
        Err(rejection) => return Ok(rejection.into()),
        Ok(Asked::Told(body)) => return Ok(LocalAnswer::of(body)),
        Ok(Asked::Texts(question)) => {
            let card = catalogue.card(question.place);
            if card.kind == ModelKind::Encoder && !accepted.is_none_or(|spaces| spaces.accept(&card.identity.space())) {
                return Err(Reason::LocalIdentityMismatch);
            }
            exchange.trace_run(&card.identity.name);
            texts(exchange, &local, &question, until).await.map(|embeddings| question.answer(card, &embeddings))
        }
        Ok(Asked::Tensors(mut question)) => {
            let Some(model) = local.beside().tensors(question.place) else { return Err(Reason::LocalUnsupported) };
            exchange.trace_run(&model.card().identity.name);
            let computed = model.compute(mem::take(&mut question.inputs), mem::take(&mut question.outputs), until);
            computed.await.and_then(|outputs| question.answer(model.card(), &outputs))
        }
    };
    exchange.trace_end(outcome.as_ref().err().map(EmbedError::reason));
    local.finished(outcome.as_ref().map(|_| ()).map_err(EmbedError::reason));
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

/// Asks the model that a question is for.
async fn texts(
    exchange: &mut Exchange,
    local: &Engaged,
    question: &Question,
    until: Instant,
) -> Result<Embeddings, EmbedError> {
    let Some(tier) = local.beside().texts(local.tier(), question.place) else { return Err(EmbedError::Stopped) };
    // The copies share their texts with the question, which a ranking is answered with.
    let texts = question.texts.clone();
    let embeddings = match question.scaling {
        Scaling::Own => tier.embed(texts, until).await?,
        Scaling::Raw => tier.embed_raw(texts, until).await?,
        Scaling::Unit => {
            let mut raw = tier.embed_raw(texts, until).await?;
            raw.normalise();
            raw
        }
    };
    exchange.queued(embeddings.queued);
    local.metrics().waited(embeddings.queued);
    Ok(embeddings)
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
