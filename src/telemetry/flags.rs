//! Envoy's response flags of one request: `%RESPONSE_FLAGS%` and `%RESPONSE_FLAGS_LONG%` of its access log.

use std::borrow::Cow;

use crate::domain::{Reason, RetryEnd};

/// The short flags, `-` where there are none.
pub(super) fn short(reason: Option<Reason>, retries: Option<RetryEnd>) -> Cow<'static, str> {
    joined(reason.map(|reason| (reason, reason.flag())), retries.and_then(RetryEnd::flag))
}

/// The long flags.
pub(super) fn long(reason: Option<Reason>, retries: Option<RetryEnd>) -> Cow<'static, str> {
    joined(reason.map(|reason| (reason, reason.long_flag())), retries.and_then(RetryEnd::long_flag))
}

fn joined(reason: Option<(Reason, &'static str)>, retries: Option<&'static str>) -> Cow<'static, str> {
    match (reason.filter(|(_, flag)| *flag != "-"), retries) {
        (None, None) => "-".into(),
        (Some((_, flag)), None) | (None, Some(flag)) => flag.into(),
        (Some((_, flag)), Some(retries)) if flag == retries => flag.into(),
        // Envoy writes its flags in the order of its own list, in which these stand behind those of retries.
        (
            Some((
                Reason::StreamIdleTimeout
                | Reason::BodyTimeout
                | Reason::MalformedRequest
                | Reason::UpstreamProtocolError,
                flag,
            )),
            Some(retries),
        ) => format!("{retries},{flag}").into(),
        (Some((_, flag)), Some(retries)) => format!("{flag},{retries}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_stand_in_envoys_order_and_once() {
        for (reason, retries, flags) in [
            (None, None, "-"),
            (Some(Reason::BodyTooLarge), None, "-"),
            (Some(Reason::ConnectFailed), None, "UF"),
            (None, Some(RetryEnd::LimitExceeded), "URX"),
            (None, Some(RetryEnd::BodyTooLarge), "-"),
            (Some(Reason::ConnectFailed), Some(RetryEnd::LimitExceeded), "UF,URX"),
            (Some(Reason::UpstreamProtocolError), Some(RetryEnd::LimitExceeded), "URX,UPE"),
            (Some(Reason::SlotsTaken), Some(RetryEnd::Overflow), "UO"),
        ] {
            assert_eq!(short(reason, retries), flags, "{reason:?} {retries:?}");
        }
        assert_eq!(
            long(Some(Reason::UpstreamReset), Some(RetryEnd::LimitExceeded)),
            "UpstreamConnectionTermination,UpstreamRetryLimitExceeded"
        );
    }
}
