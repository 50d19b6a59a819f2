//! What is asked and what must come back: the contract between load, proxy and origin.

/// The host that every request names, and that every proxy routes by.
pub const HOST: &str = "bench.example";

/// The header that sends a request to pool A alone.
pub const RULE: (&str, &str) = ("x-latency-sensitive", "true");

/// Of every this many requests, one carries [`RULE`].
pub const RULE_EACH: usize = 10;

/// What the other requests are split by: pool A's share and pool B's, in percent.
pub const SPLIT: (u32, u32) = (70, 30);

/// The prefix of a gRPC message: a flag and its length.
pub const GRPC_PREFIX: usize = 5;

/// The version of HTTP on one side of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1.
    H1,
    /// HTTP/2 in clear, by prior knowledge.
    H2,
}

/// What clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// HTTP in clear.
    Clear(Wire),
    /// HTTP over TLS; ALPN says which.
    Tls,
}

/// One request and its answer, by their sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What the client speaks.
    pub wire: Wire,
    /// Bytes of the request's body; a request without one is a GET, any other a POST.
    pub body: usize,
    /// Bytes of the answer's body.
    pub answer: usize,
}

impl Exchange {
    /// The request's method.
    pub fn method(&self) -> &'static str {
        if self.body == 0 { "GET" } else { "POST" }
    }

    /// The path that asks the origin for an answer of this size.
    pub fn path(&self) -> String {
        format!("/bytes/{}", self.answer)
    }

    /// A call as gRPC makes it: one message each way over HTTP/2. The origin answers every other way a body that comes
    /// over HTTP/2.
    pub fn unary(message: usize) -> Self {
        Self { wire: Wire::H2, body: GRPC_PREFIX + message, answer: GRPC_PREFIX + message }
    }
}

/// The size of the answer that a path asks for.
pub fn answer_size(path: &str) -> Option<usize> {
    path.strip_prefix("/bytes/")?.parse().ok()
}

/// A gRPC message of zeros in `bytes` bytes, with its prefix.
pub fn message(bytes: usize) -> Vec<u8> {
    let mut message = vec![0; bytes];
    let length = u32::try_from(bytes.saturating_sub(GRPC_PREFIX)).unwrap_or(u32::MAX);
    if let Some(place) = message.get_mut(1..GRPC_PREFIX) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    message
}
