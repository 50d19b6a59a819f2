//! A client's HTTP/2 connection, watched frame by frame: a client that floods it is told `ENHANCE_YOUR_CALM`.
//!
//! hyper speaks the protocol; here only the heads of frames are looked at, on their way between it and the socket.

mod flood;
mod frames;
mod guarded;

pub(super) use guarded::Guarded;
