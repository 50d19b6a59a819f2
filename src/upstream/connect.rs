//! Opening a connection to an endpoint.

use std::time::Duration;

use hyper::body::Body;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::age::Age;
use super::http1::Connection;
use super::idle::Link;
use super::refusal::{Noted, Refusal};
use super::transport::Transport;
use super::{Identity, Target};
use crate::domain::{Keepalive, Reason};

/// What one stream and one connection may have in flight towards us: enough for a body of embeddings at the bandwidth and
/// delay of one cluster, where HTTP/2's own default of 64 KiB makes a sender wait.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 1 << 20;
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// How often a quiet HTTP/2 connection is asked for a sign of life, and how long it has to give one.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Spawns on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct Here;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

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

pub(super) async fn http2<B>(target: Target<'_>, refusal: &Refusal) -> Result<http2::SendRequest<B>, Reason>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let transport = open(target, refusal).await?;
    let handshake = http2::Builder::new(Here)
        .timer(TokioTimer::new())
        .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(HTTP2_PING_TIMEOUT)
        .handshake(TokioIo::new(transport));
    let (sender, connection) = handshake.await.map_err(|_| refusal.reason())?;
    // Its error reaches whoever waits for an answer; here there is nobody left to tell.
    tokio::task::spawn_local(async move { connection.await.ok() });
    Ok(sender)
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
