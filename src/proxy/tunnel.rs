//! Upgraded connections (WebSocket): bytes both ways until one side ends or both are silent for too long.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderValue, Response};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::sleep_until;

use super::exchange::Exchange;
use super::refuse::refuse;
use super::relay::AnswerBody;
use super::request;
use crate::domain::Reason;
use crate::live::Held;

/// Answers 101, to speak `protocol`, and joins the two connections. The slot is held until the tunnel ends. An endpoint that switches protocols
/// unasked has broken HTTP (RFC 9110, section 15.2.2).
pub(super) fn join(
    exchange: Exchange,
    mut response: Response<Incoming>,
    protocol: Option<HeaderValue>,
    (upgrade, held): (Option<OnUpgrade>, Held),
) -> Response<AnswerBody> {
    let Some(client) = upgrade else { return refuse(exchange, Reason::UpstreamProtocolError) };
    let endpoint = hyper::upgrade::on(&mut response);
    let protocol = protocol.unwrap_or(HeaderValue::from_static("websocket"));
    request::set_upgrade(response.headers_mut(), &protocol);
    let idle = exchange.limits().stream_idle_timeout;
    let worker = Rc::clone(exchange.worker());
    worker.tunnels.borrow_mut().spawn_local(async move {
        let ended = match (client.await, endpoint.await) {
            (Ok(client), Ok(endpoint)) => relay(client, endpoint, idle).await,
            (Err(_), _) => Ended::Broken(Reason::ClientDisconnected),
            (_, Err(_)) => Ended::Broken(Reason::UpstreamReset),
        };
        finish(exchange, ended);
        drop(held);
    });
    response.map(|_| AnswerBody::none())
}

/// How a tunnel ended.
#[derive(Clone, Copy, Debug)]
enum Ended {
    /// Both sides closed; so many bytes went to the client.
    Closed(u64),
    Broken(Reason),
}

fn finish(mut exchange: Exchange, ended: Ended) {
    match ended {
        Ended::Closed(sent) => {
            exchange.sent(usize::try_from(sent).unwrap_or(usize::MAX));
            exchange.finish(None);
        }
        Ended::Broken(reason) => exchange.finish(Some(reason)),
    }
}

async fn relay(client: Upgraded, endpoint: Upgraded, idle: Duration) -> Ended {
    let moved = Cell::new(Instant::now());
    let mut client = Stamped { stream: TokioIo::new(client), moved: &moved };
    let mut endpoint = Stamped { stream: TokioIo::new(endpoint), moved: &moved };
    let silence = async {
        while moved.get().elapsed() < idle {
            sleep_until((moved.get() + idle).into()).await;
        }
    };
    tokio::select! {
        copied = copy_bidirectional(&mut client, &mut endpoint) => match copied {
            Ok((_, to_client)) => Ended::Closed(to_client),
            Err(_) => Ended::Broken(Reason::UpstreamReset),
        },
        () = silence => Ended::Broken(Reason::StreamIdleTimeout),
    }
}

/// A stream that notes when bytes came over it.
struct Stamped<'a> {
    stream: TokioIo<Upgraded>,
    moved: &'a Cell<Instant>,
}

impl AsyncRead for Stamped<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if polled.is_ready() {
            self.moved.set(Instant::now());
        }
        polled
    }
}

impl AsyncWrite for Stamped<'_> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
