//! The end of a connection, such that its client comes to read the last answer (RFC 9112, section 9.6).

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::inbound::Inbound;
use super::shop::Supplies;
use crate::proxy::stream::Stream;

/// How much of a body that nobody wants is read so that its connection can be kept.
pub(super) const WORTH_READING: u64 = 64 * 1024;

/// How long a client may be silent while what nobody wants of it is read.
const SILENCE: Duration = Duration::from_secs(1);

/// How long such is read at most.
const LINGER: Duration = Duration::from_secs(10);

/// How long a client may take over the end of its stream.
const FAREWELL: Duration = Duration::from_secs(1);

/// Reads the rest of a body that nobody wants; whether its end came before the client was silent for too long or sent more
/// than it is worth.
pub(super) async fn reads_out(inbound: &RefCell<Inbound>, supplies: &Supplies) -> bool {
    let mut left = WORTH_READING;
    let read = poll_fn(|context| poll_read_out(&mut inbound.borrow_mut(), &mut left, supplies, context));
    timeout(SILENCE, read).await.unwrap_or(false)
}

fn poll_read_out(inbound: &mut Inbound, left: &mut u64, supplies: &Supplies, context: &mut Context<'_>) -> Poll<bool> {
    loop {
        match inbound.discard_read() {
            Ok(true) => return Poll::Ready(true),
            Err(_) => return Poll::Ready(false),
            Ok(false) => {}
        }
        match ready!(inbound.poll_fill(0, supplies, context)) {
            Ok(count @ 1..) if count as u64 <= *left => *left -= count as u64,
            _ => return Poll::Ready(false),
        }
    }
}

/// Closes a connection whose client may still be sending: closed with bytes unread, the kernel would break it off and take the
/// answer down with it.
pub(super) async fn linger(mut stream: Stream) {
    // A client that has gone needs no farewell.
    if !matches!(timeout(FAREWELL, stream.shutdown()).await, Ok(Ok(()))) {
        return;
    }
    let mut unread = BytesMut::with_capacity(8 * 1024);
    let end = Instant::now() + LINGER;
    while let Ok(Ok(1..)) = timeout_at(end.min(Instant::now() + SILENCE), stream.read_buf(&mut unread)).await {
        unread.clear();
    }
}

/// Closes a connection whose client has sent all that it was to send.
pub(super) async fn close(mut stream: Stream) {
    // A client that has gone needs no farewell.
    timeout(FAREWELL, stream.shutdown()).await.ok();
}
