//! Addresses for proxies to listen on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that Linux hands out by itself (`ip_local_port_range`): between the moment that one is found free and
/// the moment that a proxy binds it, nobody is given it.
const PORTS: Range<u16> = 20_000..32_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// An address on loopback that nothing listens on.
///
/// # Errors
/// If every port is taken.
pub fn free_address() -> io::Result<SocketAddr> {
    // Two runs at a time begin at different places.
    let begin = u16::try_from(std::process::id() % u32::from(PORTS.end - PORTS.start)).unwrap_or(0);
    for _ in PORTS {
        let step = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + step % (PORTS.end - PORTS.start);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr();
        }
    }
    Err(io::Error::other(format!("every port of {PORTS:?} is taken")))
}
