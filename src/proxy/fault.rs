//! Faults injected on purpose: delays before a request goes out, and aborts in its place.

use std::time::Duration;

use http::{HeaderMap, Response};
use tokio::time::sleep;

use super::exchange::Exchange;
use super::refuse::{refuse_call, refuse_with};
use super::relay::AnswerBody;
use crate::domain::{Abort, AbortAnswer, Fault, Reason};

/// Holds the request back where the fault delays it, and says for how long and how it is then to be aborted.
pub(super) async fn inject(exchange: &Exchange, fault: &Fault) -> (Duration, Option<Abort>) {
    let worker = exchange.worker();
    let (delay, abort) = fault.inject(worker.draw(), worker.draw());
    if let Some(delay) = delay {
        sleep(delay).await;
    }
    (delay.unwrap_or_default(), abort)
}

/// Aborts the request, with a status of gRPC in the form that its client understands.
pub(super) fn abort(exchange: Exchange, abort: Abort, request: &HeaderMap) -> Response<AnswerBody> {
    match abort.answer(request) {
        AbortAnswer::Http(status) => refuse_with(exchange, Reason::FaultInjected, status),
        AbortAnswer::Call(status) => refuse_call(exchange, Reason::FaultInjected, status),
    }
}
