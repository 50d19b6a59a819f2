//! Upgraded connections (WebSocket): bytes both ways until one side ends or both are silent for too long.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderValue, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::sync::oneshot;
use tokio::time::sleep_until;

use super::body::RequestBody;
use super::exchange::Exchange;
use super::http1::Upgraded;
use super::refuse::refuse;
use super::relay::AnswerBody;
use super::request;
use crate::domain::Reason;
use crate::live::Held;
use crate::upstream::Answer;

/// Answers 101, to speak `protocol`, and joins the two connections. The slot is held until the tunnel ends. An endpoint that switches protocols
/// unasked has broken HTTP (RFC 9110, section 15.2.2).
pub(super) fn join(
    exchange: Exchange,
    answer: Answer<RequestBody>,
    protocol: Option<HeaderValue>,
    (upgrade, held): (Option<oneshot::Receiver<Upgraded>>, Held),
) -> Response<AnswerBody> {
    let (parts, body) = answer.into_parts();
    let (Some(client), Some(endpoint)) = (upgrade, body.upgrade()) else {
        return refuse(exchange, Reason::UpstreamProtocolError);
    };
    let mut response = Response::from_parts(parts, AnswerBody::none());
    let protocol = protocol.unwrap_or(HeaderValue::from_static("websocket"));
    request::set_upgrade(response.headers_mut(), &protocol);
    let idle = exchange.limits().stream_idle_timeout;
    let worker = Rc::clone(exchange.worker());
    worker.tunnels.borrow_mut().spawn_local(async move {
        let ended = match client.await {
            Ok(client) => relay(client, endpoint, idle).await,
            Err(_) => Ended::Broken(Reason::ClientDisconnected),
        };
        finish(exchange, ended);
        drop(held);
    });
    response
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

async fn relay(client: Upgraded, endpoint: impl AsyncRead + AsyncWrite + Unpin, idle: Duration) -> Ended {
    let moved = Cell::new(Instant::now());
    let mut client = Stamped { stream: client, moved: &moved };
    let mut endpoint = Stamped { stream: endpoint, moved: &moved };
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
struct Stamped<'a, S> {
    stream: S,
    moved: &'a Cell<Instant>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Stamped<'_, S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Stamped<'_, S> {
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
