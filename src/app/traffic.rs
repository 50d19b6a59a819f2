//! Traffic threads: the sockets each accepts on, and what it begins with.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;

use crate::config::Startup;
use crate::live::Reader;
use crate::proxy::{self, Drain, Shared, Worker};
use crate::telemetry::Recorder;
use crate::tls::Servers;

/// An address that traffic is accepted on.
pub(super) struct Listening {
    /// The port that rules are matched by.
    pub(super) port: u16,
    pub(super) address: SocketAddr,
    /// One socket a worker.
    pub(super) sockets: Vec<TcpListener>,
    /// What secures it; `None` speaks in clear.
    pub(super) tls: Option<Arc<Servers>>,
}

/// The sockets that each worker accepts on: one of every address.
pub(super) fn by_worker(traffic: Vec<Listening>) -> Vec<Vec<Socket>> {
    let mut workers: Vec<Vec<Socket>> = Vec::new();
    for Listening { port, sockets, tls, .. } in traffic {
        workers.resize_with(workers.len().max(sockets.len()), Vec::new);
        let open = Arc::default();
        for (worker, listener) in workers.iter_mut().zip(sockets) {
            worker.push(Socket { port, listener, tls: tls.clone(), open: Arc::clone(&open) });
        }
    }
    workers
}

/// One listening socket, not yet of any runtime.
pub(super) struct Socket {
    port: u16,
    listener: TcpListener,
    tls: Option<Arc<Servers>>,
    open: Arc<AtomicU32>,
}

impl Socket {
    fn listener(self) -> io::Result<proxy::Listener> {
        Ok(proxy::Listener {
            socket: tokio::net::TcpListener::from_std(self.listener)?,
            port: self.port,
            tls: self.tls,
            open: self.open,
        })
    }
}

/// What one traffic thread begins with.
pub(super) struct Traffic {
    limits: proxy::Limits,
    reader: Reader,
    recorder: Recorder,
    shared: Shared,
}

impl Traffic {
    pub(super) fn new(startup: &Startup, reader: Reader, recorder: Recorder, shared: Shared) -> Self {
        Self { limits: limits(startup), reader, recorder, shared }
    }

    /// Serves on this thread until the router has drained.
    ///
    /// # Errors
    /// The system's own, where it refuses the runtime or a socket.
    pub(super) fn run(self, sockets: Vec<Socket>, drained: watch::Receiver<Drain>) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
        runtime.block_on(async move {
            let listeners = sockets.into_iter().map(Socket::listener).collect::<io::Result<_>>()?;
            let worker = Worker::new(self.limits, self.reader, self.recorder, self.shared);
            proxy::serve(worker, listeners, drained).await;
            Ok(())
        })
    }
}

fn limits(startup: &Startup) -> proxy::Limits {
    proxy::Limits {
        keepalive: startup.keepalive,
        max_connection_age: startup.max_connection_age,
        header_timeout: startup.header_timeout,
        max_header_bytes: startup.max_header_bytes,
    }
}
