//! Hosts and the key of a pool.

use std::fmt;
use std::net::IpAddr;

/// A host name in lower case without a trailing dot, or an IP address; never with a port. A wildcard only where it is what
/// a service of many hosts is called by, [`Host::of_many`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host(Box<str>);

/// Why a text is no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The text is empty.
    #[error("a host cannot be empty")]
    Empty,
    /// The text is over the 255 characters of RFC 1035, section 2.3.4.
    #[error("a host has at most 255 characters")]
    TooLong,
    /// One label is empty, over 63 characters, or holds a character that DNS labels (RFC 1123, section 2.1) do not.
    #[error("`{0}` is no DNS label: 1 to 63 letters, digits, `-` or `_`, not beginning or ending with `-`")]
    Label(String),
    /// A `*` stands elsewhere than alone or at the beginning.
    #[error("a `*` stands alone or at the beginning of a host")]
    Wildcard,
}

impl Host {
    /// Reads a host as a document writes it.
    ///
    /// # Errors
    /// [`HostError`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.is_empty() {
            return Err(HostError::Empty);
        }
        if bare.parse::<IpAddr>().is_err() {
            check_labels(bare)?;
        }
        Ok(Self(bare.to_ascii_lowercase().into_boxed_str()))
    }

    /// What a service whose hosts are those of `pattern` is called by.
    pub fn of_many(pattern: &HostPattern) -> Self {
        Self(pattern.to_string().into())
    }

    /// The hosts that this one stands for: itself, or those of the wildcard that it is.
    pub fn pattern(&self) -> HostPattern {
        match self.0.strip_prefix('*') {
            Some("") => HostPattern::Any,
            Some(suffix) => HostPattern::Suffix(suffix.into()),
            None => HostPattern::Exact(self.clone()),
        }
    }

    /// Whether it stands for many hosts.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with('*')
    }

    /// The host as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_labels(name: &str) -> Result<(), HostError> {
    if name.len() > 255 {
        return Err(HostError::TooLong);
    }
    name.split('.').try_for_each(|label| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let valid = (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-');
        if valid { Ok(()) } else { Err(HostError::Label(label.to_owned())) }
    })
}

/// A host of a `VirtualService`, `Gateway` or `DestinationRule`: a name, a wildcard for its beginning or everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// One host.
    Exact(Host),
    /// Every host that ends in this text, in lower case: `.example.com` for `*.example.com`, `-eu.example.com` for
    /// `*-eu.example.com`. The wildcard never stands for nothing.
    Suffix(Box<str>),
    /// Every host.
    Any,
}

impl HostPattern {
    /// Reads a host or a wildcard as a document writes it.
    ///
    /// # Errors
    /// [`HostError`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let Some(suffix) = text.strip_prefix('*') else {
            return if text.contains('*') { Err(HostError::Wildcard) } else { Host::parse(text).map(Self::Exact) };
        };
        if suffix.contains('*') {
            return Err(HostError::Wildcard);
        }
        let name = suffix.strip_prefix(['.', '-']).unwrap_or(suffix);
        let host = Host::parse(name)?;
        let first = &suffix[..suffix.len() - name.len()];
        Ok(Self::Suffix(format!("{first}{host}").into()))
    }

    /// Whether `host`, in lower case, is one that this pattern stands for.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(exact) => exact.as_str() == host,
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(&**suffix),
            Self::Any => true,
        }
    }

    /// Whether every host of `other` is one of this pattern's.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Exact(host)) => self.matches(host.as_str()),
            (Self::Suffix(suffix), Self::Suffix(other)) => other.ends_with(&**suffix),
            (Self::Exact(_) | Self::Suffix(_), Self::Any) | (Self::Exact(_), Self::Suffix(_)) => false,
        }
    }

    /// How specific this pattern is: of two that match one host, the greater wins.
    pub fn precedence(&self) -> usize {
        match self {
            Self::Exact(_) => usize::MAX,
            Self::Suffix(suffix) => suffix.len(),
            Self::Any => 0,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => write!(f, "{host}"),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// What makes a pool the same pool over reloads: where a destination points.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolKey {
    /// The destination's host, fully qualified.
    pub host: Host,
    /// The subset that a `DestinationRule` names; `None` is every endpoint of the host.
    pub subset: Option<Box<str>>,
    /// The service port.
    pub port: u16,
}

impl fmt::Display for PoolKey {
    /// `host:port`, or `host:port/subset`: the form of every metric label and log field that names a pool.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)?;
        self.subset.as_ref().map_or(Ok(()), |subset| write!(f, "/{subset}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_strictly_and_in_lower_case() {
        assert_eq!(Host::parse("Embeddings.Example.COM.").as_ref().map(Host::as_str), Ok("embeddings.example.com"));
        assert_eq!(Host::parse("127.0.0.1").as_ref().map(Host::as_str), Ok("127.0.0.1"));
        for (text, error) in [
            ("", HostError::Empty),
            ("a..b", HostError::Label(String::new())),
            ("-a.b", HostError::Label("-a".to_owned())),
            ("a b", HostError::Label("a b".to_owned())),
            ("*.a", HostError::Label("*".to_owned())),
        ] {
            assert_eq!(Host::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_the_beginning_of_a_host() {
        assert_eq!(HostPattern::parse("*"), Ok(HostPattern::Any));
        assert_eq!(
            HostPattern::parse("*.example.com").map(|pattern| pattern.to_string()),
            Ok("*.example.com".to_owned())
        );
        assert_eq!(HostPattern::parse("a.*.com"), Err(HostError::Wildcard));
        assert_eq!(HostPattern::parse("**.com"), Err(HostError::Wildcard));
        let pattern = |text: &str| HostPattern::parse(text).expect("a valid pattern");
        for (text, host, expected) in [
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "b.a.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*-EU.example.com", "a-eu.example.com", true),
            ("*-eu.example.com", "-eu.example.com", false),
            ("*foo.com", "barfoo.com", true),
            ("*", "", true),
        ] {
            assert_eq!(pattern(text).matches(host), expected, "{text} over {host}");
        }
        for (one, other, expected) in [
            ("*", "*.com", true),
            ("*.com", "*.example.com", true),
            ("*.com", "a.com", true),
            ("*.example.com", "*.com", false),
            ("a.com", "*.com", false),
        ] {
            assert_eq!(pattern(one).covers(&pattern(other)), expected, "{one} over {other}");
        }
    }
}
