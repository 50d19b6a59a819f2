//! Names as Istio's webhook takes them: labels, hosts with wildcards, addresses.
//!
//! What is wrong is said in one clause, for a message to end with.

use std::net::{IpAddr, Ipv6Addr};

/// A label (RFC 1123, section 2.1) of at most 63 letters, digits and `-`, which is neither its first nor its last.
pub(super) fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// A first label: `*`, or a label that may begin with `*` or `*-`.
fn is_wildcard_label(text: &str) -> bool {
    let bare = text.strip_prefix("*-").or_else(|| text.strip_prefix('*')).unwrap_or(text);
    text == "*" || (text.len() <= 63 && is_label(bare))
}

/// An IP address; that of version 6 may name a zone.
pub(super) fn is_ip(text: &str) -> bool {
    let zoned = text.split_once('%').is_some_and(|(ip, zone)| !zone.is_empty() && ip.parse::<Ipv6Addr>().is_ok());
    zoned || text.parse::<IpAddr>().is_ok()
}

/// An IP address, or a range of them (`10.0.0.0/8`).
pub(super) fn is_subnet(text: &str) -> bool {
    let Some((ip, bits)) = text.split_once('/') else { return is_ip(text) };
    let most = match ip.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    let plain = bits.bytes().all(|byte| byte.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
    plain && bits.parse::<u32>().is_ok_and(|bits| bits <= most)
}

/// A domain name without a wildcard; a dot at its end is allowed.
pub(super) fn domain(text: &str) -> Result<(), String> {
    length(text)?;
    labels(text)
}

/// A domain name whose first label may be a wildcard.
pub(super) fn wildcard_domain(text: &str) -> Result<(), String> {
    length(text)?;
    let (first, rest) = text.split_once('.').map_or((text, None), |(first, rest)| (first, Some(rest)));
    if !is_wildcard_label(first) {
        return Err(no_label(first));
    }
    rest.map_or(Ok(()), labels)
}

/// The name by which a gateway of another network asks for a service: `outbound_.PORT_.SUBSET_.HOST`.
pub(super) fn automatic_sni(text: &str) -> Option<Result<(), String>> {
    text.strip_prefix("outbound_")?;
    let parts: Vec<&str> = text.split('_').collect();
    let valid = parts.len() >= 4
        && parts[1].bytes().any(|byte| byte.is_ascii_digit())
        && parts[3].bytes().any(|byte| byte.is_ascii_alphabetic());
    Some(if valid {
        Ok(())
    } else {
        Err("a name that begins with `outbound_` reads `outbound_.PORT_.SUBSET_.HOST`".to_owned())
    })
}

/// Whether every name that `inner` stands for, `outer` stands for as well.
pub(super) fn is_covered(inner: &str, outer: &str) -> bool {
    match (inner.strip_prefix('*'), outer.strip_prefix('*')) {
        (Some(inner), Some(outer)) => inner.len() >= outer.len() && inner.ends_with(outer),
        (Some(_), None) => false,
        (None, Some(outer)) => inner.ends_with(outer),
        (None, None) => inner == outer,
    }
}

/// Whether some name is one that both stand for.
pub(in crate::config) fn overlap(one: &str, other: &str) -> bool {
    is_covered(one, other) || is_covered(other, one)
}

fn length(text: &str) -> Result<(), String> {
    match text.len() {
        0 => Err("an empty domain name is not allowed".to_owned()),
        1..=255 => Ok(()),
        _ => Err("a domain name has at most 255 characters".to_owned()),
    }
}

/// Those of a domain name, or of what follows its first label: nothing does, where a dot alone ends it.
fn labels(domain: &str) -> Result<(), String> {
    if domain.is_empty() {
        return Ok(());
    }
    let last = domain.rsplit('.').next().unwrap_or(domain);
    if last.parse::<i64>().is_ok() {
        return Err(format!("its top level domain `{last}` cannot be all digits"));
    }
    let bare = domain.strip_suffix('.').unwrap_or(domain);
    bare.split('.').find(|label| !is_label(label)).map_or(Ok(()), |label| Err(no_label(label)))
}

fn no_label(label: &str) -> String {
    format!("`{label}` is no DNS label: 1 to 63 letters, digits and `-`, which neither begins nor ends it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_those_of_istio() {
        let long = format!("{}.com", "a".repeat(64));
        for (text, plain, wildcard) in [
            ("a", true, true),
            ("reviews.prod.svc.cluster.local", true, true),
            ("A-1.example.com.", true, true),
            ("a.", true, true),
            ("*.", false, true),
            (".", false, false),
            ("a..", false, false),
            ("*..", false, false),
            ("*", false, true),
            ("*.com", false, true),
            ("*foo.com", false, true),
            ("*-foo.com", false, true),
            ("**.com", false, false),
            ("foo*.com", false, false),
            ("a.*.com", false, false),
            ("*-.com", false, false),
            ("", false, false),
            ("a..b", false, false),
            ("a_b.com", false, false),
            ("-a.com", false, false),
            ("1.2.3.4", false, false),
            ("123", false, true),
            (long.as_str(), false, false),
        ] {
            assert_eq!((domain(text).is_ok(), wildcard_domain(text).is_ok()), (plain, wildcard), "{text}");
        }
    }

    #[test]
    fn a_name_is_covered_by_itself_and_by_wider_wildcards() {
        for (inner, outer, covered) in [
            ("a.com", "a.com", true),
            ("a.com", "b.com", false),
            ("a.com", "*.com", true),
            ("*.a.com", "*.com", true),
            ("*.com", "*.a.com", false),
            ("*.com", "a.com", false),
            ("a.com", "*", true),
        ] {
            assert_eq!(is_covered(inner, outer), covered, "{inner} {outer}");
        }
    }

    #[test]
    fn addresses_and_ranges_are_those_of_go() {
        for (text, ip, subnet) in [
            ("10.0.0.1", true, true),
            ("010.0.0.1", false, false),
            ("fe80::1%eth0", true, true),
            ("10.0.0.1%eth0", false, false),
            ("10.0.0.0/8", false, true),
            ("10.0.0.0/33", false, false),
            ("10.0.0.0/08", false, false),
            ("::/0", false, true),
            ("a/8", false, false),
            ("", false, false),
        ] {
            assert_eq!((is_ip(text), is_subnet(text)), (ip, subnet), "{text}");
        }
    }
}
