//! The emulated pools: one endpoint each, of the service times and the concurrency that were measured of instances.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::sleep;

/// What was measured of one instance.
#[derive(Clone, Copy)]
pub(crate) struct Profile {
    median: Duration,
    p99: Duration,
    /// Requests computed at once.
    pub(crate) places: u32,
}

/// A T4: 12 ms at the median, 28 ms at the 99th percentile.
const GPU: Profile = Profile { median: Duration::from_millis(12), p99: Duration::from_millis(28), places: 11 };
/// Eight cores: 45 ms and 85 ms.
const CPU: Profile = Profile { median: Duration::from_millis(45), p99: Duration::from_millis(85), places: 6 };

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874;
/// By how much a timer of tokio is late on average: it wakes at whole milliseconds.
const LATE: Duration = Duration::from_millis(1);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
const HEAD_END: &[u8] = b"\r\n\r\n";

impl Profile {
    /// The spread of the log-normal distribution with these two percentiles.
    fn sigma(&self) -> f64 {
        (self.p99.as_secs_f64() / self.median.as_secs_f64()).ln() / Z99
    }

    /// Requests a second that it bears: its places over the mean time.
    pub(crate) fn rate(&self) -> f64 {
        let mean = self.median.as_secs_f64() * (self.sigma().powi(2) / 2.0).exp();
        f64::from(self.places) / mean
    }

    /// The part `share` of an instance: as quick, with fewer requests at once.
    fn part(self, share: f64) -> Self {
        let places = (1..self.places).find(|places| f64::from(*places) >= f64::from(self.places) * share);
        Self { places: places.unwrap_or(self.places), ..self }
    }

    /// One service time (the Box-Muller transform).
    fn draw(&self) -> Duration {
        let radius = (-2.0 * (1.0 - fastrand::f64()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * fastrand::f64()).cos();
        self.median.mul_f64((self.sigma() * normal).exp()).saturating_sub(LATE)
    }
}

/// Both pools, on a thread of their own until the process ends.
pub(crate) struct Pools {
    pub(crate) gpu: (SocketAddr, Profile),
    pub(crate) cpu: (SocketAddr, Profile),
}

impl Pools {
    /// Starts them, each the part `share` of an instance.
    pub(crate) fn start(share: f64) -> io::Result<Self> {
        let bind = || std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (gpu, cpu) = (bind()?, bind()?);
        let pools = Self { gpu: (gpu.local_addr()?, GPU.part(share)), cpu: (cpu.local_addr()?, CPU.part(share)) };
        let endpoints = [(gpu, pools.gpu.1), (cpu, pools.cpu.1)];
        std::thread::Builder::new().name("pools".to_owned()).spawn(move || serve(endpoints))?;
        Ok(pools)
    }

    /// Requests a second that both bear.
    pub(crate) fn rate(&self) -> f64 {
        self.gpu.1.rate() + self.cpu.1.rate()
    }
}

fn serve(endpoints: [(std::net::TcpListener, Profile); 2]) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        for (listener, profile) in endpoints {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            let places = Rc::new(Semaphore::new(profile.places as usize));
            tokio::task::spawn_local(async move {
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::task::spawn_local(answer(socket, profile, Rc::clone(&places)));
                }
            });
        }
        std::future::pending().await
    })
}

/// Answers requests without a body for as long as the connection lasts.
async fn answer(mut socket: TcpStream, profile: Profile, places: Rc<Semaphore>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut read = Vec::with_capacity(1024);
    while socket.read_buf(&mut read).await? > 0 {
        while let Some(end) = read.windows(HEAD_END.len()).position(|bytes| bytes == HEAD_END) {
            read.drain(..end + HEAD_END.len());
            let place = places.acquire().await.map_err(io::Error::other)?;
            sleep(profile.draw()).await;
            drop(place);
            socket.write_all(ANSWER).await?;
        }
    }
    Ok(())
}
