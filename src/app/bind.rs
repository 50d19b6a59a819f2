//! Listening sockets.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

/// One listening socket for each of `count` workers, all on one address: the kernel spreads connections among them
/// (`SO_REUSEPORT`), and a successor can listen before its predecessor stops. Port 0 takes a free one.
///
/// # Errors
/// The system's own, for the first socket that cannot be bound.
pub(super) fn listen(address: SocketAddr, backlog: u32, count: usize) -> io::Result<Vec<std::net::TcpListener>> {
    let first = bind(address, backlog)?;
    let bound = first.local_addr()?;
    let mut sockets = vec![first];
    while sockets.len() < count {
        sockets.push(bind(bound, backlog)?);
    }
    Ok(sockets)
}

fn bind(address: SocketAddr, backlog: u32) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}
