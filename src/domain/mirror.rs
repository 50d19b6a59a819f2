//! Mirrored requests: their host, and what becomes of them.

/// What Envoy appends to the host of a request that it mirrors, so that logs tell it from the original.
const SUFFIX: &str = "-shadow";

/// `authority` as the mirrored request names it: the suffix stands behind the host, before a port. Empty stays empty.
pub fn shadow_authority(authority: &str) -> String {
    if authority.is_empty() {
        return String::new();
    }
    // An IPv6 literal has colons of its own, within brackets (RFC 3986, section 3.2.2).
    let literal = authority.rfind(']').map_or(0, |end| end + 1);
    let port = authority[literal..].rfind(':').map_or(authority.len(), |colon| literal + colon);
    let (host, port) = authority.split_at(port);
    format!("{host}{SUFFIX}{port}")
}

/// What became of a mirrored request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MirrorEnd {
    /// It was answered.
    Answered,
    /// It was not answered, or the original ended before its body was whole.
    Failed,
    /// It was given up for want of room: too many were under way, its pool took no more, or it fell too far behind the
    /// original.
    Dropped,
}

impl MirrorEnd {
    /// The word for it in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_stands_before_the_port() {
        for (authority, shadow) in [
            ("a.example", "a.example-shadow"),
            ("a.example:8080", "a.example-shadow:8080"),
            ("10.0.0.1:80", "10.0.0.1-shadow:80"),
            ("[::1]", "[::1]-shadow"),
            ("[::1]:80", "[::1]-shadow:80"),
            ("", ""),
        ] {
            assert_eq!(shadow_authority(authority), shadow);
        }
    }
}
