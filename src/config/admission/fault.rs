//! `HTTPFaultInjection`.

use super::judge::Judge;
use super::spot::Spot;
use crate::domain::GrpcStatus;

/// The least share that Envoy can draw, in percent.
const LEAST_SHARE: f64 = 0.0001;

pub(super) fn judge(judge: &mut Judge<'_>, fault: &Spot<'_>) {
    let (abort, delay) = (fault.at("abort"), fault.at("delay"));
    if fault.is_set() && !abort.is_set() && !delay.is_set() {
        judge.miss(fault, "A fault must have `abort`, `delay` or both.", "Add one of them.");
    }
    self::abort(judge, &abort);
    judge.percentage(&delay.at("percentage"), LEAST_SHARE);
    judge.duration(&delay.at("fixedDelay"));
    let exponential = delay.at("exponentialDelay");
    if exponential.is_set() {
        judge.reject(&exponential, "`exponentialDelay` is not supported by Istio either.", "Write `fixedDelay`.");
    }
}

fn abort(judge: &mut Judge<'_>, abort: &Spot<'_>) {
    judge.percentage(&abort.at("percentage"), LEAST_SHARE);
    let (http, grpc, http2) = (abort.at("httpStatus"), abort.at("grpcStatus"), abort.at("http2Error"));
    if http.is_set() && !(200..=600).contains(&http.int()) {
        let message = format!("The HTTP status {} is not in the range 200 to 599.", http.int());
        judge.reject(&http, message, "Write such a status.");
    }
    if grpc.is_set() && GrpcStatus::parse(grpc.text()).is_none() {
        let message = format!("The gRPC status `{}` is not supported.", grpc.text());
        judge.reject(&grpc, message, "Write its name, as `NOT_FOUND`.");
    }
    if http2.is_set() {
        judge.reject(&http2, "`http2Error` is not supported by Istio either.", "Write `httpStatus`.");
    }
    if abort.is_set() && !http.is_set() && !grpc.is_set() && !http2.is_set() {
        judge.warn(abort, "The abort has no error type, so that it aborts nothing.", "Add `httpStatus`.");
    }
}
