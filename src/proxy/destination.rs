//! Where a request goes that brings its destination along, and that it is not here.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use http::uri::Authority;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::exchange::Exchange;
use crate::domain::{HostPattern, Original, OriginalBy, Reason};
use crate::live::Destinations;
use crate::routing::host_of;

/// What a worker needs to find destinations.
#[derive(Clone, Debug)]
pub struct Originals {
    /// The addresses of hosts.
    pub destinations: Destinations,
    /// Where this router listens: what is sent there would come back.
    pub own: Arc<[SocketAddr]>,
}

/// The destination that a request for `authority` brings along to a pool; `None` where the pool has endpoints.
///
/// # Errors
/// [`Reason::NoEndpoint`] for a host that the pool is not for, [`Reason::NameNotResolved`], and [`Reason::LoopDetected`]
/// where it would come back to this router.
pub(super) async fn brought(
    exchange: &Exchange,
    original: Option<&Original>,
    authority: &str,
) -> Result<Option<SocketAddr>, Reason> {
    match original {
        None => Ok(None),
        // What is rare is boxed: it would make the future of every request as large as itself.
        Some(original) => Box::pin(find(exchange, original, authority)).await.map(Some),
    }
}

async fn find(exchange: &Exchange, original: &Original, authority: &str) -> Result<SocketAddr, Reason> {
    let originals = &exchange.worker().originals;
    let redirected = exchange.client().redirected_from.filter(|_| original.by == OriginalBy::Address);
    let destination = match redirected {
        Some(from) => SocketAddr::new(from.ip(), original.redirected_port.unwrap_or(from.port())),
        None => {
            SocketAddr::new(look_up(&originals.destinations, original, authority).await?, port(original, authority))
        }
    };
    if originals.is_own(destination) { Err(Reason::LoopDetected) } else { Ok(destination) }
}

/// The port of a destination: the service's, or what the request says where the service is whatever host there is.
fn port(original: &Original, authority: &str) -> u16 {
    let said = || authority.parse::<Authority>().ok()?.port_u16();
    if original.hosts == HostPattern::Any { said().unwrap_or(original.port) } else { original.port }
}

async fn look_up(destinations: &Destinations, original: &Original, authority: &str) -> Result<IpAddr, Reason> {
    let asked = host_of(authority);
    let host = match &original.hosts {
        HostPattern::Exact(host) => host.as_str(),
        pattern if pattern.matches(&asked) => &asked,
        _ => return Err(Reason::NoEndpoint),
    };
    match host.parse() {
        Ok(address) => Ok(address),
        Err(_) => destinations.find(host).await,
    }
}

impl Originals {
    fn is_own(&self, destination: SocketAddr) -> bool {
        let ip = destination.ip().to_canonical();
        let is_here = |own: &&SocketAddr| {
            let listens = own.ip().to_canonical();
            own.port() == destination.port() && (listens == ip || (listens.is_unspecified() && is_local(ip)))
        };
        self.own.iter().find(is_here).is_some()
    }
}

/// Whether `ip` is an address of this machine: only such can be bound.
fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || UdpSocket::bind((ip, 0)).is_ok()
}

/// Where a connection was sent to before the system redirected it here (`SO_ORIGINAL_DST`); `None` where it was sent here.
pub(super) fn redirected_from(stream: &TcpStream) -> Option<SocketAddr> {
    let (here, socket) = (canonical(stream.local_addr().ok()?), SockRef::from(stream));
    let original = if here.is_ipv4() { socket.original_dst_v4() } else { socket.original_dst_v6() };
    // Where nothing is redirected the system knows no original.
    let original = canonical(original.ok()?.as_socket()?);
    (original != here).then_some(original)
}

/// The address with an IPv4 address that was mapped to IPv6 as it was.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
