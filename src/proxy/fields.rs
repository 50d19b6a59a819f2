//! Header fields that an intermediary removes, adds and rewrites.

use std::net::SocketAddr;

use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, Version};

use crate::domain::Protocol;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
const CLIENT_CERTIFICATE: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// Removes what concerns one connection alone: the fields that RFC 9110, section 7.6.1, names and those that `Connection`
/// names. `TE: trailers` is said again on the next connection, since trailers are passed on.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let accepts_trailers = lists(headers, &TE, "trailers");
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
            .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
            .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
            .collect();
        named.iter().chain([&CONNECTION]).for_each(|name| {
            headers.remove(name);
        });
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE, TE] {
        headers.remove(name);
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

/// Appends the client to `X-Forwarded-For` and says in `X-Forwarded-Proto` what it spoke. A proto that the client sent
/// stands only where it is trusted.
pub(super) fn set_forwarded(
    headers: &mut HeaderMap,
    client: SocketAddr,
    scheme: &'static str,
    trust_proto: TrustProto,
) {
    let address = client.ip().to_canonical().to_string();
    let before: Vec<_> = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    let joined = before.into_iter().chain([address.as_bytes()]).collect::<Vec<_>>().join(&b", "[..]);
    // The parts were header values and an address, so the whole is one.
    if let Ok(value) = HeaderValue::from_bytes(&joined) {
        headers.insert(FORWARDED_FOR, value);
    }
    if trust_proto == TrustProto::No || !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
}

/// Says in `X-Forwarded-Client-Cert` which certificate the client has shown. One that the client says itself to have shown goes,
/// as Envoy lets it go.
pub(super) fn set_client_certificate(headers: &mut HeaderMap, shown: Option<&HeaderValue>) {
    match shown {
        Some(shown) => drop(headers.insert(CLIENT_CERTIFICATE, shown.clone())),
        None => drop(headers.remove(CLIENT_CERTIFICATE)),
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

/// Gives `request` the form that `protocol` has: the host in `Host` or in `:authority`, with its scheme.
pub(super) fn shape<B>(request: &mut Request<B>, protocol: Protocol, scheme: Scheme, authority: &str) {
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    match protocol {
        Protocol::Http1 => {
            *request.version_mut() = Version::HTTP_11;
            *request.uri_mut() = Uri::from(path);
            if let Ok(host) = HeaderValue::from_str(authority) {
                request.headers_mut().insert(HOST, host);
            }
            if request.headers().contains_key(TRAILER) {
                // Only a chunked body has trailers (RFC 9112, section 7.1.2); an HTTP/2 client may have said the length too.
                request.headers_mut().remove(CONTENT_LENGTH);
            }
            if request.headers().contains_key(TE) {
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
            parts.authority = authority.parse::<Authority>().ok();
            parts.path_and_query = Some(path);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
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
        remove_hop_by_hop(&mut fields);
        assert_eq!(written(&fields), ["host: a.b", "te: trailers", "trailer: x-sum"]);
    }

    #[test]
    fn the_client_is_appended_and_its_proto_is_not_believed() {
        let client = ([10, 0, 0, 1], 5).into();
        let mut fields =
            headers(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2"), ("x-forwarded-proto", "https")]);
        set_forwarded(&mut fields, client, "http", TrustProto::Yes);
        assert_eq!(written(&fields), ["x-forwarded-for: 1.1.1.1, 2.2.2.2, 10.0.0.1", "x-forwarded-proto: https"]);
        set_forwarded(&mut fields, client, "http", TrustProto::No);
        assert_eq!(written(&fields)[1], "x-forwarded-proto: http");
        set_forwarded(&mut fields, client, "https", TrustProto::No);
        assert_eq!(written(&fields)[1], "x-forwarded-proto: https");
    }

    #[test]
    fn a_request_takes_the_form_of_its_protocol() {
        let mut request =
            Request::builder().uri("http://x.y/p?q=1").header("te", "trailers").body(()).expect("a request");
        shape(&mut request, Protocol::Http1, Scheme::HTTPS, "a.b:80");
        assert_eq!(request.uri(), "/p?q=1");
        assert_eq!(written(request.headers()), ["connection: te", "host: a.b:80", "te: trailers"]);
        shape(&mut request, Protocol::Http2, Scheme::HTTPS, "a.b:80");
        assert_eq!(request.uri(), "https://a.b:80/p?q=1");
        assert_eq!(written(request.headers()), ["te: trailers"]);
    }
}
