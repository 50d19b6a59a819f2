//! Following the demand, on the control runtime.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::StartError;
use crate::accept::Acceptor;
use crate::config::Startup;
use crate::control::Peers;
use crate::live::Publisher;
use crate::scaling::metrics_api::{self, Access};
use crate::scaling::{Board, Known, Meter, Others, keda};
use crate::telemetry::LimitCounters;
use crate::tls::Keeper;

/// How often the pools are looked at while anything is asked of one.
const BUSY: Duration = Duration::from_millis(250);
/// How often they are looked at otherwise; the first request is told of at once.
const QUIET: Duration = Duration::from_secs(1);
/// First requests for many pools are looked at together, no sooner than this.
const BREATH: Duration = Duration::from_millis(5);

/// The ways in which autoscalers ask, beside the admin API: each is there where the settings have it.
pub(super) struct Ways {
    /// Where KEDA asks.
    scaler: Option<TcpListener>,
    /// Where Kubernetes' API server asks, and how it gets in.
    metrics: Option<(TcpListener, Access)>,
}

impl Ways {
    /// Binds what `startup` has; `certificates` reads the files.
    ///
    /// # Errors
    /// [`StartError::Listen`] names the address.
    pub(super) fn bind(startup: &Startup, certificates: &mut Keeper) -> Result<Self, StartError> {
        let scaler = startup
            .scaling
            .external_scaler
            .map(|address| bind(address, "KEDA's external scaler", "the Settings document's `scaling.externalScaler`"));
        let metrics = startup.scaling.metrics_api.as_ref().map(|api| {
            let cure = "the Settings document's `scaling.metricsApi.address`";
            let listener = bind(api.address, "Kubernetes' metric APIs", cure)?;
            let servers = certificates.serve(std::slice::from_ref(&api.server));
            Ok::<_, StartError>((listener, Access { servers, allowed_names: api.allowed_names.clone() }))
        });
        Ok(Self { scaler: scaler.transpose()?, metrics: metrics.transpose()? })
    }

    /// Serves them from `board`.
    fn serve(self, board: &Board, counters: &LimitCounters) -> Result<(), StartError> {
        if let Some(listener) = self.scaler {
            tracing::info!(address = %listener.local_addr()?, "listening for KEDA as an external scaler");
            tokio::spawn(keda::serve(Acceptor::new(listener, counters.clone())?, board.clone()));
        }
        if let Some((listener, access)) = self.metrics {
            tracing::info!(address = %listener.local_addr()?, "listening as an API of metrics");
            let acceptor = Acceptor::new(listener, counters.clone())?;
            tokio::spawn(metrics_api::serve(acceptor, access, board.clone()));
        }
        Ok(())
    }
}

fn bind(address: SocketAddr, purpose: &'static str, cure: &'static str) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    bound.map_err(|why| StartError::Listen { address, purpose, why, cure })
}

/// Keeps the board up to date for as long as the runtime runs, with what the peers say, and serves the `ways` from it.
///
/// # Errors
/// The system's own, where the socket cannot be used.
pub(super) fn follow(
    publisher: Arc<Publisher>,
    startup: &Startup,
    ways: Ways,
    counters: &LimitCounters,
) -> Result<Board, StartError> {
    let board = Board::default();
    let (posted, mut meter) = (board.clone(), Meter::new(fastrand::u64(..)));
    let (tell, others) = watch::channel(Others::default());
    let mut wakes = publisher.wakes();
    let mut look = {
        let others = others.clone();
        move || {
            let live = publisher.current();
            let others = others.borrow().clone();
            meter.read(&live.snapshot, live.now(), &others)
        }
    };
    board.post(look());
    let mut heard = others;
    if !startup.scaling.peers.is_empty() {
        let peers = Peers::new(startup.scaling.clone(), startup.dns.clone(), board.clone());
        tokio::spawn(peers.follow(move |others| drop(tell.send_replace(others))));
    }
    tokio::spawn(async move {
        loop {
            let known = look();
            let next = Instant::now() + if is_busy(&known) { BUSY } else { QUIET };
            posted.post(known);
            sleep(BREATH).await;
            let news = async {
                tokio::select! {
                    Ok(()) = wakes.changed() => {}
                    // Without peers there is nobody to hear of.
                    Ok(()) = heard.changed() => {}
                    else => std::future::pending().await,
                }
            };
            // Whether there was news or not, it looks again.
            timeout_at(next, news).await.ok();
        }
    });
    ways.serve(&board, counters)?;
    Ok(board)
}

fn is_busy(known: &Known) -> bool {
    known.all.pools.iter().any(|pool| pool.load.active)
}
