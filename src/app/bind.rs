//! Listening sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};

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

/// Whether somebody listens on `address` already, as far as Linux tells: connections are shared with whom a socket of
/// `SO_REUSEPORT` is.
pub(super) fn is_listened_on(address: SocketAddr) -> bool {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .any(|table| std::fs::read_to_string(table).is_ok_and(|table| has_listener(&table, address)))
}

/// Whether a table of sockets (proc(5), `/proc/net/tcp`) has one that listens on `address`: on its port, and on its IP address
/// or on all.
fn has_listener(table: &str, address: SocketAddr) -> bool {
    const LISTEN: &str = "0A";
    let own = match address.ip() {
        IpAddr::V4(ip) => format!("{:08X}", u32::from_ne_bytes(ip.octets())),
        IpAddr::V6(ip) => {
            let word = |at: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|byte| ip.octets()[4 * at + byte]));
            format!("{:08X}{:08X}{:08X}{:08X}", word(0), word(1), word(2), word(3))
        }
    };
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace();
        let Some((ip, port)) = fields.nth(1).and_then(|local| local.split_once(':')) else { return false };
        let listens = fields.nth(1) == Some(LISTEN);
        let everywhere = address.ip().is_unspecified() || ip.bytes().all(|digit| digit == b'0');
        listens && u16::from_str_radix(port, 16) == Ok(address.port()) && (everywhere || ip == own)
    })
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

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
        0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n   \
        1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1\n   \
        2: 0100007F:1F92 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 3 1\n   \
        3: 00000000000000000000000001000000:1F93 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 4 1\n";

    #[test]
    fn who_listens_on_an_address_is_found() {
        for (address, expected) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.2:8080", false),
            ("0.0.0.0:8080", true),
            ("127.0.0.2:8081", true),
            ("127.0.0.1:8082", false),
            ("[::1]:8083", true),
            ("[::2]:8083", false),
            ("[::]:8083", true),
            ("127.0.0.1:8084", false),
        ] {
            assert_eq!(has_listener(TABLE, address.parse().expect("an address")), expected, "{address}");
        }
    }
}
