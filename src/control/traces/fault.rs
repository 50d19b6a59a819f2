//! Why a collector did not take spans, whether they are sent again, and what helps.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use crate::config::OtlpProtocol;
use crate::domain::Reason;

/// Why spans were not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) cure: &'static str,
    pub(super) again: Again,
}

/// Whether a batch is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    /// After a time of the exporter's choice.
    Later,
    /// After the time that the collector asks for.
    After(Duration),
}

const REACH: &str = "Check that the collector runs, and `tracing.otlp.endpoint`: `http://HOST:4318` for its receiver of OTLP \
                     over HTTP, `http://HOST:4317` with `protocol: grpc`.";
const ALLOW: &str = "Give the collector the token that it asks for, in `tracing.otlp.headers`.";
const LOAD: &str = "Give the collector more room, or trace less by `tracing.samplingPercentage`.";
const LOOK: &str = "Look into the collector's log.";

impl Fault {
    /// There was no whole answer.
    pub(super) fn unanswered(reason: Reason) -> Self {
        let message = format!("{reason}: {}", reason.detail());
        Self { message, cure: REACH, again: Again::Later }
    }

    /// Its name has no address.
    pub(super) fn unresolved(why: &str) -> Self {
        Self { message: format!("its name cannot be looked up: {why}"), cure: REACH, again: Again::Later }
    }

    /// It took longer than `limit`.
    pub(super) fn late(limit: Duration) -> Self {
        Self { message: format!("no answer within {limit:?}"), cure: LOAD, again: Again::Later }
    }

    /// It answered, and refused spans one by one.
    pub(super) fn rejected(count: u64, why: &str) -> Self {
        Self { message: format!("it rejected {count} spans: {why}"), cure: LOOK, again: Again::Never }
    }

    /// It answered OTLP over HTTP with a status other than 2xx. 429, 502, 503 and 504 pass (OTLP, "Retryable Response
    /// Codes"), and may say when; whatever else is final.
    pub(super) fn of_http(status: StatusCode, headers: &HeaderMap) -> Self {
        let after = || headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs);
        let again = match status.as_u16() {
            429 | 502 | 503 | 504 => after().map_or(Again::Later, Again::After),
            _ => Again::Never,
        };
        let cure = match status.as_u16() {
            401 | 403 => ALLOW,
            429 => LOAD,
            500.. => LOOK,
            _ => REACH,
        };
        Self { message: format!("it answers {status}"), cure, again }
    }

    /// It answered OTLP over gRPC with a status other than OK. Which of them pass is OTLP's list ("Failures"); that the
    /// collector is exhausted is one only where it says when it no longer is, which is not read.
    pub(super) fn of_grpc(status: &str) -> Self {
        let again = if matches!(status, "1" | "4" | "10" | "11" | "14" | "15") { Again::Later } else { Again::Never };
        let cure = match status {
            "7" | "16" => ALLOW,
            "4" | "8" => LOAD,
            "12" => REACH,
            _ => LOOK,
        };
        Self { message: format!("it answers grpc-status {status}"), cure, again }
    }

    /// What an answer says that is no answer of OTLP's by `protocol`.
    pub(super) fn foreign(protocol: OtlpProtocol, status: StatusCode) -> Self {
        let message = format!("its answer, {status}, is not one of OTLP by {}", protocol.as_str());
        Self { message, cure: REACH, again: Again::Never }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_passes_is_sent_again() {
        let seconds = |seconds| Again::After(Duration::from_secs(seconds));
        for (status, after, again) in [
            (429, None, Again::Later),
            (429, Some("3"), seconds(3)),
            (503, Some("0"), seconds(0)),
            (502, Some("Wed, 21 Oct 2026 07:28:00 GMT"), Again::Later),
            (504, None, Again::Later),
            (500, Some("3"), Again::Never),
            (400, None, Again::Never),
            (404, None, Again::Never),
            (301, None, Again::Never),
        ] {
            let mut headers = HeaderMap::new();
            after.map(|after| headers.insert(RETRY_AFTER, HeaderValue::from_static(after)));
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(Fault::of_http(status, &headers).again, again, "{status} {after:?}");
        }
        for (status, again) in [("14", Again::Later), ("8", Again::Never), ("12", Again::Never), ("4", Again::Later)] {
            assert_eq!(Fault::of_grpc(status).again, again, "{status}");
        }
    }
}
