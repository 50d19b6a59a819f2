//! Answers that a rule gives itself: preflights, redirects and direct responses.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::exchange::Exchange;
use super::refuse::refuse;
use super::relay::AnswerBody;
use crate::domain::{OwnAnswer, Reason};
use crate::routing::{Cors, Head};
use crate::snapshot::RouteId;

/// The media type that Envoy gives the body of a direct response.
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain");

/// Holds the request against its rule's CORS policy: an allowed origin is noted for the answer, and a preflight has its
/// permission returned.
pub(super) fn preflight(exchange: &mut Exchange, route: RouteId, parts: &Parts) -> Option<HeaderMap> {
    match exchange.snapshot().route(route).judge_origin(&parts.method, &parts.headers) {
        Cors::Pass => None,
        Cors::Permit(origin) => {
            exchange.permitted(origin);
            None
        }
        Cors::Preflight(permission) => Some(permission),
    }
}

/// Answers a preflight.
pub(super) fn permission(mut exchange: Exchange, headers: HeaderMap) -> Response<AnswerBody> {
    exchange.answered(StatusCode::OK.as_u16(), None);
    let mut response = Response::new(AnswerBody::whole(Bytes::new(), exchange));
    *response.headers_mut() = headers;
    response
}

/// Answers as the rule `route` says; nothing of the request's body is read.
pub(super) fn respond(
    mut exchange: Exchange,
    route: RouteId,
    answer: &OwnAnswer,
    head: &Head<'_>,
) -> Response<AnswerBody> {
    let mut response = Response::new(Bytes::new());
    match answer {
        OwnAnswer::Redirect(redirect) => {
            let location = exchange.snapshot().route(route).location(redirect, head);
            // A client's own host may hold what no header value can.
            let Ok(location) = HeaderValue::from_str(&location) else {
                return refuse(exchange, Reason::MalformedRequest);
            };
            *response.status_mut() = redirect.code;
            response.headers_mut().insert(LOCATION, location);
        }
        OwnAnswer::Direct(direct) => {
            *response.status_mut() = direct.status;
            *response.body_mut() = direct.body.clone();
            if !direct.body.is_empty() {
                response.headers_mut().insert(CONTENT_TYPE, PLAIN);
            }
        }
    }
    exchange.answered(response.status().as_u16(), None);
    exchange.edit_answer(response.headers_mut());
    response.map(|body| AnswerBody::whole(body, exchange))
}
