//! The router under demonstration: the real one, with nothing in it that knows of the demonstration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep};

use super::client::{ClientError, Connection};
use super::error::DemoError;
use super::observation::Observation;
use crate::app::{self, Configuration, Shutdown, StartError};

/// How long the router may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// The router on its threads.
pub(super) struct Router {
    /// Where traffic is accepted, as seen from this machine.
    pub(super) traffic: SocketAddr,
    /// Where the admin API is served.
    pub(super) admin: SocketAddr,
    shutdown: Shutdown,
    thread: JoinHandle<Result<(), StartError>>,
}

impl Router {
    /// Binds the router's addresses and runs it.
    ///
    /// # Errors
    /// [`DemoError::Router`] where an address is taken, [`DemoError::Io`] where the system gives no thread.
    pub(super) fn start(configuration: Configuration) -> Result<Self, DemoError> {
        let bound = app::build(configuration)?;
        let traffic = bound.traffic().ok_or(DemoError::NoListener)?;
        let [traffic, admin] = [traffic, bound.admin()].map(from_here);
        let shutdown = bound.shutdown_handle();
        let thread = thread::Builder::new().name("router".to_owned()).spawn(move || bound.run())?;
        Ok(Self { traffic, admin, shutdown, thread })
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Completes once the router says that it is ready.
    ///
    /// # Errors
    /// [`DemoError::NoAnswer`] where it does not within [`PATIENCE`], [`DemoError::RouterEnded`] where it ended.
    pub(super) async fn ready(&self) -> Result<(), DemoError> {
        let start = Instant::now();
        loop {
            let answer = self.get("/healthz/ready").await;
            if answer.as_ref().is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return Ok(());
            }
            if self.has_ended() {
                return Err(DemoError::RouterEnded);
            }
            if start.elapsed() > PATIENCE {
                let why = answer.err().unwrap_or(ClientError::Timeout);
                return Err(DemoError::NoAnswer { address: self.admin, why });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Reads the router's metrics.
    ///
    /// # Errors
    /// [`DemoError::NoAnswer`].
    pub(super) async fn observe(&self) -> Result<Observation, DemoError> {
        let answer = self.get("/metrics").await.map_err(|why| DemoError::NoAnswer { address: self.admin, why })?;
        Ok(Observation::read(&String::from_utf8_lossy(answer.body())))
    }

    /// Drains it and waits for its end. Asked twice, since nothing of the load is in flight any more: it need not wait for
    /// load balancers to notice.
    ///
    /// # Errors
    /// [`DemoError::Router`] as the router ended, [`DemoError::RouterEnded`] where its thread panicked.
    pub(super) fn drain(self) -> Result<(), DemoError> {
        self.shutdown.drain();
        self.shutdown.drain();
        Ok(self.thread.join().map_err(|_panicked| DemoError::RouterEnded)??)
    }

    async fn get(&self, path: &'static str) -> Result<http::Response<bytes::Bytes>, ClientError> {
        Connection::open(self.admin).await?.get(path).await
    }
}

/// The address by which a listener on `address` is reached from this machine: one on every address is on loopback too.
fn from_here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_by_loopback() {
        for (bound, reached) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:80", "10.0.0.1:80")]
        {
            assert_eq!(from_here(bound.parse().expect("an address")).to_string(), reached);
        }
    }
}
