//! Opening a connection to an endpoint.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::age::Age;
use super::http1::Connection;
use super::http2;
use super::idle::Link;
use super::refusal::{Noted, Refusal};
use super::shared::Http2;
use super::transport::Transport;
use super::{Identity, Target};
use crate::domain::{Keepalive, Reason};

pub(super) async fn http1(target: Target<'_>) -> Result<Box<Link>, Reason> {
    let refusal = Refusal::default();
    let connection = Connection::new(open(target, &refusal).await?);
    Ok(Box::new(Link {
        connection,
        address: target.address.clone(),
        identity: Identity::of(target),
        age: Age::new(target.settings),
        refusal,
        requests: 0,
        spent: false,
    }))
}

pub(super) async fn http2(target: Target<'_>, shared: &Rc<Http2>) -> Result<SendRequest<Bytes>, Reason> {
    let transport = open(target, &shared.refusal).await?;
    http2::begin(transport, shared).await.map_err(|_| shared.refusal.reason())
}

/// Opens a connection.
async fn open(target: Target<'_>, refusal: &Refusal) -> Result<Transport, Reason> {
    if target.tls.is_some_and(|tls| !tls.client.is_usable()) {
        return Err(Reason::UpstreamTlsFailed);
    }
    timeout(target.connect_timeout, open_in_any_time(target, refusal)).await.map_err(|_| Reason::ConnectTimeout)?
}

async fn open_in_any_time(target: Target<'_>, refusal: &Refusal) -> Result<Transport, Reason> {
    let connected = TcpStream::connect(target.socket).await;
    let stream = connected.map_err(|_| Reason::ConnectFailed)?;
    // Small writes (a head, an event) leave at once instead of waiting for an acknowledgement of the last.
    stream.set_nodelay(true).map_err(|_| Reason::ConnectFailed)?;
    if let Some(keepalive) = target.settings.keepalive {
        SockRef::from(&stream).set_tcp_keepalive(&probing(keepalive)).map_err(|_| Reason::ConnectFailed)?;
    }
    let Some(tls) = target.tls else { return Ok(Transport::Clear(stream)) };
    let secured = tls.client.connect(stream, tls.host, target.protocol).await.map_err(|_| Reason::UpstreamTlsFailed)?;
    Ok(Transport::Secured(Noted::new(secured, refusal.clone())))
}

/// The kernel counts in seconds, and from one; what is not set is its own.
fn probing(keepalive: Keepalive) -> TcpKeepalive {
    let seconds = |duration: Duration| duration.max(Duration::from_secs(1));
    let mut probing = TcpKeepalive::new();
    if let Some(time) = keepalive.time {
        probing = probing.with_time(seconds(time));
    }
    if let Some(interval) = keepalive.interval {
        probing = probing.with_interval(seconds(interval));
    }
    if let Some(probes) = keepalive.probes {
        probing = probing.with_retries(probes.get());
    }
    probing
}
