//! `grpc.health.v1.Health/Check`: its request and its answer.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, TE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::ask::Answered;
use crate::domain::OwnRequest;
use crate::pool::CheckResult;

const PATH: &str = "/grpc.health.v1.Health/Check";
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// `HealthCheckResponse.ServingStatus.SERVING`.
const SERVING: u8 = 1;

/// The request that asks for `service`, for `authority` where one is written.
pub(super) fn request(service: &str, authority: Option<&str>) -> OwnRequest {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        // HealthCheckRequest.service, field 1.
        message.put_u8(0x0a);
        put_varint(&mut message, service.len());
        message.put_slice(service.as_bytes());
    }
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    body.put(message);
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static("application/grpc")), (TE, HeaderValue::from_static("trailers"))];
    OwnRequest {
        method: Method::POST,
        path: PathAndQuery::from_static(PATH),
        host: authority.map(str::to_owned),
        headers: HeaderMap::from_iter(headers),
        body: body.freeze(),
    }
}

/// What an answer says: only a server that serves passes.
pub(super) fn result(answer: &Answered) -> CheckResult {
    let status = answer.trailers.as_ref().and_then(|trailers| trailers.get(STATUS)).or(answer.headers.get(STATUS));
    let is_well = answer.status == StatusCode::OK && status.is_some_and(|status| status == "0");
    if is_well && serves(&answer.body) { CheckResult::Passed } else { CheckResult::Failed }
}

/// Whether an uncompressed message says in its field 1 that the service serves.
fn serves(body: &Bytes) -> bool {
    let Some((prefix, message)) = body.split_at_checked(5) else { return false };
    // The last field of a number counts; nothing else is in this message.
    prefix[0] == 0 && message.chunks_exact(2).rfind(|field| field[0] == 0x08).is_some_and(|field| field[1] == SERVING)
}

fn put_varint(message: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        message.put_u8(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    message.put_u8(u8::try_from(value).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_service() {
        assert_eq!(&request("", None).body[..], b"\0\0\0\0\0");
        assert_eq!(&request("a.B", None).body[..], b"\0\0\0\0\x05\x0a\x03a.B");
        let long = "s".repeat(300);
        assert_eq!(&request(&long, None).body[..8], b"\0\0\0\x01\x2f\x0a\xac\x02");
    }

    #[test]
    fn only_serving_passes() {
        let cases: [(u16, &str, &[u8], CheckResult); 8] = [
            (200, "0", b"\0\0\0\0\x02\x08\x01", CheckResult::Passed),
            (200, "0", b"\0\0\0\0\x02\x08\x02", CheckResult::Failed),
            (200, "0", b"\0\0\0\0\x00", CheckResult::Failed),
            (200, "0", b"\x01\0\0\0\x02\x08\x01", CheckResult::Failed),
            (200, "0", b"", CheckResult::Failed),
            (200, "5", b"\0\0\0\0\x02\x08\x01", CheckResult::Failed),
            (200, "12", b"", CheckResult::Failed),
            (503, "0", b"\0\0\0\0\x02\x08\x01", CheckResult::Failed),
        ];
        for (status, grpc, body, expected) in cases {
            let fields = HeaderMap::from_iter([(STATUS, grpc.parse().expect("a value"))]);
            let status = StatusCode::from_u16(status).expect("a status");
            let (headers, body) = (HeaderMap::new(), Bytes::from_static(body));
            let in_trailers = Answered { status, headers, body: body.clone(), trailers: Some(fields.clone()) };
            let in_headers = Answered { status, headers: fields, body, trailers: None };
            assert_eq!([result(&in_trailers), result(&in_headers)], [expected; 2], "{status} {grpc}");
        }
    }
}
