//! A non-blocking socket, in clear or over TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::{Broken, LoadError};
use crate::exchange::HOST;
use crate::outbox::Outbox;

/// One connection's socket.
pub(super) struct Transport {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Transport {
    /// Opens it. On loopback this waits for nothing as long as the listener's backlog has room.
    pub(super) fn open(target: SocketAddr, secure: Option<&Arc<ClientConfig>>) -> Result<Self, LoadError> {
        let unreachable = |error| LoadError::Unreachable(target, error);
        let socket = TcpStream::connect(target).map_err(unreachable)?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let tls = secure.map(|config| {
            let name =
                ServerName::try_from(HOST).map_err(|_| rustls::Error::General(format!("`{HOST}` is no name")))?;
            let mut tls = ClientConnection::new(Arc::clone(config), name)?;
            // A body waits in the outbox otherwise, and TLS would need a second one.
            tls.set_buffer_limit(None);
            Ok::<_, rustls::Error>(Box::new(tls))
        });
        Ok(Self { socket, tls: tls.transpose()? })
    }

    /// Writes as much of `outbox` as the socket takes now. Returns whether anything is left to be written.
    pub(super) fn send(&mut self, outbox: &mut Outbox) -> Result<bool, Broken> {
        let Some(tls) = &mut self.tls else {
            outbox.flush(&mut self.socket)?;
            return Ok(!outbox.is_empty());
        };
        outbox.flush(&mut tls.writer())?;
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// Reads what is there into `input`; nothing is `None`, and so is an end that was not expected yet.
    pub(super) fn receive(&mut self, input: &mut [u8]) -> Result<Option<usize>, Broken> {
        let Some(tls) = &mut self.tls else { return taken(self.socket.read(input)) };
        match tls.read_tls(&mut self.socket) {
            Ok(0) => return Err(Broken::Closed),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        tls.process_new_packets()?;
        taken(tls.reader().read(input))
    }

    /// Says goodbye, as a client does that is done.
    pub(super) fn close(mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // The other end may be gone already, and there is nobody to tell.
            let _ = tls.write_tls(&mut self.socket).and_then(|_| self.socket.flush());
        }
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn taken(read: io::Result<usize>) -> Result<Option<usize>, Broken> {
    match read {
        Ok(0) => Err(Broken::Closed),
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
