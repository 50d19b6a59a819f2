//! Taking connections from listening sockets, whatever goes wrong with one of them.
//!
//! Owns what an error of `accept` means: most concern a connection that has gone, and the next is taken at once; where the
//! system has nothing left to make one of, taking rests and is counted. Never gives up.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::domain::Limit;
use crate::telemetry::LimitCounters;

/// How long taking rests at first, and at most: what is missing comes free by what ends meanwhile, and asking again at once
/// would find nothing and take the processor.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(320);

/// A socket from which connections are taken.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    counters: LimitCounters,
    rest: Rest,
}

impl Acceptor {
    /// Takes from `listener`; `counters` are told where the system has no room for a connection.
    ///
    /// # Errors
    /// The system's own, where the socket cannot be used.
    pub fn new(listener: std::net::TcpListener, counters: LimitCounters) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::from_std(listener)?, counters, rest: Rest::default() })
    }

    /// Has each connection served by what `serve` makes of it, `most` at once, for as long as the future is polled. Further ones
    /// wait with the kernel until one has ended.
    pub async fn serve<F>(mut self, most: usize, serve: impl Fn(TcpStream) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let room = Arc::new(Semaphore::new(most));
        // Nobody closes the room.
        while let Ok(place) = Arc::clone(&room).acquire_owned().await {
            let served = serve(self.accept().await);
            tokio::spawn(async move {
                served.await;
                drop(place);
            });
        }
    }

    /// The next connection. What is written to it is sent at once.
    async fn accept(&mut self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    self.rest.is_over();
                    // Small answers would wait for the client to acknowledge the one before. A connection that has gone
                    // already cannot be told, and is found out by whoever reads it.
                    stream.set_nodelay(true).ok();
                    return stream;
                }
                Err(error) => self.rest.after(&error, &self.counters).await,
            }
        }
    }
}

/// How often the log says that there is no room.
const COMPLAINT: Duration = Duration::from_secs(10);

/// How long taking rests: longer with each failure, until a connection is taken.
#[derive(Debug, Default)]
pub struct Rest {
    last: Option<Duration>,
    /// When the log last said so: what comes free is used up at once, and each time would be a line.
    complained: Option<Instant>,
}

impl Rest {
    /// A connection was taken.
    pub fn is_over(&mut self) {
        self.last = None;
    }

    /// Rests for as long as `error` asks for, and counts it, where that is at all; says so in the log now and then.
    pub async fn after(&mut self, error: &io::Error, counters: &LimitCounters) {
        if concerns_one(error) {
            return;
        }
        counters.count(Limit::OpenFiles);
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAINT) {
            self.complained = Some(Instant::now());
            tracing::warn!(%error, "cannot accept connections; raise the limit on open files if it is reached");
        }
        let rest = self.last.map_or(SHORTEST, |rest| (2 * rest).min(LONGEST));
        self.last = Some(rest);
        sleep(rest).await;
    }
}

/// Whether `error` is one of a connection that has gone before it was taken (accept(2): errors of the network are passed on by
/// `accept`, and the next connection may be well).
fn concerns_one(error: &io::Error) -> bool {
    const GONE: [Errno; 13] = [
        Errno::INTR,
        Errno::AGAIN,
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::PERM,
        Errno::PROTO,
        Errno::NETDOWN,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::NONET,
        Errno::HOSTUNREACH,
        Errno::OPNOTSUPP,
        Errno::NETUNREACH,
    ];
    Errno::from_io_error(error).is_some_and(|error| GONE.contains(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_one_connection_is_no_reason_to_rest() {
        for (error, expected) in [
            (Errno::CONNABORTED, true),
            (Errno::PROTO, true),
            (Errno::MFILE, false),
            (Errno::NFILE, false),
            (Errno::NOBUFS, false),
            (Errno::NOMEM, false),
            // Of what is no listening socket there is no end: without a rest the processor would be busy with it.
            (Errno::INVAL, false),
        ] {
            assert_eq!(concerns_one(&io::Error::from(error)), expected, "{error}");
        }
    }
}
