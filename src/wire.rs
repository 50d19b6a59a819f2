//! HTTP/1.1 as bytes (RFC 9112), and bodies over HTTP/2: what the client's side and the endpoint's side of the router have in
//! common.
//!
//! Owns how bodies are framed, read and written, how the fields of a head become a map, and what waits to be written. Knows
//! neither connections nor requests: those are `proxy`'s and `upstream`'s.

mod chunked;
mod encoding;
mod fields;
mod framing;
mod gathered;
pub mod http2;
mod maps;
mod outbox;
mod rewound;
mod socket;

pub use chunked::Chunked;
pub use encoding::{Encoding, WrongLength};
pub use fields::{HeadSpans, MAX_FIELDS, keeps_alive, may_end};
pub use framing::{Framing, Next, number};
pub use gathered::Gathered;
pub use maps::Maps;
pub use outbox::Outbox;
pub use rewound::Rewound;
pub use socket::Socket;

/// What is no HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;
