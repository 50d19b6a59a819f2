//! HTTP/2 with clients (RFC 9113): one task a connection, which answers all of its streams.
//!
//! The `h2` crate speaks the protocol. Here its streams are answered, what they say is written together, and its frames are
//! watched: a client that floods it is told `ENHANCE_YOUR_CALM`, by the heads of frames on their way between it and the socket.

mod answer;
mod connection;
mod flood;
mod frames;
mod guarded;
mod ready;
mod streams;

pub(super) use answer::answer;
pub(super) use connection::{Coming, Terms, serve};
