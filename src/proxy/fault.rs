//! Faults injected on purpose: delays before a request goes out, and aborts in its place.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tokio::time::sleep;

use super::exchange::Exchange;
use super::refuse::refuse_with;
use super::relay::AnswerBody;
use crate::domain::{Abort, Fault, Reason};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// Holds the request back where the fault delays it, and says for how long and how it is then to be aborted.
pub(super) async fn inject(exchange: &Exchange, fault: &Fault) -> (Duration, Option<Abort>) {
    let worker = exchange.worker();
    let (delay, abort) = fault.inject(worker.draw(), worker.draw());
    if let Some(delay) = delay {
        sleep(delay).await;
    }
    (delay.unwrap_or_default(), abort)
}

/// Aborts the request. A client that speaks gRPC is told a status of gRPC in its own form: 200 and nothing but a head.
pub(super) fn abort(exchange: Exchange, abort: Abort, request: &HeaderMap) -> Response<AnswerBody> {
    let speaks_grpc = request.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    match abort {
        Abort::Http(status) => refuse_with(exchange, Reason::FaultInjected, status),
        Abort::Grpc(status) if speaks_grpc => {
            let mut response = refuse_with(exchange, Reason::FaultInjected, StatusCode::OK).map(AnswerBody::cut);
            response.headers_mut().insert(CONTENT_TYPE, GRPC);
            response.headers_mut().insert(GRPC_STATUS, u16::from(status.code()).into());
            response
        }
        Abort::Grpc(status) => refuse_with(exchange, Reason::FaultInjected, status.http_status()),
    }
}
