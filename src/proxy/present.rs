//! Which of the fields that an intermediary looks at a head has, found in one pass over its names.

use http::HeaderMap;

/// A field that an intermediary looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    ClientCertificate,
    Connection,
    Cookie,
    Expect,
    ForwardedFor,
    ForwardedProto,
    KeepAlive,
    ProxyConnection,
    RequestId,
    /// One that names what is retried.
    RetriableNames,
    Te,
    Trace,
    Trailer,
    TransferEncoding,
    Upgrade,
}

impl Field {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "te" => Self::Te,
            "b3" | "traceparent" | "x-b3-traceid" | "x-b3-sampled" => Self::Trace,
            "cookie" => Self::Cookie,
            "expect" => Self::Expect,
            "trailer" => Self::Trailer,
            "upgrade" => Self::Upgrade,
            "connection" => Self::Connection,
            "keep-alive" => Self::KeepAlive,
            "x-request-id" => Self::RequestId,
            "x-forwarded-for" => Self::ForwardedFor,
            "proxy-connection" => Self::ProxyConnection,
            "transfer-encoding" => Self::TransferEncoding,
            "x-forwarded-proto" => Self::ForwardedProto,
            "x-forwarded-client-cert" => Self::ClientCertificate,
            "x-envoy-retriable-status-codes" | "x-envoy-retriable-header-names" => Self::RetriableNames,
            _ => return None,
        })
    }
}

/// The fields that a head had when it came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Present(u16);

impl Present {
    /// Those of `headers`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let bits = headers.keys().filter_map(|name| Field::of(name.as_str()));
        Self(bits.fold(0, |all, field| all | 1 << field as u16))
    }

    /// Whether `field` was there.
    pub(super) fn has(self, field: Field) -> bool {
        self.0 & 1 << field as u16 != 0
    }
}

/// What is known of the head that an endpoint is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    /// It is as the client sent it, but for what is done to every request: of the fields that are looked at it has no others.
    AsItCame(Present),
    /// A rule or an earlier try may have changed it.
    Nothing,
}

impl Known {
    /// Whether `field` may be there.
    pub(super) fn may_have(self, field: Field) -> bool {
        match self {
            Self::AsItCame(present) => present.has(field),
            Self::Nothing => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn what_is_there_is_known() {
        let mut headers = HeaderMap::new();
        for name in ["te", "x-b3-traceid", "accept", "x-forwarded-proto"] {
            headers.insert(name, HeaderValue::from_static("1"));
        }
        let present = Present::of(&headers);
        assert!(present.has(Field::Te) && present.has(Field::Trace) && present.has(Field::ForwardedProto));
        assert!(!present.has(Field::Connection) && !present.has(Field::RequestId));
    }
}
