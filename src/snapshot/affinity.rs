//! The hashes that keep a request to its endpoint.

use std::net::IpAddr;
use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use super::{PoolId, Snapshot};
use crate::domain::{HashCookie, HashKey};
use crate::pool::stable_hash;
use crate::routing::Head;

/// What one request is to one pool that chooses by hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// The pool.
    pub pool: PoolId,
    /// The request's hash.
    pub hash: u64,
    /// The cookie that the client is to keep, where the router has just made it.
    pub set_cookie: Option<HeaderValue>,
}

/// The affinities of a request to those of `candidates` that choose by hash; of the others, and where the request lacks
/// what is hashed, there is none. `draw` makes the value of a new cookie.
pub fn affinities(
    snapshot: &Snapshot,
    candidates: &[PoolId],
    head: &Head<'_>,
    client: IpAddr,
    mut draw: impl FnMut() -> u64,
) -> Vec<Affinity> {
    let affinity = |pool: &PoolId| {
        let key = snapshot.pool(*pool).hash_key.as_ref()?;
        let (hash, set_cookie) = match key {
            HashKey::Header(name) => (header(head.headers, name)?, None),
            HashKey::QueryParameter(name) => (stable_hash(head.query_param(name)?.bytes()), None),
            HashKey::SourceIp => match client.to_canonical() {
                IpAddr::V4(address) => (stable_hash(address.octets()), None),
                IpAddr::V6(address) => (stable_hash(address.octets()), None),
            },
            HashKey::Cookie(key) => match (cookie(head.headers, &key.name), key.ttl) {
                (Some(value), _) => (stable_hash(value.bytes()), None),
                (None, Some(ttl)) => {
                    let value = format!("{:016x}", draw());
                    (stable_hash(value.bytes()), set_cookie(key, &value, ttl))
                }
                (None, None) => return None,
            },
        };
        Some(Affinity { pool: *pool, hash, set_cookie })
    };
    candidates.iter().filter_map(affinity).collect()
}

/// All values of a header, each with its end.
fn header(headers: &HeaderMap, name: &http::HeaderName) -> Option<u64> {
    headers.contains_key(name).then(|| {
        let values = headers.get_all(name).iter();
        stable_hash(values.flat_map(|value| value.as_bytes().iter().copied().chain([0])))
    })
}

/// The value of a cookie, without the quotes it may have.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut cookies = fields.flat_map(|field| field.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let value = cookies.find_map(|(key, value)| (key == name).then_some(value))?;
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// A `Set-Cookie` as Envoy writes it; `None` where a name or attribute cannot stand in a header.
fn set_cookie(key: &HashCookie, value: &str, ttl: Duration) -> Option<HeaderValue> {
    let age = if ttl.is_zero() { String::new() } else { format!("; Max-Age={}", ttl.as_secs()) };
    let path = if key.path.is_empty() { String::new() } else { format!("; Path={}", key.path) };
    let attribute = |(name, value): &(Box<str>, Box<str>)| {
        if value.is_empty() { format!("; {name}") } else { format!("; {name}={value}") }
    };
    let attributes: String = key.attributes.iter().map(attribute).collect();
    let text = format!("{}=\"{value}\"{age}{path}{attributes}; HttpOnly", key.name);
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests;
