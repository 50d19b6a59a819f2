//! Answers that the router makes itself, and what it says about who answered.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode, Version};
use serde_json::json;

use super::exchange::Exchange;
use super::relay::AnswerBody;
use crate::domain::{GrpcStatus, Reason, Tier};
use crate::fallback::Api;

const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// How long a refused client is asked to wait, in seconds: as long as a slot takes to come free, and the least that
/// `Retry-After` can say.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Refuses the request for `reason`: a JSON body, `Proxy-Status` (RFC 9209) and, where a later try may succeed,
/// `Retry-After`.
pub(super) fn refuse(exchange: Exchange, reason: Reason) -> Response<AnswerBody> {
    let status = StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    refuse_with(exchange, reason, status)
}

/// Refuses a request that the local model was asked to answer, in the shape that the clients of `api` read.
pub(super) fn refuse_as(exchange: Exchange, reason: Reason, api: Api) -> Response<AnswerBody> {
    if api == Api::OpenAi {
        return refuse(exchange, reason);
    }
    let status = StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Bytes::from(api.rejection(status, &message(&exchange, reason)).body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    let details = details(&exchange).unwrap_or_else(|| reason.detail().to_owned());
    send_refusal(exchange, (reason, details), response)
}

/// Refuses a request for a path before its route is known: where the local model is on, in the shape that the clients of the
/// path's API read.
pub(super) fn refuse_unrouted(exchange: Exchange, reason: Reason, path: &str) -> Response<AnswerBody> {
    match Api::of(path).filter(|_| exchange.worker().local.is_on()) {
        Some(api) => refuse_as(exchange, reason, api),
        None => refuse(exchange, reason),
    }
}

/// Refuses what is no request for `reason`, and says what is wrong with it.
pub(super) fn refuse_for(exchange: Exchange, reason: Reason, fault: &str) -> Response<AnswerBody> {
    let status = StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let message = if fault == reason.detail() { fault.to_owned() } else { format!("{}: {fault}", reason.detail()) };
    send_refusal(exchange, (reason, message.clone()), told(reason, status, &message))
}

/// Refuses the request with a status other than the reason's own.
pub(super) fn refuse_with(exchange: Exchange, reason: Reason, code: StatusCode) -> Response<AnswerBody> {
    let details = details(&exchange).unwrap_or_else(|| reason.detail().to_owned());
    let told = told(reason, code, &message(&exchange, reason));
    send_refusal(exchange, (reason, details), told)
}

/// What the body says: the reason, and the time that an answer would have taken where that was too long.
fn message(exchange: &Exchange, reason: Reason) -> Cow<'static, str> {
    match exchange.declined_for() {
        Some((declined, Some(needed))) if declined == reason => {
            format!("{}: it would take {:.1} s", reason.detail(), needed.as_secs_f64()).into()
        }
        _ => reason.detail().into(),
    }
}

fn told(reason: Reason, code: StatusCode, message: &str) -> Response<Bytes> {
    let body = json!({ "error": { "message": message, "type": "overspill", "param": null, "code": reason.code() } });
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// Refuses a call of gRPC in its own form: 200 and nothing but a head.
pub(super) fn refuse_call(exchange: Exchange, reason: Reason, status: GrpcStatus) -> Response<AnswerBody> {
    let mut response = Response::new(Bytes::new());
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response.headers_mut().insert(GRPC_STATUS, u16::from(status.code()).into());
    let details = details(&exchange).unwrap_or_else(|| reason.detail().to_owned());
    send_refusal(exchange, (reason, details), response)
}

/// Adds what every refusal says. Last come the operations of the rule, if one matched, and of its destination: Envoy
/// carries them out on its local replies too (`FilterManager::sendLocalReply`).
fn send_refusal(
    mut exchange: Exchange,
    (reason, details): (Reason, String),
    mut response: Response<Bytes>,
) -> Response<AnswerBody> {
    exchange.refused(reason, response.status().as_u16());
    let status = format!("overspill; error={}; details=\"{}: {details}\"", reason.proxy_error(), reason.code());
    let headers = response.headers_mut();
    if reason.is_passing() {
        headers.insert(RETRY_AFTER, retry_after(&exchange));
    }
    if let Ok(value) = HeaderValue::from_str(&status) {
        headers.insert(PROXY_STATUS, value);
    }
    exchange.edit_answer(headers);
    let ends = matches!(reason, Reason::MalformedRequest | Reason::BodyTimeout);
    if ends && exchange.version() < Version::HTTP_2 {
        // Where the one ends, and the next begins, others may see in another place; the other will not end (RFC 9110,
        // section 15.5.9).
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| AnswerBody::whole(body, exchange))
}

/// In how many seconds a refused client is to come back: once the local model would have been done with what it has, where
/// that was too long.
fn retry_after(exchange: &Exchange) -> HeaderValue {
    let needed = exchange.declined_for().and_then(|(_, needed)| needed);
    needed.map_or(RETRY_AFTER_SECONDS, |needed| (needed.as_secs() + 1).into())
}

/// Says in `x-served-by` which tier answered, and in `Proxy-Status` which pool and after which spills.
pub(super) fn name_server<B>(
    response: &mut Response<B>,
    exchange: &Exchange,
    tier: Option<Tier>,
    next_hop: &HeaderValue,
) {
    if let Some(tier) = tier {
        response.headers_mut().insert(SERVED_BY, HeaderValue::from_static(tier.as_str()));
    }
    let status = details(exchange).and_then(|details| {
        let next_hop = next_hop.to_str().ok()?;
        HeaderValue::from_str(&format!("{next_hop}; details=\"{details}\"")).ok()
    });
    // Appended: an intermediary behind this one may have said something of its own (RFC 9209, section 2).
    response.headers_mut().append(PROXY_STATUS, status.unwrap_or_else(|| next_hop.clone()));
}

/// Which pools did not serve the request, the local model among them, and why; `None` where its first choice did.
fn details(exchange: &Exchange) -> Option<String> {
    let spills = exchange.spills();
    let preferred = exchange.preference().map(|pool| {
        format!("queued at {}, since later pools would miss the latency objective", exchange.snapshot().pool(pool).name)
    });
    if spills.is_empty() {
        return preferred;
    }
    let by_pools =
        spills.iter().map(|(pool, reason)| format!("{} at {}", reason.code(), exchange.snapshot().pool(*pool).name));
    let by_local_model = exchange.declined_for().map(|(reason, needed)| match needed {
        Some(needed) => format!("{} at local (it would take {:.1} s)", reason.code(), needed.as_secs_f64()),
        None => format!("{} at local", reason.code()),
    });
    let told: Vec<_> = by_pools.chain(by_local_model).collect();
    let spilled = format!("spilled; {}", told.join(", "));
    Some(preferred.map_or_else(|| spilled.clone(), |preferred| format!("{preferred}; {spilled}")))
}
