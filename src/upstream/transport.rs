//! What bytes go over to an endpoint: TCP, secured or not.

use std::io;
use std::mem::MaybeUninit;

use socket2::SockRef;
use tokio::io::Interest;

use super::refusal::Noted;
use crate::wire::Socket;

/// An open connection.
pub(super) type Transport = Socket<Noted>;

/// How closely a connection is looked at before it is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// What the runtime has heard of, which costs no call into the kernel.
    Heard,
    /// What has reached the kernel.
    Arrived,
}

impl Transport {
    pub(super) fn is_secured(&self) -> bool {
        matches!(self, Self::Secured(_))
    }

    /// Whether the socket has neither an end nor bytes to read. Over TLS those may be a session's ticket.
    pub(super) fn is_silent(&self, look: Look) -> bool {
        let socket = match self {
            Self::Clear(stream) => stream,
            Self::Secured(stream) => stream.socket(),
        };
        let peek = || SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
        let peeked = match look {
            Look::Heard => socket.try_io(Interest::READABLE, peek),
            Look::Arrived => peek(),
        };
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}
