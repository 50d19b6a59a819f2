//! The `Location` of a redirect.

use super::Head;
use super::rewrite::with_query;
use crate::domain::{Redirect, RedirectPath, RedirectPort};

/// Where `redirect` sends the client of `head`; `rest` is what stands behind the part of the path that matched.
///
/// As Envoy does it: a default port is left out, the request's own port goes where a new port or another scheme makes it
/// wrong, and the query stays unless the new path has one. A port that is kept stays whatever the scheme
/// (`createSslRedirectPath`).
pub fn location(redirect: &Redirect, head: &Head<'_>, rest: &str) -> String {
    let scheme = redirect.scheme.as_deref().unwrap_or(head.scheme);
    let port = redirect.port.and_then(|port| match port {
        RedirectPort::Number(number) => Some(number),
        RedirectPort::OfRequest => Some(head.port),
        RedirectPort::Kept => None,
    });
    let port = port.filter(|port| *port != 0 && Some(*port) != default_port(scheme));
    let host = match (&redirect.authority, redirect.port) {
        (Some(host), _) => host,
        (None, Some(RedirectPort::Kept)) => head.authority,
        (None, _) => own_host(head, scheme, port),
    };
    let path = match &redirect.path {
        None => with_query(head.path.to_owned(), head.query),
        Some(RedirectPath::Whole(path)) if path.contains('?') => path.to_string(),
        Some(RedirectPath::Whole(path)) => with_query(path.to_string(), head.query),
        Some(RedirectPath::Prefix(prefix)) => with_query(format!("{prefix}{rest}"), head.query),
    };
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    match port {
        Some(port) => format!("{scheme}://{host}:{port}{path}"),
        None => format!("{scheme}://{host}{path}"),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// The request's host, without its port where that cannot stand any more.
fn own_host<'a>(head: &Head<'a>, scheme: &str, port: Option<u16>) -> &'a str {
    let authority = head.authority;
    let Some((host, own)) = authority.rsplit_once(':').filter(|(_, own)| !own.contains(']')) else { return authority };
    let was_default = || own.parse().ok() == default_port(head.scheme);
    if port.is_some() || (scheme != head.scheme && was_default()) { host } else { authority }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method, StatusCode};

    #[test]
    fn a_location_is_envoys() {
        let none =
            Redirect { code: StatusCode::MOVED_PERMANENTLY, scheme: None, authority: None, port: None, path: None };
        let whole = |path: &str| Some(RedirectPath::Whole(path.into()));
        let scheme = |name: &str| Some(name.into());
        for (authority, redirect, expected) in [
            ("a.b", Redirect { path: whole("/new"), ..none.clone() }, "http://a.b/new?q=1"),
            ("a.b", Redirect { path: whole("/new?p=2"), ..none.clone() }, "http://a.b/new?p=2"),
            (
                "a.b:8080",
                Redirect { path: Some(RedirectPath::Prefix("/v2".into())), ..none.clone() },
                "http://a.b:8080/v2/x?q=1",
            ),
            ("a.b:80", Redirect { scheme: scheme("https"), ..none.clone() }, "https://a.b/v1/x?q=1"),
            ("a.b:8080", Redirect { scheme: scheme("https"), ..none.clone() }, "https://a.b:8080/v1/x?q=1"),
            (
                "a.b:80",
                Redirect { scheme: scheme("https"), port: Some(RedirectPort::Kept), ..none.clone() },
                "https://a.b:80/v1/x?q=1",
            ),
            (
                "a.b:8080",
                Redirect { scheme: scheme("https"), port: Some(RedirectPort::Number(8443)), ..none.clone() },
                "https://a.b:8443/v1/x?q=1",
            ),
            ("a.b", Redirect { port: Some(RedirectPort::Number(80)), ..none.clone() }, "http://a.b/v1/x?q=1"),
            ("a.b", Redirect { port: Some(RedirectPort::OfRequest), ..none.clone() }, "http://a.b:8080/v1/x?q=1"),
            ("[::1]", Redirect { port: Some(RedirectPort::Number(81)), ..none.clone() }, "http://[::1]:81/v1/x?q=1"),
            ("[::1]:8080", Redirect { authority: Some("c.d".into()), ..none.clone() }, "http://c.d/v1/x?q=1"),
        ] {
            let head = Head {
                method: &Method::GET,
                scheme: "http",
                authority,
                path: "/v1/x",
                query: Some("q=1"),
                headers: &HeaderMap::new(),
                port: 8080,
                server_name: None,
            };
            assert_eq!(location(&redirect, &head, "/x"), expected, "{redirect:?}");
        }
    }
}
