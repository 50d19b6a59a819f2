//! A request's head, borrowed.

use std::borrow::Cow;

use http::{HeaderMap, Method};

/// The longest name that DNS has, in bytes (RFC 1035, section 2.3.4): only a longer one costs an allocation.
const LONGEST_NAME: usize = 255;

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
    /// Looks at the host of the authority: lower case, without port, brackets or a trailing dot. Istio ignores the port
    /// here. What is written otherwise is written anew for as long as it is looked at, without an allocation.
    pub fn with_host<T>(&self, look: impl FnOnce(&str) -> T) -> T {
        let host = bare_host(self.authority);
        if !has_upper_case(host) {
            return look(host);
        }
        let mut scratch = [0; LONGEST_NAME];
        let lower = scratch.get_mut(..host.len()).and_then(|lower| {
            lower.copy_from_slice(host.as_bytes());
            lower.make_ascii_lowercase();
            std::str::from_utf8(lower).ok()
        });
        match lower {
            Some(lower) => look(lower),
            None => look(&host.to_ascii_lowercase()),
        }
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
    let host = bare_host(authority);
    if has_upper_case(host) { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) }
}

fn bare_host(authority: &str) -> &str {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host.strip_suffix('.').unwrap_or(host)
}

fn has_upper_case(host: &str) -> bool {
    host.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_leaves_port_case_brackets_and_dot_behind() {
        let headers = HeaderMap::new();
        let (upper, lower) = ("A".repeat(300), "a".repeat(300));
        for (authority, host) in [
            ("a.b", "a.b"),
            ("A.b:80", "a.b"),
            ("a.b.:80", "a.b"),
            ("[::1]:80", "::1"),
            ("[::AB]", "::ab"),
            ("É.B", "É.b"),
            ("", ""),
            (&*upper, &*lower),
        ] {
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
            head.with_host(|found| assert_eq!(found, host, "{authority}"));
            assert_eq!(host_of(authority), host, "{authority}");
            assert_eq!(
                (head.query_param("a"), head.query_param("b"), head.query_param("c")),
                (Some("1"), Some(""), None)
            );
        }
    }
}
