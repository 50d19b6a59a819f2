//! Putting the parts together and running them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread;

use tokio::runtime;

use super::scaling::Ways;
use super::traffic::Listening;
use super::{Configuration, Shutdown, bind, run};
use crate::config::{Listener, Startup};
use crate::live::{Local, Phase};
use crate::telemetry::Metrics;
use crate::tls::Keeper;

/// Why the router does not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {purpose}: {why}. Name a free address with {cure}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// What for.
        purpose: &'static str,
        /// Why.
        why: io::Error,
        /// How to choose another.
        cure: &'static str,
    },
    /// The system refuses a thread, a timer or a signal handler.
    #[error("the system refuses what the router needs to run: {0}. Raise the limits on threads and open files")]
    System(#[from] io::Error),
}

/// A router that listens and does not accept yet.
pub struct Bound {
    pub(super) configuration: Configuration,
    /// The mesh's listener first, then the gateway's.
    pub(super) traffic: Vec<Listening>,
    pub(super) admin: TcpListener,
    pub(super) admin_address: SocketAddr,
    pub(super) ways: Ways,
    pub(super) certificates: Keeper,
    pub(super) local: Local,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shutdown: Shutdown,
}

/// Binds every address. The local model is loaded once the router runs.
///
/// # Errors
/// [`StartError::Listen`] names the address.
pub fn build(configuration: Configuration) -> Result<Bound, StartError> {
    let startup = &configuration.checked.startup;
    let listen = |purpose, address, port: Option<u16>, cure| {
        let refused = |why| StartError::Listen { address, purpose, why, cure };
        if address.port() != 0 && bind::is_listened_on(address) {
            tracing::warn!(
                %address,
                "another process listens here too, and gets a part of the connections until it ends; stop one of the two, \
                 unless this router is to succeed the other"
            );
        }
        let sockets = bind::listen(address, startup.backlog, workers(startup)).map_err(refused)?;
        let address = sockets[0].local_addr()?;
        Ok::<_, StartError>(Listening { port: port.unwrap_or(address.port()), address, sockets, tls: None })
    };
    // The admin address first: it is not shared, so a second router on the same machine is noticed here.
    let admin = TcpListener::bind(startup.admin).map_err(|why| StartError::Listen {
        address: startup.admin,
        purpose: "the admin API",
        why,
        cure: "--admin, OVERSPILL_ADMIN or the Settings document's `admin`",
    })?;
    admin.set_nonblocking(true)?;
    let cure = "--listen, OVERSPILL_LISTEN or the Settings document's `listen`";
    let mut traffic: Vec<Listening> =
        startup.listen.map(|address| listen("traffic", address, None, cure)).transpose()?.into_iter().collect();
    if traffic.is_empty() && startup.listeners.is_empty() {
        tracing::warn!("no Gateway means this router by its workload.labels, so it listens for no traffic");
    }
    let (mut certificates, servers) = Keeper::new(&startup.listeners);
    let ways = Ways::bind(startup, &mut certificates)?;
    for (Listener { port, address, .. }, tls) in startup.listeners.iter().zip(servers) {
        let listening = listen("a gateway's traffic", *address, Some(*port), "the Gateway's `port` or `bind`")?;
        traffic.push(Listening { tls, ..listening });
    }
    let admin_address = admin.local_addr()?;
    let metrics = Metrics::new(&startup.workload);
    let phase = if configuration.checked.local_model.is_some() { Phase::Loading } else { Phase::Off };
    let local = Local::new(phase, metrics.local());
    Ok(Bound {
        traffic,
        admin,
        admin_address,
        ways,
        certificates,
        local,
        metrics,
        shutdown: Shutdown::default(),
        configuration,
    })
}

fn workers(startup: &Startup) -> usize {
    let set = startup.workers.map(NonZeroU32::get).and_then(|workers| usize::try_from(workers).ok());
    set.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
}

impl Bound {
    /// Where traffic is accepted: for the mesh, else for the first port of a gateway.
    pub fn traffic(&self) -> Option<SocketAddr> {
        self.traffic.first().map(|listening| listening.address)
    }

    /// Where the admin API is served.
    pub fn admin(&self) -> SocketAddr {
        self.admin_address
    }

    /// A way to make it drain.
    pub fn shutdown_handle(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Serves until it is told to drain by [`Shutdown`], `POST /shutdown`, SIGTERM or SIGINT, and has drained.
    ///
    /// # Errors
    /// [`StartError::System`].
    pub fn run(self) -> Result<(), StartError> {
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build_local(runtime::LocalOptions::default())?;
        runtime.block_on(run::serve(self))
    }
}
