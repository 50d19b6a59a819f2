//! The host and port that a request is for, as cheap to clone as what the client sent.

use std::ops::Deref;

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Version};

use crate::domain::Reason;

/// The host and port that a request is for. Derefs to them as text, which is empty where there are none.
#[derive(Clone, Debug, Default)]
pub enum Asked {
    /// HTTP/1.0 knows no Host; such a request is for whatever answers to every host.
    #[default]
    Nothing,
    /// What `Host` says.
    Header(HeaderValue),
    /// What the request's target says: its URI is absolute (RFC 9112, section 3.2.2), or it has `:authority`.
    Target(Authority),
    /// What the rule says instead.
    Rule(Box<str>),
}

impl Asked {
    /// That of a request as it came.
    ///
    /// # Errors
    /// [`Reason::MalformedRequest`] where several hosts are named, none, or something that is no host.
    pub fn of(parts: &Parts) -> Result<Self, Reason> {
        let mut hosts = parts.headers.get_all(HOST).iter();
        let host = hosts.next();
        // RFC 9112, section 3.2: an invalid value is refused, never passed on, whatever the target says.
        let valid = hosts.next().is_none()
            && match host {
                Some(host) => host.is_empty() || is_host(host.as_bytes()),
                None => parts.version != Version::HTTP_11,
            };
        match (host, parts.uri.authority()) {
            _ if !valid => Err(Reason::MalformedRequest),
            (_, Some(authority)) => Ok(Self::Target(authority.clone())),
            (Some(host), None) if !host.is_empty() => Ok(Self::Header(host.clone())),
            (Some(_), None) => Ok(Self::Nothing),
            (None, None) if parts.version == Version::HTTP_10 => Ok(Self::Nothing),
            (None, None) => Err(Reason::MalformedRequest),
        }
    }
}

impl Deref for Asked {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Nothing => "",
            // It is one that `is_host` holds for, and so text.
            Self::Header(host) => host.to_str().unwrap_or_default(),
            Self::Target(authority) => authority.as_str(),
            Self::Rule(text) => text,
        }
    }
}

/// Which bytes names and addresses are made of, as nearly all requests have them.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    while byte.is_ascii() {
        plain[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        byte += 1;
    }
    plain
};

/// Whether `bytes` are a host with or without a port. Names and addresses as nearly all requests have them are known at a
/// look; the rest is parsed.
fn is_host(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|byte| !PLAIN[usize::from(*byte)]).unwrap_or(bytes.len());
    let plain = match bytes[end..].split_first() {
        None => true,
        Some((b':', port)) => (1..5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    };
    if plain && end > 0 {
        return true;
    }
    Authority::try_from(bytes).is_ok_and(|authority| {
        let port = &authority.as_str()[authority.host().len()..];
        !authority.as_str().contains('@') && (matches!(port, "" | ":") || authority.port_u16().is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn what_is_no_host_is_refused() {
        for (hosts, uri, version, expected) in [
            (&["a.b"][..], "/", Version::HTTP_11, Ok("a.b")),
            (&["A.b:8080"], "/", Version::HTTP_11, Ok("A.b:8080")),
            (&["a_b"], "/", Version::HTTP_11, Ok("a_b")),
            (&["a.b:65535"], "/", Version::HTTP_11, Ok("a.b:65535")),
            (&["[::1]:80"], "/", Version::HTTP_11, Ok("[::1]:80")),
            (&["a.b:"], "/", Version::HTTP_11, Ok("a.b:")),
            (&["a.b"], "http://c.d/", Version::HTTP_11, Ok("c.d")),
            (&[""], "http://c.d/", Version::HTTP_11, Ok("c.d")),
            (&[], "http://c.d/", Version::HTTP_10, Ok("c.d")),
            (&[], "http://c.d/", Version::HTTP_2, Ok("c.d")),
            (&[], "http://c.d/", Version::HTTP_11, Err(Reason::MalformedRequest)),
            (&["a b"], "http://c.d/", Version::HTTP_11, Err(Reason::MalformedRequest)),
            (&["a.b:port"], "/", Version::HTTP_11, Err(Reason::MalformedRequest)),
            (&["a.b:65536"], "/", Version::HTTP_11, Err(Reason::MalformedRequest)),
            (&[""], "/", Version::HTTP_11, Ok("")),
            (&[], "/", Version::HTTP_10, Ok("")),
            (&[], "/", Version::HTTP_11, Err(Reason::MalformedRequest)),
            (&["a.b", "a.b"], "/", Version::HTTP_11, Err(Reason::MalformedRequest)),
            (&["a.b", "a.b"], "http://c.d/", Version::HTTP_11, Err(Reason::MalformedRequest)),
            (&["me@a.b"], "/", Version::HTTP_11, Err(Reason::MalformedRequest)),
            (&["a b"], "/", Version::HTTP_11, Err(Reason::MalformedRequest)),
            (&["a.b/c"], "/", Version::HTTP_11, Err(Reason::MalformedRequest)),
        ] {
            let mut request = Request::builder().uri(uri).version(version);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            let (parts, ()) = request.body(()).expect("a request").into_parts();
            assert_eq!(Asked::of(&parts).as_deref(), expected.as_ref().map(|host| *host), "{hosts:?} {uri}");
        }
    }
}
