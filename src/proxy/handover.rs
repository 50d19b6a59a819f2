//! Giving up a listening socket without losing who is about to connect.
//!
//! Closing it resets the connections that wait to be accepted, and those whose handshake is under way; the kernel moves
//! neither to a successor that listens on the same port (`net.ipv4.tcp_migrate_req` would, and is off by default).

use std::time::Duration;

use socket2::{SockFilter, SockRef};
use tokio::net::TcpListener;

/// How long handshakes that have begun may take: a round trip to clients far away. What begins later is not seen here.
pub(super) const HANDSHAKES: Duration = Duration::from_millis(250);

/// Has the kernel drop what would begin a connection to `listener`, from now on: a client sends it again after a second, and
/// then it is its successor's. Handshakes that have begun end. False where the kernel does not do so.
pub(super) fn take_no_new(listener: &TcpListener) -> bool {
    // Classic BPF over the TCP header, whose flags are its byte 13 (RFC 9293, section 3.1): of SYN (2) and ACK (16), SYN alone
    // is dropped.
    let filter = [
        SockFilter::new(0x30, 0, 0, 13),
        SockFilter::new(0x54, 0, 0, 0x12),
        SockFilter::new(0x15, 0, 1, 0x02),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    SockRef::from(listener).attach_filter(&filter).is_ok()
}
