//! Limits on what a client's connection may ask for, as far as no single request is refused.

/// A limit that a client, or all of them together, have come to. What refuses one request is a [`Reason`](super::Reason).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Connections of one listener: the next is closed at once.
    Connections,
    /// The age of a connection: it ends with the requests that it carries.
    ConnectionAge,
    /// The time without a request on a connection: it is closed.
    ConnectionIdle,
    /// Streams of one HTTP/2 connection: the next is reset with `REFUSED_STREAM`.
    Http2Streams,
    /// Streams that a client resets within a second.
    Http2Resets,
    /// Frames of a client within a second that are about the connection alone.
    Http2ControlFrames,
    /// Frames of a client within a second that hold nothing.
    Http2EmptyFrames,
    /// `CONTINUATION` frames of one head.
    Http2Continuations,
    /// The time until a head over HTTP/2 has come whole: the connection ends.
    Http2HeadTimeout,
    /// The time of a TLS handshake: the connection is closed.
    TlsHandshakeTimeout,
    /// What the HTTP/2 library itself takes for abuse.
    Http2Other,
    /// Bytes of bodies that are kept for retries, over all requests: what is over it is not kept.
    RetryBuffer,
    /// Open files of the process, or memory of the system: connections wait with the kernel until there are some.
    OpenFiles,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 13] = [
        Self::Connections,
        Self::ConnectionAge,
        Self::ConnectionIdle,
        Self::Http2Streams,
        Self::Http2Resets,
        Self::Http2ControlFrames,
        Self::Http2EmptyFrames,
        Self::Http2Continuations,
        Self::Http2HeadTimeout,
        Self::TlsHandshakeTimeout,
        Self::Http2Other,
        Self::RetryBuffer,
        Self::OpenFiles,
    ];

    /// Its place in [`Limit::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionAge => "connection_age",
            Self::ConnectionIdle => "connection_idle",
            Self::Http2Streams => "http2_streams",
            Self::Http2Resets => "http2_resets",
            Self::Http2ControlFrames => "http2_control_frames",
            Self::Http2EmptyFrames => "http2_empty_frames",
            Self::Http2Continuations => "http2_continuations",
            Self::Http2HeadTimeout => "http2_head_timeout",
            Self::TlsHandshakeTimeout => "tls_handshake_timeout",
            Self::Http2Other => "http2_other",
            Self::RetryBuffer => "retry_buffer",
            Self::OpenFiles => "open_files",
        }
    }
}

/// What one HTTP/2 connection of a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2Limits {
    /// Streams that are open at a time.
    pub max_concurrent_streams: u32,
    /// Streams that the client resets within a second.
    pub max_resets_per_second: u32,
    /// `PING`, `SETTINGS`, `PRIORITY` and `GOAWAY` frames and those of unknown types within a second.
    pub max_control_frames_per_second: u32,
    /// Frames within a second that hold nothing and end nothing.
    pub max_empty_frames_per_second: u32,
    /// `CONTINUATION` frames of one head.
    pub max_continuation_frames: u32,
}

#[cfg(test)]
mod tests {
    use super::Limit;

    #[test]
    fn each_limit_knows_its_place() {
        for (place, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit.index(), place, "{}", limit.as_str());
        }
    }
}
