//! The addresses of hosts that requests bring along: read by traffic threads, kept by the control plane.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use crate::domain::{Host, Reason};

/// Requests that may wait for addresses to be asked for; more are refused.
const MAX_ASKS: usize = 1024;

/// What is known of one host.
#[derive(Debug)]
pub struct Destination {
    /// Its newest address; `None` where it has none, or could not be looked up.
    address: Option<IpAddr>,
    /// Whether a request has asked since this was last told.
    asked: AtomicBool,
}

impl Destination {
    /// A host with this address, which a request has just asked for.
    pub fn new(address: Option<IpAddr>) -> Self {
        Self { address, asked: AtomicBool::new(true) }
    }

    /// Whether a request has asked for it since the last time that this was told.
    pub fn was_asked_for(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }

    fn ask(&self) -> Result<IpAddr, Reason> {
        // The common case reads only, so that the cache line stays shared among the workers.
        if !self.asked.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
        }
        self.address.ok_or(Reason::NameNotResolved)
    }
}

/// What is known of every host that was asked for.
pub type KnownHosts = HashMap<Box<str>, Arc<Destination>>;

/// A request that waits for an address.
#[derive(Debug)]
pub struct Ask {
    /// The host.
    pub host: Host,
    reply: oneshot::Sender<Arc<Destination>>,
}

impl Ask {
    /// Tells what is known by now.
    pub fn answer(self, destination: Arc<Destination>) {
        // A request that was given up does not mind.
        self.reply.send(destination).ok();
    }
}

/// The hosts as traffic threads see them.
#[derive(Clone, Debug)]
pub struct Destinations {
    known: Arc<ArcSwap<KnownHosts>>,
    asks: mpsc::Sender<Ask>,
}

/// The hosts as the control plane keeps them.
#[derive(Debug)]
pub struct Asked {
    known: Arc<ArcSwap<KnownHosts>>,
    asks: mpsc::Receiver<Ask>,
}

impl Destinations {
    /// No hosts yet, from both sides.
    pub fn new() -> (Self, Asked) {
        let known: Arc<ArcSwap<KnownHosts>> = Arc::default();
        let (sender, asks) = mpsc::channel(MAX_ASKS);
        (Self { known: Arc::clone(&known), asks: sender }, Asked { known, asks })
    }

    /// The newest address of `host`. Known hosts cost a look; others wait for the control plane.
    ///
    /// # Errors
    /// [`Reason::NameNotResolved`].
    pub async fn find(&self, host: &str) -> Result<IpAddr, Reason> {
        if let Some(known) = self.known.load().get(host) {
            return known.ask();
        }
        let host = Host::parse(host).map_err(|_| Reason::NameNotResolved)?;
        let (reply, answer) = oneshot::channel();
        self.asks.try_send(Ask { host, reply }).map_err(|_| Reason::NameNotResolved)?;
        answer.await.map_err(|_| Reason::NameNotResolved)?.ask()
    }
}

impl Asked {
    /// The next request that waits; `None` once nobody can ask any more.
    pub async fn next(&mut self) -> Option<Ask> {
        self.asks.recv().await
    }

    /// What is known now.
    pub fn known(&self) -> Arc<KnownHosts> {
        self.known.load_full()
    }

    /// Puts what is known in force.
    pub fn publish(&self, known: KnownHosts) {
        self.known.store(Arc::new(known));
    }
}
