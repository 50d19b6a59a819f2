//! Answers from the local model.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;

use super::attempt::Outbound;
use super::body::RequestBody;
use super::exchange::Exchange;
use super::refuse::name_server;
use super::relay::AnswerBody;
use super::request::Deadlines;
use crate::domain::{Reason, Tier};
use crate::fallback::{Api, EmbedError};

/// What `Proxy-Status` says of an answer of the local model's.
const NEXT_HOP: HeaderValue = HeaderValue::from_static("overspill; next-hop=\"local\"");
/// How long a text may wait for the local model on a route without any deadline.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What the local model says to a request: vectors, or what is wrong with it.
pub(super) struct LocalAnswer {
    status: StatusCode,
    body: Bytes,
}

/// Asks the local model. Where it cannot answer, the request is whole again, so that it can still go elsewhere.
pub(super) async fn answer(
    exchange: &mut Exchange,
    outbound: &mut Outbound,
    deadlines: Deadlines,
) -> Result<LocalAnswer, Reason> {
    let Some(request) = &mut outbound.request else { return Err(Reason::LocalUnsupported) };
    let Some(api) = Api::recognise(request.method(), request.uri().path()) else {
        return Err(Reason::LocalUnsupported);
    };
    let local = exchange.worker().local.engage()?;
    let body = read_whole(request.body_mut()).await.ok_or(Reason::ClientDisconnected)?;
    let question = match api.parse(&body, local.tier().identity()) {
        Ok(question) => question,
        Err(rejection) => return Ok(LocalAnswer { status: rejection.status, body: rejection.body.into() }),
    };
    let until = deadlines.head.unwrap_or_else(|| Instant::now() + LONGEST_WAIT);
    let outcome = local.tier().embed(question.texts.clone(), until).await;
    local.metrics().finished(outcome.as_ref().map(|_| ()).map_err(EmbedError::reason));
    match outcome {
        Ok(embeddings) => {
            exchange.queued(embeddings.queued);
            local.metrics().waited(embeddings.queued);
            let body = question.answer(local.tier().identity(), &embeddings).into();
            Ok(LocalAnswer { status: StatusCode::OK, body })
        }
        Err(error) => {
            tracing::debug!(%error, "the local model did not answer");
            exchange.would_take(error.needed());
            Err(error.reason())
        }
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
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(Api::CONTENT_TYPE));
    exchange.edit_answer(response.headers_mut());
    name_server(&mut response, &exchange, Some(Tier::Local), &NEXT_HOP);
    response.map(|()| AnswerBody::whole(answer.body, exchange))
}
