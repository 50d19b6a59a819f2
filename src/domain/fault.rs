//! Faults that a rule injects on purpose.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

/// A share of requests, in Envoy's resolution of 0.0001 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentage(u32);

impl Percentage {
    /// All requests.
    pub const ALL: Self = Self(1_000_000);

    /// `percent` of a hundred, cut to the resolution; `None` outside Istio's range: 0, or 0.0001 to 100.
    pub fn new(percent: f64) -> Option<Self> {
        let valid = percent == 0.0 || (0.0001..=100.0).contains(&percent);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float's cast saturates; what is kept is within range, so that neither sign nor size is lost"
        )]
        valid.then_some(Self((percent * 10_000.0) as u32))
    }

    /// Whether `draw`, a number uniform over all of `u64`, falls within this share.
    pub fn takes(self, draw: u64) -> bool {
        (u128::from(draw) * 1_000_000) >> 64 < u128::from(self.0)
    }

    /// The share of a hundred.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

/// Istio's `HTTPFaultInjection`: delays and aborts, each for its own share of the requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// How long a request is held back.
    pub delay: Option<(Percentage, Duration)>,
    /// What a request is answered instead.
    pub abort: Option<(Percentage, Abort)>,
}

impl Fault {
    /// What becomes of one request; the two draws are independent of each other.
    pub fn inject(&self, delay_draw: u64, abort_draw: u64) -> (Option<Duration>, Option<Abort>) {
        let delay = self.delay.filter(|(share, _)| share.takes(delay_draw)).map(|(_, delay)| delay);
        let abort = self.abort.filter(|(share, _)| share.takes(abort_draw)).map(|(_, abort)| abort);
        (delay, abort)
    }
}

/// How a request is aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// With this status.
    Http(StatusCode),
    /// With this status of gRPC.
    Grpc(GrpcStatus),
}

impl Abort {
    /// What a client is answered that asked with the headers `request`.
    pub fn answer(self, request: &HeaderMap) -> AbortAnswer {
        match self {
            Self::Http(status) => AbortAnswer::Http(status),
            Self::Grpc(status) if speaks_grpc(request) => AbortAnswer::Call(status),
            Self::Grpc(status) => AbortAnswer::Http(status.http_status()),
        }
    }
}

/// The form in which an abort is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortAnswer {
    /// A status.
    Http(StatusCode),
    /// The status of gRPC under 200, for a call of gRPC.
    Call(GrpcStatus),
}

/// Whether a request with these headers is a call of gRPC, by Envoy's `Grpc::Common::isGrpcRequestHeaders`: gRPC-Web is
/// none.
pub fn speaks_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"));
    kind.is_some_and(|rest| rest.is_empty() || rest[0] == b'+')
}

/// A status of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcStatus(u8);

/// The names of gRPC's statuses in the order of their codes, each with the HTTP status that Envoy answers a client that
/// does not speak gRPC (`Grpc::Utility::grpcToHttpStatus`).
const GRPC: [(&str, u16); 17] = [
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

impl GrpcStatus {
    /// The status of this name, as `NOT_FOUND`.
    pub fn parse(name: &str) -> Option<Self> {
        let code = GRPC.iter().position(|(known, _)| *known == name)?;
        u8::try_from(code).ok().map(Self)
    }

    /// Its code, from 0.
    pub const fn code(self) -> u8 {
        self.0
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        GRPC[self.0 as usize].0
    }

    /// The HTTP status for a client that does not speak gRPC.
    pub fn http_status(self) -> StatusCode {
        StatusCode::from_u16(GRPC[usize::from(self.0)].1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_have_istios_range_and_envoys_resolution() {
        for (percent, kept) in
            [(0.0, Some(0.0)), (0.0001, Some(0.0001)), (12.345_678, Some(12.3456)), (100.0, Some(100.0))]
        {
            assert_eq!(Percentage::new(percent).map(Percentage::percent), kept, "{percent}");
        }
        for percent in [-1.0, 0.000_01, 100.1, f64::NAN] {
            assert_eq!(Percentage::new(percent), None, "{percent}");
        }
    }

    #[test]
    fn a_share_takes_what_falls_below_it() {
        let share = |percent| Percentage::new(percent).expect("a percentage");
        for (percent, draw, taken) in [
            (0.0, 0, false),
            (100.0, u64::MAX, true),
            (50.0, u64::MAX / 2 - 1, true),
            (50.0, u64::MAX / 2 + 1, false),
            (0.0001, 0, true),
            (0.0001, u64::MAX / 1_000_000 + 1, false),
        ] {
            assert_eq!(share(percent).takes(draw), taken, "{percent} of {draw}");
        }
    }

    #[test]
    fn delay_and_abort_draw_by_themselves() {
        let half = Percentage::new(50.0).expect("a percentage");
        let (delay, abort) = (Duration::from_secs(1), Abort::Http(StatusCode::IM_A_TEAPOT));
        let fault = Fault { delay: Some((half, delay)), abort: Some((half, abort)) };
        for (draws, injected) in [
            ((0, 0), (Some(delay), Some(abort))),
            ((0, u64::MAX), (Some(delay), None)),
            ((u64::MAX, 0), (None, Some(abort))),
            ((u64::MAX, u64::MAX), (None, None)),
        ] {
            assert_eq!(fault.inject(draws.0, draws.1), injected, "{draws:?}");
        }
    }

    #[test]
    fn grpc_statuses_have_codes_and_names() {
        let status = GrpcStatus::parse("UNAVAILABLE").expect("a status");
        assert_eq!((status.code(), status.name(), status.http_status().as_u16()), (14, "UNAVAILABLE", 503));
        assert_eq!(GrpcStatus::parse("unavailable"), None);
    }

    #[test]
    fn calls_are_known_by_their_content_type() {
        for (kind, call) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(kind))]);
            assert_eq!(speaks_grpc(&headers), call, "{kind}");
        }
        assert!(!speaks_grpc(&HeaderMap::new()));
    }
}
