//! Header fields that an intermediary removes, adds and rewrites.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, Version};

use super::present::{Field, Known, Present};
use crate::domain::Protocol;
use crate::routing::Asked;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
const CLIENT_CERTIFICATE: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// Removes what concerns one connection alone: the fields that RFC 9110, section 7.6.1, names and those that `Connection`
/// names. `TE: trailers` is said again on the next connection, since trailers are passed on.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap, present: Present) {
    let accepts_trailers = present.has(Field::Te) && lists(headers, &TE, "trailers");
    if present.has(Field::Connection) {
        let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
            .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
            .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
            .collect();
        named.iter().chain([&CONNECTION]).for_each(|name| {
            headers.remove(name);
        });
    }
    for (field, name) in [
        (Field::KeepAlive, KEEP_ALIVE),
        (Field::ProxyConnection, PROXY_CONNECTION),
        (Field::TransferEncoding, TRANSFER_ENCODING),
        (Field::Upgrade, UPGRADE),
        (Field::Te, TE),
    ] {
        if present.has(field) {
            headers.remove(name);
        }
    }
    if accepts_trailers {
        headers.insert(TE, TRAILERS);
    }
}

/// Whether `name` lists `token`, upper and lower case being the same.
pub(super) fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|listed| listed.eq_ignore_ascii_case(token))
}

fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Appends this intermediary to `Via` (RFC 9110, section 7.6.3) with the version in which the message came.
pub(super) fn append_via(headers: &mut HeaderMap, version: Version) {
    let via = match version {
        Version::HTTP_2 => "2 overspill",
        Version::HTTP_10 => "1.0 overspill",
        _ => "1.1 overspill",
    };
    headers.append(VIA, HeaderValue::from_static(via));
}

/// A client's address as `X-Forwarded-For` has it. Made once for its connection.
pub(super) fn forwarded_for(client: SocketAddr) -> HeaderValue {
    let address = client.ip().to_canonical().to_string();
    HeaderValue::from_maybe_shared(Bytes::from(address)).unwrap_or(HeaderValue::from_static("unknown"))
}

/// Appends the client, as [`forwarded_for`] has it, to `X-Forwarded-For`.
pub(super) fn append_forwarded_for(headers: &mut HeaderMap, client: &HeaderValue, present: Present) {
    if !present.has(Field::ForwardedFor) {
        headers.insert(FORWARDED_FOR, client.clone());
        return;
    }
    let before = headers.get_all(FORWARDED_FOR).iter().chain([client]);
    let joined = before.map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..]);
    // The parts were header values, so the whole is one.
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(joined)) {
        headers.insert(FORWARDED_FOR, value);
    }
}

/// Says in `X-Forwarded-Proto` what the client spoke. What it says itself stands only where it is trusted.
pub(super) fn set_forwarded_proto(headers: &mut HeaderMap, scheme: &'static str, trusted: TrustProto) {
    if trusted == TrustProto::No || !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
}

/// Says in `X-Forwarded-Client-Cert` which certificate the client has shown. One that the client says itself to have shown goes,
/// as Envoy lets it go.
pub(super) fn set_client_certificate(headers: &mut HeaderMap, shown: Option<&HeaderValue>, present: Present) {
    match shown {
        Some(shown) => drop(headers.insert(CLIENT_CERTIFICATE, shown.clone())),
        None if present.has(Field::ClientCertificate) => drop(headers.remove(CLIENT_CERTIFICATE)),
        None => {}
    }
}

/// Whether the client's own `X-Forwarded-Proto` is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TrustProto {
    Yes,
    No,
}

/// Says which try this is, as Istio has every virtual host do (`include_request_attempt_count`).
pub(super) fn set_attempt(headers: &mut HeaderMap, attempt: u32) {
    let value = if attempt == 1 { HeaderValue::from_static("1") } else { HeaderValue::from(attempt) };
    headers.insert(ATTEMPT_COUNT, value);
}

/// HTTP/2 may split cookies into fields; everything else expects them in one (RFC 9113, section 8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let joined = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
    if let Ok(value) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, value);
    }
}

/// Gives `request`, of which this is `known`, the form that `protocol` has: the host in `Host` or in `:authority`, with its
/// scheme.
pub(super) fn shape<B>(request: &mut Request<B>, protocol: Protocol, scheme: Scheme, asked: &Asked, known: Known) {
    let path = |uri: &Uri| uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    match protocol {
        Protocol::Http1 => {
            *request.version_mut() = Version::HTTP_11;
            if request.uri().authority().is_some() {
                *request.uri_mut() = Uri::from(path(request.uri()));
            }
            set_host(request.headers_mut(), asked, known);
            if known.may_have(Field::Trailer) && request.headers().contains_key(TRAILER) {
                // Only a chunked body has trailers (RFC 9112, section 7.1.2); an HTTP/2 client may have said the length too.
                request.headers_mut().remove(CONTENT_LENGTH);
            }
            // A request that is sent once more has said so before.
            if known.may_have(Field::Te)
                && request.headers().contains_key(TE)
                && !lists(request.headers(), &CONNECTION, "te")
            {
                request.headers_mut().append(CONNECTION, HeaderValue::from_static("te"));
            }
        }
        Protocol::Http2 => {
            *request.version_mut() = Version::HTTP_2;
            request.headers_mut().remove(HOST);
            request.headers_mut().remove(CONNECTION);
            request.headers_mut().remove(UPGRADE);
            let mut parts = http::uri::Parts::default();
            parts.scheme = Some(scheme);
            parts.authority = match asked {
                Asked::Target(authority) => Some(authority.clone()),
                asked => asked.parse::<Authority>().ok(),
            };
            parts.path_and_query = Some(path(request.uri()));
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
}

fn set_host(headers: &mut HeaderMap, asked: &Asked, known: Known) {
    match asked {
        // The client's own field stands, unless an endpoint that has no use for it was tried before.
        Asked::Header(_) if matches!(known, Known::AsItCame(_)) || headers.contains_key(HOST) => {}
        Asked::Header(host) => drop(headers.insert(HOST, host.clone())),
        asked => {
            if let Ok(host) = HeaderValue::from_str(asked) {
                headers.insert(HOST, host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn written(headers: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?"))).collect();
        lines.sort();
        lines
    }

    #[test]
    fn hop_by_hop_fields_go_and_the_others_stay() {
        let mut fields = headers(&[
            ("connection", "close, X-Secret"),
            ("connection", "host"),
            ("x-secret", "1"),
            ("host", "a.b"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "gzip, trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("trailer", "x-sum"),
        ]);
        let present = Present::of(&fields);
        remove_hop_by_hop(&mut fields, present);
        assert_eq!(written(&fields), ["host: a.b", "te: trailers", "trailer: x-sum"]);
    }

    #[test]
    fn the_client_is_appended_and_its_proto_is_not_believed() {
        let client = forwarded_for(([10, 0, 0, 1], 5).into());
        assert_eq!(forwarded_for("[::ffff:10.0.0.1]:5".parse().expect("an address")), client);
        let mut fields =
            headers(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2"), ("x-forwarded-proto", "https")]);
        let present = Present::of(&fields);
        append_forwarded_for(&mut fields, &client, present);
        set_forwarded_proto(&mut fields, "http", TrustProto::Yes);
        assert_eq!(written(&fields), ["x-forwarded-for: 1.1.1.1, 2.2.2.2, 10.0.0.1", "x-forwarded-proto: https"]);
        set_forwarded_proto(&mut fields, "http", TrustProto::No);
        assert_eq!(written(&fields)[1], "x-forwarded-proto: http");
        set_forwarded_proto(&mut fields, "https", TrustProto::No);
        assert_eq!(written(&fields)[1], "x-forwarded-proto: https");
    }

    #[test]
    fn a_request_takes_the_form_of_its_protocol() {
        let mut request =
            Request::builder().uri("http://x.y/p?q=1").header("te", "trailers").body(()).expect("a request");
        let asked = Asked::Rule("a.b:80".into());
        shape(&mut request, Protocol::Http1, Scheme::HTTPS, &asked, Known::Nothing);
        assert_eq!(request.uri(), "/p?q=1");
        assert_eq!(written(request.headers()), ["connection: te", "host: a.b:80", "te: trailers"]);
        shape(&mut request, Protocol::Http2, Scheme::HTTPS, &asked, Known::Nothing);
        assert_eq!(request.uri(), "https://a.b:80/p?q=1");
        assert_eq!(written(request.headers()), ["te: trailers"]);
    }
}
