//! Fault injection.

use std::time::Duration;

use http::StatusCode;

use crate::config::written::{HttpFault, HttpFaultAbort, HttpFaultDelay, Percent};
use crate::domain::{Abort, Fault, GrpcStatus, Percentage, parse_duration};

pub(super) fn read(written: &HttpFault) -> Fault {
    Fault { delay: written.delay.as_ref().and_then(delay), abort: written.abort.as_ref().and_then(abort) }
}

fn delay(written: &HttpFaultDelay) -> Option<(Percentage, Duration)> {
    // The older field counts whole percents, and only where the newer one is not there.
    let older = Percentage::new(f64::from(written.percent.clamp(0, 100))).unwrap_or_default();
    let delay = written.fixed_delay.as_deref().and_then(|text| parse_duration(text).ok());
    delay.map(|delay| (written.percentage.as_ref().map_or(older, share), delay))
}

fn abort(written: &HttpFaultAbort) -> Option<(Percentage, Abort)> {
    let status = |status| u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let abort = match (written.http_status, &written.grpc_status) {
        (Some(code), _) => status(code).map(Abort::Http),
        (None, Some(name)) => GrpcStatus::parse(name).map(Abort::Grpc),
        (None, None) => None,
    };
    abort.map(|abort| (written.percentage.as_ref().map(share).unwrap_or_default(), abort))
}

fn share(written: &Percent) -> Percentage {
    Percentage::new(written.value).unwrap_or_default()
}
