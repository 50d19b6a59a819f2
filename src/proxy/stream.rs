//! What bytes go over to a client: TCP, secured or not.

use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::wire::Socket;

/// A client's connection.
pub(super) type Stream = Socket<Box<TlsStream<TcpStream>>>;

impl Stream {
    /// Has the close that follows break the connection off, so that what was sent cannot be taken for the whole.
    pub(super) fn reset_on_close(&self) {
        let socket = match self {
            Self::Clear(stream) => stream,
            Self::Secured(stream) => stream.get_ref().0,
        };
        // Where the system refuses, the connection closes as it can.
        SockRef::from(socket).set_linger(Some(Duration::ZERO)).ok();
    }
}
