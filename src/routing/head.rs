//! A request's head, borrowed.

use std::borrow::Cow;

use http::{HeaderMap, Method};

/// What routing may look at: everything of a request but its body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The Host header or `:authority`, with its port if it has one.
    pub authority: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// The query, without its `?`.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The port on which the request came in.
    pub port: u16,
    /// The server name by which its client reached a TLS server (RFC 6066, section 3), in lower case and empty where it
    /// gave none; `None` where the connection is not known, which takes the host for it.
    pub server_name: Option<&'a str>,
}

impl<'a> Head<'a> {
    /// The host of the authority: lower case, without port, brackets or a trailing dot. Istio ignores the port here.
    pub fn host(&self) -> Cow<'a, str> {
        host_of(self.authority)
    }

    /// The first value of a query parameter, as written (Envoy compares it undecoded); a bare key has the value `""`.
    pub fn query_param(&self, name: &str) -> Option<&'a str> {
        self.query?.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }
}

/// The host of an authority: lower case, without port, brackets or a trailing dot.
pub fn host_of(authority: &str) -> Cow<'_, str> {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_leaves_port_case_brackets_and_dot_behind() {
        let headers = HeaderMap::new();
        for (authority, host) in
            [("a.b", "a.b"), ("A.b:80", "a.b"), ("a.b.:80", "a.b"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("", "")]
        {
            let head = Head {
                method: &Method::GET,
                scheme: "http",
                authority,
                path: "/",
                query: Some("a=1&b&a=2"),
                headers: &headers,
                port: 80,
                server_name: None,
            };
            assert_eq!(head.host(), host, "{authority}");
            assert_eq!(
                (head.query_param("a"), head.query_param("b"), head.query_param("c")),
                (Some("1"), Some(""), None)
            );
        }
    }
}
