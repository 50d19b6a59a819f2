//! The emulated pools: listeners on this machine that stand in for the GPU and CPU instances of the configuration.
//!
//! Owns their addresses, which are the configuration's own, and the thread that serves them. What they answer is real;
//! how long that takes and how much at once is imposed. The router knows nothing of this.

mod instance;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::runtime;
use tokio::sync::watch;

use super::embedder::Embedder;
use super::error::DemoError;
use super::service::Profile;
use crate::config::{Address, Checked};
use crate::domain::Tier;
use instance::Instance;

/// An instance that the configuration expects on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// The pool that it belongs to; the first, where several share it.
    pub(super) pool: String,
    /// What it is.
    pub(super) tier: Tier,
}

/// The instances of every pool that has a tier, each once.
///
/// # Errors
/// [`DemoError::Elsewhere`] where one is not on this machine: to answer in its place is not the demonstration's to do.
pub(super) fn sites(checked: &Checked) -> Result<Vec<Site>, DemoError> {
    let mut sites = BTreeMap::new();
    for pool in &checked.pools {
        let Some(tier) = pool.tier.filter(|tier| Profile::of(*tier).is_some()) else { continue };
        for endpoint in &pool.endpoints {
            let Address::Socket(address) = endpoint.address else {
                return Err(DemoError::elsewhere(pool, endpoint));
            };
            if !address.ip().is_loopback() {
                return Err(DemoError::elsewhere(pool, endpoint));
            }
            sites.entry(address).or_insert_with(|| Site { address, pool: pool.key.to_string(), tier });
        }
    }
    Ok(sites.into_values().collect())
}

/// The factor by which an instance's rate is scaled: 1 until it is set, once.
#[derive(Debug, Default)]
pub(super) struct Pace(OnceLock<f64>);

impl Pace {
    /// Sets the factor; the first one holds.
    pub(super) fn set(&self, factor: f64) {
        self.0.get_or_init(|| factor);
    }

    fn factor(&self) -> f64 {
        self.0.get().copied().unwrap_or(1.0)
    }
}

/// The emulated pools, serving until they are stopped or dropped.
#[derive(Debug)]
pub(super) struct Pools {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Pools {
    /// Takes every address and serves it on a thread of its own.
    ///
    /// # Errors
    /// [`DemoError::PoolAddress`] where an address is taken, [`DemoError::Io`] where the system gives no thread.
    pub(super) fn start(sites: &[Site], embedder: &Arc<Embedder>, pace: &Arc<Pace>) -> Result<Self, DemoError> {
        let mut served = Vec::new();
        for site in sites {
            let Some(profile) = Profile::of(site.tier) else { continue };
            let instance = Instance::new(profile, Arc::clone(embedder), Arc::clone(pace));
            served.push((listen(site)?, Arc::new(instance)));
        }
        let (stop, stopped) = watch::channel(false);
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(DemoError::Io)?;
        let serve = move || runtime.block_on(serve_all(served, stopped));
        let thread = thread::Builder::new().name("emulated-pools".to_owned()).spawn(serve).map_err(DemoError::Io)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Pools {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to give back.
            let _panicked = thread.join();
        }
    }
}

fn listen(site: &Site) -> Result<TcpListener, DemoError> {
    let taken = |why| DemoError::PoolAddress { address: site.address, pool: site.pool.clone(), why };
    let listener = TcpListener::bind(site.address).map_err(taken)?;
    listener.set_nonblocking(true).map_err(taken)?;
    Ok(listener)
}

async fn serve_all(served: Vec<(TcpListener, Arc<Instance>)>, mut stopped: watch::Receiver<bool>) {
    for (listener, instance) in served {
        tokio::spawn(serve(listener, instance));
    }
    // What is still open ends with the runtime: the router, its only client, has drained by then. The sender's end is
    // the other way to say stop.
    let _dropped = stopped.wait_for(|stop| *stop).await;
}

async fn serve(listener: TcpListener, instance: Arc<Instance>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        // A connection that ends while it is accepted concerns its client alone.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _unset = stream.set_nodelay(true);
        let instance = Arc::clone(&instance);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let instance = Arc::clone(&instance);
                async move { Ok::<_, std::convert::Infallible>(instance.answer(request).await) }
            });
            let connection = auto::Builder::new(TokioExecutor::new());
            connection.serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}
